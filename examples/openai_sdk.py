"""The OpenAI SDK against a gateway: only the base URL and the key differ.

SEEKROUTE_API_KEY=sk-sr-... python examples/openai_sdk.py
"""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("SEEKROUTE_BASE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ["SEEKROUTE_API_KEY"],
)
answer = client.chat.completions.create(
    model="openai/gpt-4o-mini",
    messages=[{"role": "user", "content": "Say hello."}],
)
print(answer.choices[0].message.content)
