"""Typed answers with instructor, no server: python examples/instructor_in_process.py

Needs `pip install 'seekroute[openai]' instructor`. Without a provider key in the environment the
built-in mock provider answers; it fills the schema with placeholders.
"""

import os

import instructor
from pydantic import BaseModel

import seekroute


class City(BaseModel):
    """A city."""

    name: str
    population: int


mock = "off" if os.environ.get("OPENAI_API_KEY") else "on"
with seekroute.Client(mock=mock) as client, seekroute.openai_client(client=client) as llm:
    city = instructor.from_openai(llm).chat.completions.create(
        model="openai/gpt-4o-mini",
        response_model=City,
        messages=[{"role": "user", "content": "Describe Paris."}],
    )
    print(repr(city))
    print(f"{client.spend} USD spent")
