"""Typed answers with instructor, no server: python examples/instructor_in_process.py

Needs `pip install 'seekroute[openai]' instructor`. `mock="on"` lets the built-in mock provider
answer; leave it out to ask those whose key is in the environment. The mock fills the schema with
placeholders.
"""

import instructor
from pydantic import BaseModel

import seekroute


class City(BaseModel):
    """A city."""

    name: str
    population: int


with seekroute.Client(mock="on") as client, seekroute.openai_client(client=client) as llm:
    city = instructor.from_openai(llm).chat.completions.create(
        model="openai/gpt-4o-mini",
        response_model=City,
        messages=[{"role": "user", "content": "Describe Paris."}],
    )
    print(repr(city))
    print(f"{client.spend} USD spent")
