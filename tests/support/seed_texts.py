"""The examples of five OpenAI-compatible services, cut down to what they ask of the interface.

`https://gateway.test` and `YOUR_KEY` are all that a test replaces; examples that read the key from
the environment get it there, in the variable that their service names.
"""

from __future__ import annotations

from dataclasses import dataclass

ORIGIN = "https://gateway.test"
KEY = "YOUR_KEY"


@dataclass(frozen=True)
class Example:
    """One example.

    Attributes:
        profile: the profile it belongs to.
        name: what it shows, unique within the profile.
        language: "bash", "python" or "node".
        text: the program.
        model: the model it asks for.
        prompt: the last user message in it.
        key_variable: environment variable that it reads the key from; empty: YOUR_KEY in the text.
    """

    profile: str
    name: str
    language: str
    text: str
    model: str
    prompt: str
    key_variable: str = ""

    @property
    def label(self) -> str:
        return f"{self.profile}-{self.name}"


SEEKROUTER_CURL = r"""
curl https://gateway.test/api/v1/chat/completions \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer $SEEKROUTER_API_KEY" \
  -d '{
  "model": "deepseek/deepseek-chat",
  "messages": [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Hello!"}
  ]
}'
"""

SEEKROUTER_PYTHON = """
from openai import OpenAI

client = OpenAI(base_url="https://gateway.test/api/v1", api_key="YOUR_KEY")
response = client.chat.completions.create(
    model="deepseek/deepseek-chat",
    messages=[
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hello!"}
    ]
)
print(response.choices[0].message.content)
"""

SEEKROUTER_NODE = """
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: 'https://gateway.test/api/v1', apiKey: 'YOUR_KEY' });
const response = await client.chat.completions.create({
  model: 'deepseek/deepseek-chat',
  messages: [
    { role: 'system', content: 'You are a helpful assistant.' },
    { role: 'user', content: 'Hello!' }
  ]
});
console.log(response.choices[0].message.content);
"""

SOLROUTER_NODE = """
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "https://gateway.test/v1",
  apiKey: process.env.SOLROUTER_API_KEY,
});
const completion = await client.chat.completions.create({
  model: "openai/gpt-4o-mini",
  messages: [{ role: "user", content: "What is the meaning of life?" }],
});
console.log(completion.choices[0].message.content);
"""

SOLROUTER_FETCH = """
const response = await fetch("https://gateway.test/v1/chat/completions", {
  method: "POST",
  headers: {
    Authorization: `Bearer ${process.env.SOLROUTER_API_KEY}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    model: "openai/gpt-4o-mini",
    messages: [{ role: "user", content: "What is the meaning of life?" }],
  }),
});
const data = await response.json();
console.log(data.choices[0].message.content);
"""

SOLROUTER_PYTHON = """
from openai import OpenAI
import os
from dotenv import load_dotenv

load_dotenv()
client = OpenAI(base_url="https://gateway.test/v1", api_key=os.environ["SOLROUTER_API_KEY"])
completion = client.chat.completions.create(
    model="openai/gpt-4o-mini",
    messages=[{"role": "user", "content": "What is the meaning of life?"}],
)
print(completion.choices[0].message.content)
"""

SOLROUTER_CURL = r"""
curl https://gateway.test/v1/chat/completions \
  -H "Authorization: Bearer $SOLROUTER_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "What is the meaning of life?"}]
  }'
"""

SOLROUTER_FIELDS = """
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "https://gateway.test/v1",
  apiKey: process.env.SOLROUTER_API_KEY,
});
const completion = await client.chat.completions.create({
  model: "openai/gpt-4o-mini",
  messages: [{ role: "user", content: "What is the meaning of life?" }],
});
const message = completion.choices[0].message.content;
const tokenCount = completion.usage?.total_tokens;
const reason = completion.choices[0].finish_reason;
console.log(`Response: ${message}`);
console.log(`Tokens used: ${tokenCount}`);
console.log(`Finished because: ${reason}`);
"""

ROUTER9_CURL = r"""
curl https://gateway.test/v1/chat/completions \
  -H "Authorization: Bearer YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "gpt-4o",
    "messages": [
      { "role": "user", "content": "Explain quantum computing in one sentence." }
    ]
  }'
"""

ROUTER9_STREAM = r"""
curl https://gateway.test/v1/chat/completions \
  -H "Authorization: Bearer YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "gpt-4o",
    "messages": [{ "role": "user", "content": "Hello!" }],
    "stream": true
  }'
"""

ROUTER9_AUTO = r"""
curl https://gateway.test/v1/chat/completions \
  -H "Authorization: Bearer YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
  "model": "auto",
  "messages": [{ "role": "user", "content": "Hello!" }]
}'
"""

# Its page shows the key apart from the command.
ROUTERONE_AUTO = r"""
curl -X POST "https://gateway.test/v1/chat/completions" \
  -H "Authorization: Bearer YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "auto",
    "messages": [
      {
        "role": "user",
        "content": "Hello"
      }
    ]
  }'
"""

RESELLER_BODY = r"""
curl https://gateway.test/v1/chat/completions \
  -H "Authorization: Bearer YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
"model": "deepseek-chat",
"messages": [
{"role": "system", "content": "You are a helpful assistant."},
{"role": "user", "content": "Hello! What can you do?"}
],
"max_tokens": 1024,
"temperature": 0.7,
"stream": false
}'
"""

RESELLER_IMAGE = r"""
curl https://gateway.test/v1/chat/completions \
  -H "Authorization: Bearer YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
"model": "jimeng-image",
"messages": [
{"role": "user", "content": "A futuristic city at sunset, cinematic lighting"}
]
}'
"""

RESELLER_REQUESTS = """
import requests
API_KEY = "YOUR_KEY"
BASE_URL = "https://gateway.test/v1"
response = requests.post(
    f"{BASE_URL}/chat/completions",
    headers={"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
    json={
        "model": "deepseek-chat",
        "messages": [{"role": "user", "content": "Explain quantum computing simply"}],
    },
)
data = response.json()
print(data["choices"][0]["message"]["content"])
"""

RESELLER_PYTHON = """
from openai import OpenAI
client = OpenAI(api_key="YOUR_KEY", base_url="https://gateway.test/v1")
completion = client.chat.completions.create(
    model="deepseek-r1",
    messages=[{"role": "user", "content": "Solve: 2x + 5 = 13"}],
)
print(completion.choices[0].message.content)
"""

RESELLER_FETCH = """
const API_KEY = "YOUR_KEY";
const BASE_URL = "https://gateway.test/v1";
const response = await fetch(`${BASE_URL}/chat/completions`, {
  method: "POST",
  headers: { "Authorization": `Bearer ${API_KEY}`, "Content-Type": "application/json" },
  body: JSON.stringify({
    model: "deepseek-chat",
    messages: [{ role: "user", content: "What is the capital of France?" }],
  }),
});
const data = await response.json();
console.log(data.choices[0].message.content);
"""

RESELLER_CURL = r"""
curl https://gateway.test/v1/chat/completions \
  -H "Authorization: Bearer YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
"model": "deepseek-chat",
"messages": [
{"role": "user", "content": "Hello!"}
]
}'
"""

_LIFE = "What is the meaning of life?"
_SOLROUTER_KEY = "SOLROUTER_API_KEY"

# Examples whose output is the whole JSON answer.
JSON_EXAMPLES = (
    Example(
        "seekrouter",
        "curl",
        "bash",
        SEEKROUTER_CURL,
        "deepseek/deepseek-chat",
        "Hello!",
        "SEEKROUTER_API_KEY",
    ),
    Example(
        "solrouter", "curl", "bash", SOLROUTER_CURL, "openai/gpt-4o-mini", _LIFE, _SOLROUTER_KEY
    ),
    Example(
        "router9",
        "curl",
        "bash",
        ROUTER9_CURL,
        "gpt-4o",
        "Explain quantum computing in one sentence.",
    ),
    Example("router9", "auto", "bash", ROUTER9_AUTO, "auto", "Hello!"),
    Example("routerone", "auto", "bash", ROUTERONE_AUTO, "auto", "Hello"),
    Example("reseller", "body", "bash", RESELLER_BODY, "deepseek-chat", "Hello! What can you do?"),
    Example("reseller", "curl", "bash", RESELLER_CURL, "deepseek-chat", "Hello!"),
)
# Examples that print the text of the answer.
TEXT_EXAMPLES = (
    Example(
        "seekrouter", "python", "python", SEEKROUTER_PYTHON, "deepseek/deepseek-chat", "Hello!"
    ),
    Example("seekrouter", "node", "node", SEEKROUTER_NODE, "deepseek/deepseek-chat", "Hello!"),
    Example(
        "solrouter", "node", "node", SOLROUTER_NODE, "openai/gpt-4o-mini", _LIFE, _SOLROUTER_KEY
    ),
    Example(
        "solrouter", "fetch", "node", SOLROUTER_FETCH, "openai/gpt-4o-mini", _LIFE, _SOLROUTER_KEY
    ),
    Example(
        "solrouter",
        "dotenv",
        "python",
        SOLROUTER_PYTHON,
        "openai/gpt-4o-mini",
        _LIFE,
        _SOLROUTER_KEY,
    ),
    Example(
        "reseller",
        "requests",
        "python",
        RESELLER_REQUESTS,
        "deepseek-chat",
        "Explain quantum computing simply",
    ),
    Example("reseller", "python", "python", RESELLER_PYTHON, "deepseek-r1", "Solve: 2x + 5 = 13"),
    Example(
        "reseller",
        "fetch",
        "node",
        RESELLER_FETCH,
        "deepseek-chat",
        "What is the capital of France?",
    ),
)
FIELDS_EXAMPLE = Example(
    "solrouter", "fields", "node", SOLROUTER_FIELDS, "openai/gpt-4o-mini", _LIFE, _SOLROUTER_KEY
)
STREAM_EXAMPLE = Example("router9", "stream", "bash", ROUTER9_STREAM, "gpt-4o", "Hello!")
IMAGE_EXAMPLE = Example(
    "reseller",
    "image",
    "bash",
    RESELLER_IMAGE,
    "jimeng-image",
    "A futuristic city at sunset, cinematic lighting",
)
