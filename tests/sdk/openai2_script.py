"""Runs the cases of `client_report.py` with the OpenAI SDK of this interpreter.

    python openai2_script.py BASE_URL KEY MODEL

Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import openai
from pydantic import BaseModel

BASE_URL, KEY, MODEL = sys.argv[1:]
HELLO = [{"role": "user", "content": "Hello!"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PNG = "data:image/png;base64,iVBORw0KGgo="


class City(BaseModel):
    """A structured answer."""

    name: str
    population: int


client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=20)
create = client.chat.completions.create


def say(text: str) -> list[dict[str, str]]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def whole() -> dict[str, Any]:
    """An answer that is not streamed, with its headers."""
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, extra_headers={"x-request-id": "from-the-client-1"}
    )
    answer = raw.parse()
    return {
        "object": answer.object,
        "model": answer.model,
        "text": answer.choices[0].message.content,
        "finish": answer.choices[0].finish_reason,
        "tokens": answer.usage.total_tokens,
        "cost": answer.usage.model_extra["cost"] > 0,
        "same_id": raw.headers["x-generation-id"] == answer.id,
        "provider": raw.headers["x-seekroute-provider"],
        "request_id": raw.headers["x-request-id"],
    }


def stream(**options: Any) -> dict[str, Any]:
    """A streamed answer."""
    chunks = list(create(model=MODEL, messages=HELLO, stream=True, **options))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    return {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "ids": len({chunk.id for chunk in chunks}),
        "usages": sum(chunk.usage is not None for chunk in chunks),
        "last_has_usage": chunks[-1].usage is not None,
        "without_choices": sum(not chunk.choices for chunk in chunks),
        "finish": choices[-1].finish_reason,
    }


def tools() -> dict[str, Any]:
    """A call, its result, and the text made of it."""
    answer = create(model=MODEL, messages=say("weather"), tools=[TOOL])
    message = answer.choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    called = message.model_dump(include={"role", "content", "tool_calls"})
    final = create(model=MODEL, messages=[*say("weather"), called, result], tools=[TOOL])
    return {
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "finish": answer.choices[0].finish_reason,
        "final": final.choices[0].message.content,
    }


def tools_stream() -> dict[str, Any]:
    """A streamed call, put together by the SDK."""
    with client.chat.completions.stream(
        model=MODEL, messages=say("weather"), tools=[TOOL]
    ) as events:
        list(events)
        choice = events.get_final_completion().choices[0]
    call = choice.message.tool_calls[0]
    return {
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "finish": choice.finish_reason,
    }


def structured() -> list[str]:
    """An answer in the shape of a class."""
    answer = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=City)
    return sorted(answer.choices[0].message.parsed.model_dump())


def image_input() -> str | None:
    """A question about an image."""
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PNG}},
    ]
    answer = create(model="openai/gpt-4o", messages=[{"role": "user", "content": parts}])
    return answer.choices[0].message.content


def image_output() -> bool:
    """An image made by chat."""
    answer = create(model="jimeng-image", messages=HELLO)
    return answer.choices[0].message.content.startswith("data:image/png;base64,")


def choices() -> list[str | None]:
    """Two answers at once."""
    return [each.message.content for each in create(model=MODEL, messages=HELLO, n=2).choices]


def logprobs() -> dict[str, Any]:
    """Probabilities of the tokens."""
    answer = create(model=MODEL, messages=HELLO, logprobs=True, top_logprobs=2)
    entries = answer.choices[0].logprobs.content
    return {
        "text": "".join(entry.token for entry in entries),
        "top": sorted({len(entry.top_logprobs) for entry in entries}),
    }


def models() -> dict[str, Any]:
    """The list, and one of it."""
    one = client.models.retrieve("openai/gpt-4o-mini").id
    return {"listed": one in {model.id for model in client.models.list()}, "one": one}


def embeddings() -> dict[str, Any]:
    """Vectors, in the form that the SDK asks for and as floats."""
    embed, name = client.embeddings.create, "text-embedding-3-small"
    answer = embed(model=name, input=["a cat", "a dog"])
    floats = embed(model=name, input=["a cat", "a dog"], encoding_format="float")
    return {
        "object": answer.object,
        "model": answer.model,
        "indexes": [each.index for each in answer.data],
        "lengths": [len(each.embedding) for each in answer.data],
        "tokens": answer.usage.total_tokens,
        "cost": answer.usage.model_extra["cost"] > 0,
        "same": [e.embedding for e in answer.data] == [e.embedding for e in floats.data],
        "short": len(embed(model=name, input="a cat", dimensions=8).data[0].embedding),
        "of_tokens": len(embed(model=name, input=[[1, 2], [3]], dimensions=8).data),
    }


def embeddings_error(kind: type[openai.APIStatusError], **request: Any) -> dict[str, Any]:
    """What a request for vectors fails with; it has to be of this class."""
    try:
        client.embeddings.create(**{"model": "text-embedding-3-small", "input": "Hi", **request})
    except kind as caught:
        return {"status": caught.status_code, "code": caught.code, "param": caught.param}
    return {}


def error(kind: type[openai.APIStatusError], **request: Any) -> dict[str, Any]:
    """What a request fails with; it has to be of this class."""
    with_key = request.pop("with_key", KEY)
    try:
        create(
            **{"model": MODEL, "messages": HELLO, **request},
            extra_headers={"Authorization": f"Bearer {with_key}"},
        )
    except kind as caught:
        return {
            "status": caught.status_code,
            "code": caught.code,
            "param": caught.param,
            "retry_after": caught.response.headers.get("retry-after"),
        }
    return {}


def retry() -> str | None:
    """A refusal that is worth a second try."""
    again = client.with_options(max_retries=1)
    answer = again.chat.completions.create(model=MODEL, messages=say("retry"))
    return answer.choices[0].message.content


def cancel() -> str | None:
    """A stream left in its middle."""
    with create(model=MODEL, messages=say("hang"), stream=True) as running:
        return next(running).choices[0].delta.content


async def in_asyncio() -> str | None:
    """The same from an event loop."""
    async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0) as other:
        answer = await other.chat.completions.create(model=MODEL, messages=HELLO)
        return answer.choices[0].message.content


CASES: dict[str, Callable[[], Any]] = {
    "version": lambda: openai.__version__,
    "whole": whole,
    "stream": stream,
    "stream_usage": lambda: stream(stream_options={"include_usage": True}),
    "tools": tools,
    "tools_stream": tools_stream,
    "structured": structured,
    "image_input": image_input,
    "image_output": image_output,
    "choices": choices,
    "logprobs": logprobs,
    "models": models,
    "embeddings": embeddings,
    "error_embeddings": lambda: embeddings_error(openai.BadRequestError, input=[]),
    "error_embeddings_model": lambda: embeddings_error(openai.NotFoundError, model="no/model"),
    "error_key": lambda: error(openai.AuthenticationError, with_key="sk-sr-nobody"),
    "error_model": lambda: error(openai.NotFoundError, model="nobody/nothing"),
    "error_parameter": lambda: error(openai.BadRequestError, max_tokens=-1),
    "error_refused": lambda: error(openai.BadRequestError, messages=say("refuse")),
    "error_limit": lambda: error(openai.RateLimitError, messages=say("limit")),
    "error_down": lambda: error(openai.InternalServerError, messages=say("down")),
    "error_credentials": lambda: error(openai.InternalServerError, messages=say("credentials")),
    "retry": retry,
    "asyncio": lambda: asyncio.run(in_asyncio()),
    "cancel": cancel,
}


def main() -> None:
    """Runs the cases; one that fails unexpectedly is told as a string and stops no other."""
    report = {}
    for name, case in CASES.items():
        try:
            report[name] = case()
        except Exception as problem:
            report[name] = f"{type(problem).__name__}: {problem}"
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
