"""OpenAI's SDK with no server and no port: python examples/openai_sdk_in_process.py

Needs `pip install 'seekroute[openai]'`. `mock="on"` lets the built-in mock provider answer; leave
it out to ask those whose key is in the environment.
"""

import seekroute

with seekroute.Client(mock="on") as client, seekroute.openai_client(client=client) as llm:
    question = {"role": "user", "content": "What is the capital of France?"}
    stream = llm.chat.completions.create(
        model="openai/gpt-4o-mini", messages=[question], stream=True
    )
    for chunk in stream:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print(f"\n{client.spend} USD spent")
