"""Ask a model from Python, with no server: python examples/in_process.py

Without a provider key in the environment the built-in mock provider answers.
"""

import os

import seekroute

mock = "off" if os.environ.get("OPENAI_API_KEY") else "on"
with seekroute.Client(mock=mock) as client:
    answer = client.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "What is the capital of France?"}],
    )
    print(answer.choices[0].message.content)
    print(f"{answer.usage.total_tokens} tokens, {answer.cost} USD, served by {answer.provider}")

    stream = client.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "And of Italy?"}],
        stream=True,
    )
    for chunk in stream:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print(f"\n{stream.cost} USD")
