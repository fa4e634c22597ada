"""Ask a model from Python, with no server: python examples/in_process.py

`mock="on"` lets the built-in mock provider answer; leave it out to ask those whose key is in the
environment.
"""

import seekroute

with seekroute.Client(mock="on") as client:
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
