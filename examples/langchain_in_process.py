"""LangChain over the gateway in this process: python examples/langchain_in_process.py

Needs `pip install 'seekroute[openai]' langchain-openai`. `mock="on"` lets the built-in mock
provider answer; leave it out to ask those whose key is in the environment.
"""

from langchain_openai import ChatOpenAI

import seekroute

with seekroute.openai_client(mock="on") as llm:
    # LangChain takes the SDK's client as `root_client` and its chat part as `client`; the key is
    # for what it would make itself, and is not used.
    model = ChatOpenAI(
        model="openai/gpt-4o-mini",
        root_client=llm,
        client=llm.chat.completions,
        api_key="unused",
    )
    print(model.invoke("What is the capital of France?").text)
    for chunk in model.stream("And of Italy?"):
        print(chunk.text, end="", flush=True)
    print()
