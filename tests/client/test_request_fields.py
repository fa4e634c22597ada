"""Arguments that are nearly others: refused before anything is sent, whatever the method."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import seekroute
from in_process import HELLO, MODEL, settings_for
from seekroute.testing import MockProvider


def call(client: Any, method: str, **fields: Any) -> Any:
    if method == "map":
        return client.map(["x"], MODEL, progress=False, **fields)
    if method == "compare":
        return client.compare("x", [MODEL], **fields)
    if method == "create":
        return client.chat.completions.create(model=MODEL, messages=HELLO, **fields)
    if method == "stream":
        with client.chat.completions.stream(model=MODEL, messages=HELLO, **fields) as stream:
            return stream.get_final_completion()
    return getattr(client, method)("x", MODEL, **fields)


@pytest.mark.parametrize(
    ("method", "name", "words"),
    [
        ("map", "max_costs", "did you mean max_cost?"),
        ("map", "maxcost", "did you mean max_cost?"),
        ("map", "concurency", "did you mean concurrency?"),
        ("map", "check_point", "did you mean checkpoint?"),
        ("map", "dead_line", "did you mean deadline?"),
        ("map", "onerror", "did you mean on_error?"),
        ("map", "max_workers", "did you mean concurrency?"),
        ("map", "n_jobs", "did you mean concurrency?"),
        ("map", "budget", "max_cost"),
        ("map", "max_retries", "up to 5 times"),
        ("map", "retries", "up to 5 times"),
        ("map", "timeout", "with_options"),
        ("map", "models", "compare"),
        ("map", "no_such_field", "extra_body"),
        ("compare", "temprature", "did you mean temperature?"),
        ("compare", "concurrency", "map"),
        ("ask", "max_retries", "with_options"),
        ("ask", "max_costs", "did you mean max_cost?"),
        ("ask", "max_token", "did you mean max_tokens?"),
        ("ask", "budget", "client.budget"),
        ("ask", "checkpoint", "map"),
        ("ask", "no_such_field", "extra_body"),
        ("create", "temperatur", "did you mean temperature?"),
        ("create", "max_retries", "with_options"),
        ("stream", "responseformat", "did you mean response_format?"),
        ("estimate", "max_tokns", "did you mean max_tokens?"),
        ("route", "no_such_field", "extra_body"),
    ],
)
def test_a_slip_is_refused_and_nothing_is_sent(
    client: seekroute.Client, mock: MockProvider, method: str, name: str, words: str
) -> None:
    with pytest.raises(TypeError) as refused:
        call(client, method, **{name: 1})
    assert words in str(refused.value)
    assert repr(name) in str(refused.value)
    assert not mock.requests


def test_the_asynchronous_client_refuses_the_same(mock: MockProvider) -> None:
    async def main() -> None:
        async with seekroute.AsyncClient(**settings_for(mock)) as client:
            with pytest.raises(TypeError, match=r"did you mean max_cost\?"):
                await client.map(["x"], MODEL, max_costs=1)
            with pytest.raises(TypeError, match="with_options"):
                await client.ask("x", MODEL, max_retries=0)

    asyncio.run(main())
    assert not mock.requests


@pytest.mark.parametrize("method", ["map", "ask", "create", "compare"])
@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0, "top_p": 1, "seed": 7, "stop": "x", "user": "u", "max_cost": "1"},
        {"reasoning_effort": "low", "verbosity": "low", "prediction": None, "logprobs": True},
        {"top_k": 3, "min_p": 0.1, "repetition_penalty": 1.1, "chat_template_kwargs": {}},
        {"extra_body": {"no_such_field": [1], "max_costs": 3}},
    ],
)
def test_known_fields_and_those_of_extra_body_pass(
    client: seekroute.Client, mock: MockProvider, method: str, fields: dict[str, Any]
) -> None:
    call(client, method, **fields)
    sent = mock.requests[0].json
    wanted = dict(fields.get("extra_body", fields))
    wanted.pop("max_cost", None)  # the gateway's own, or the run's
    assert {name: sent.get(name) for name in wanted} == wanted


def test_a_prompt_s_own_fields_are_held_to_the_same(
    client: seekroute.Client, mock: MockProvider
) -> None:
    for slip, words in (({"lable": "B"}, "extra_body"), ({"temprature": 0}, "temperature")):
        with pytest.raises(TypeError, match=words):
            client.map([{"messages": HELLO, **slip}], MODEL, progress=False)
    assert not mock.requests
    own = {"messages": HELLO, "temperature": 0, "extra_body": {"label": "B"}}
    assert client.map([own], MODEL, progress=False).complete
    assert mock.requests[0].json["label"] == "B"
    assert "extra_body" not in mock.requests[0].json


class Scalar:
    """As numpy's: a number that JSON does not know."""

    def item(self) -> int:
        return 5


@pytest.mark.parametrize("method", ["map", "ask", "create"])
def test_values_are_taken_as_numbers_or_refused_by_their_names(
    client: seekroute.Client, mock: MockProvider, method: str
) -> None:
    call(client, method, seed=Scalar(), stop=["x"])
    assert mock.requests[0].json["seed"] == 5
    with pytest.raises(TypeError, match=r"seed: .*object"):
        call(client, method, seed=object())

    class City(dict[str, Any]):
        pass

    with pytest.raises(TypeError, match=r"response_format: .*instructor"):
        call(client, method, response_format=City)
    assert len(mock.requests) == 1
