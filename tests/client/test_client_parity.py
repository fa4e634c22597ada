"""In process or remote, sync or async: one behaviour. Every public method is walked in all four."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

import seekroute
from client_modes import EMBEDDING_MODEL, HELLO, IMAGE_MODEL, MODEL, MODES, Driver, all_modes
from seekroute.client.embeddings import Embeddings
from seekroute.client.resources import Chat, Completions, Images, Models, Providers
from seekroute.testing import Image, MockProvider, Raw, Status, Text, ToolCalls, Usage

REFERENCE = MODES[0]
# Fields that differ from call to call, wherever the call goes.
VOLATILE = {
    "id",
    "created",
    "system_fingerprint",
    "request_id",
    "created_at",
    "last_used_at",
    "seed",  # of the order of a route: drawn for each request
    "ms",  # that an attempt took
    # What is measured of the requests before; each mode has a gateway of its own.
    *("latency_ms", "throughput", "uptime_30m", "latency_last_30m", "throughput_last_30m"),
    *("uptime_last_5m", "uptime_last_30m", "uptime_last_1d"),
}
ERROR_FIELDS = (
    *("status_code", "code", "type", "param"),
    *("retryable", "retry_after", "attempts", "hint"),
)
CHUNK = b'{"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}'
BROKEN = Raw(
    [
        ("head", 200, {"Content-Type": "text/event-stream"}),
        ("send", b"data: " + CHUNK + b"\n\n"),
        ("rst",),
    ]
)


# --- which methods there are, and which were walked -----------------------------------------------

BRANCHES = (Chat, Completions, Models, Images, Providers, Embeddings)
walked: dict[str, set[str]] = {mode: set() for mode in MODES}


class Watched:
    """A client, or a branch of it, that notes what is asked of it."""

    def __init__(self, target: Any, mode: str, path: str = "") -> None:
        self._target, self._mode, self._path = target, mode, path

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        path = f"{self._path}.{name}".removeprefix(".")
        if isinstance(value, BRANCHES):
            return Watched(value, self._mode, path)
        walked[self._mode].add(path)
        return value

    def __call__(self, *args: Any, **fields: Any) -> Any:
        walked[self._mode].add("__call__")
        return self._target(*args, **fields)


def public(target: Any, path: str = "") -> set[str]:
    """The dotted names of everything public of a client."""
    found = {"__call__"} if callable(target) else set()
    for name in {*dir(type(target)), *vars(target)}:
        if name.startswith("_"):
            continue
        at = f"{path}.{name}".removeprefix(".")
        value = getattr(target, name)
        found |= public(value, at) if isinstance(value, BRANCHES) else {at}
    return found


# --- what a call came to, without what differs from call to call ----------------------------------


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in VOLATILE}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def outcome(driver: Driver, step: Callable[[Driver, Any], Any]) -> Any:
    """What a step gives: a result's content, or an error's."""
    try:
        given = step(driver, Watched(driver.client, driver.mode))
    except seekroute.APIError as error:
        return {
            "error": error._own_class,  # without openai's beside it, where another test loaded it
            **{name: getattr(error, name) for name in ERROR_FIELDS},
            "body": plain(dict(error.body)) if error.body else None,
            "has_request_id": bool(error.request_id),
            "message": error.message,
        }
    return shown(given)


def shown(given: Any) -> Any:
    if isinstance(given, list):
        return [shown(item) for item in given]
    if not hasattr(given, "to_dict"):
        return given
    names = ("text", "cost", "provider", "attempts", "images", "model")
    found = {name: getattr(given, name) for name in names if _has(given, name)}
    if isinstance(found.get("attempts"), list):  # of a route: each with the time that it took
        found["attempts"] = [plain(each.to_dict()) for each in found["attempts"]]
    timed = {name: getattr(given, name) for name in ("latency", "ttft") if _has(given, name)}
    return {
        "type": type(given),
        "data": plain(given.to_dict()),
        **found,
        **{name: None if seconds is None else seconds >= 0 for name, seconds in timed.items()},
        "has_request_id": bool(getattr(given, "request_id", "")) if _has(given, "cost") else None,
        "has_id": bool(getattr(given, "id", "")) if _has(given, "cost") else None,
    }


def _has(given: Any, name: str) -> bool:
    return hasattr(type(given), name) or (name == "model" and name in given.to_dict())


# --- the conversation -----------------------------------------------------------------------------


def final(driver: Driver, stream: Any) -> list[Any]:
    """The chunks of a stream, its text and its whole answer."""
    chunks = [plain(chunk.to_dict()) for chunk in driver.read_all(stream)]
    whole = driver.of(stream.get_final_completion())
    return [chunks, stream.text, stream.cost, bool(stream.request_id), whole]


def in_context(driver: Driver, client: Any, **fields: Any) -> list[Any]:
    context = client.chat.completions.stream(model=MODEL, messages=HELLO, **fields)
    stream = driver.enter(context)
    pieces = driver.read_all(stream.texts())
    whole = driver.of(stream.get_final_completion())
    driver.leave(context)
    return [pieces, whole]


def closed_early(driver: Driver, client: Any) -> Any:
    stream = driver.of(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    driver.of(stream.close())
    return driver.of(stream.get_final_completion())


def chat(**fields: Any) -> Callable[[Driver, Any], Any]:
    wanted = {"model": MODEL, "messages": HELLO, **fields}
    return lambda driver, client: driver.of(client.chat.completions.create(**wanted))


def streamed(**fields: Any) -> Callable[[Driver, Any], Any]:
    return lambda driver, client: final(driver, chat(stream=True, **fields)(driver, client))


def spent(driver: Driver, client: Any) -> Any:
    client.reset_spend()
    driver.of(client.ask("Hello!", model=MODEL))
    first = client.spend
    assert isinstance(first, Decimal)
    final(
        driver, driver.of(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    )
    both = client.spend
    client.reset_spend()
    return [first, both, client.spend]


def embedded(**fields: Any) -> Callable[[Driver, Any], Any]:
    wanted = {"model": EMBEDDING_MODEL, "input": ["a cat", "a dog"], "dimensions": 8, **fields}
    return lambda driver, client: driver.of(client.embeddings.create(**wanted))


def embedding_quoted(**fields: Any) -> Callable[[Driver, Any], Any]:
    wanted = {"model": EMBEDDING_MODEL, "input": "a cat", **fields}
    return lambda driver, client: quoted(driver.of(client.embeddings.estimate(**wanted)))


def embedded_within(driver: Driver, client: Any) -> Any:
    with client.budget("0.1") as budget:
        found = embedded()(driver, client)
    assert found.cost > 0
    with client.budget(0), pytest.raises(seekroute.BudgetExceededError):
        embedded()(driver, client)  # what it needs, a remote gateway does not say before
    return [budget.spent == found.cost, budget.left]


def options(driver: Driver, client: Any) -> Any:
    other = client.with_options(max_retries=0, timeout=9)
    return [
        (client.max_retries, client.timeout, other.max_retries, other.timeout),
        type(other) is type(driver.client),
        driver.of(other.ask("Hello!", model=MODEL)),
    ]


def twice_limited() -> list[Any]:
    limited = Status(429, headers={"Retry-After-Ms": "2"})
    return [limited, limited]


TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
IN_BODY = {"seed": 7, "stream": True, "stop": None}
HANG = Raw([("hang",)])
Step = Callable[[Driver, Any], Any]
STEPS: dict[str, tuple[list[Any], Step]] = {
    "call": ([], lambda d, c: d.of(c("Hello!", MODEL))),
    "ask": ([], lambda d, c: d.of(c.ask("Hello!", model="gpt-4o-mini", system="Be brief."))),
    "ask-auto": ([], lambda d, c: d.of(c.ask("Hello!"))),
    "create": ([Text("Paris.", usage=Usage(1000, 100))], chat(temperature=0.5, max_tokens=99)),
    "create-n": ([], chat(n=2)),
    "create-tools": ([ToolCalls([("get_weather", {"city": "Oslo"})])], chat(tools=TOOLS)),
    "create-extra-body": ([], lambda d, c: final(d, chat(extra_body=IN_BODY)(d, c))),
    "create-headers": ([], chat(extra_headers={"X-Request-Id": "mine-1"}, extra_query={"a": "b"})),
    "create-stream": ([], streamed()),
    "create-stream-usage": ([], streamed(stream_options={"include_usage": True})),
    "create-stream-tools": (
        [ToolCalls([("get_weather", {"city": "Oslo"}), ("get_time", {})])],
        streamed(tools=TOOLS),
    ),
    "create-stream-n": ([], streamed(n=2)),
    "create-stream-logprobs": ([], streamed(logprobs=True, top_logprobs=2)),
    "stream": ([], in_context),
    "stream-closed": ([], closed_early),
    "models-list": ([], lambda d, c: d.of(c.models.list())),
    "models-retrieve": ([], lambda d, c: d.of(c.models.retrieve("gpt-4o-mini"))),
    "models-retrieve-unknown": ([], lambda d, c: d.of(c.models.retrieve("nobody/nothing"))),
    "models-found": (
        [],
        lambda d, c: d.of(
            c.models.list(
                q="gpt",
                model_authors=["openai"],
                supported_parameters=("tools", "reasoning"),
                max_price=2.5,
                context=100_000,
                sort="pricing-low-to-high",
                offset=1,
                limit=2,
            )
        ),
    ),
    "models-bad-sort": ([], lambda d, c: d.of(c.models.list(sort="best"))),
    "models-bad-parameter": ([], lambda d, c: d.of(c.models.list(extra_query={"color": "red"}))),
    "models-endpoints": ([], lambda d, c: d.of(c.models.endpoints("gpt-4o-mini"))),
    "models-endpoints-unknown": ([], lambda d, c: d.of(c.models.endpoints("nobody/nothing"))),
    "models-endpoints-empty": ([], lambda d, c: _refused(lambda: d.of(c.models.endpoints("")))),
    "providers-list": ([], lambda d, c: d.of(c.providers.list())),
    "images": (
        [],
        lambda d, c: d.of(c.images.generate(prompt="A cat", model=IMAGE_MODEL, n=2, size="1x1")),
    ),
    "images-b64": (
        [Image(b64="iVBORw0KGgo=")],
        lambda d, c: d.of(c.images.generate(prompt="A cat", model=IMAGE_MODEL)),
    ),
    "images-by-chat": ([], lambda d, c: d.of(c.ask("A cat", model=IMAGE_MODEL))),
    "embeddings": ([], embedded()),
    "embeddings-floats": ([], embedded(encoding_format="float", user="u")),
    "embeddings-packed": ([], embedded(encoding_format="base64")),
    "embeddings-tokens": ([], embedded(input=[[1, 2], [3]])),
    "embeddings-headers": ([], embedded(extra_headers={"X-Request-Id": "mine-2"})),
    "embeddings-retried": ([*twice_limited()], embedded()),
    "embeddings-numpy": ([], lambda d, c: embedded()(d, c).numpy().tolist()),
    "embeddings-empty": ([], embedded(input=[])),
    "embeddings-too-many": ([], embedded(input=["a"] * 2049)),
    "embeddings-unknown": ([], embedded(model="nobody/nothing")),
    "embeddings-auto": ([], embedded(model="auto")),
    "embeddings-of-chat-model": ([], embedded(model=MODEL)),
    "embeddings-refused": ([Status(400, body={"error": {"message": "no such size"}})], embedded()),
    "embeddings-estimate": ([], embedding_quoted()),
    "embeddings-estimate-bad": ([], embedding_quoted(input="")),
    "embeddings-budget": ([], embedded_within),
    "chat-of-embedding-model": ([], chat(model=EMBEDDING_MODEL)),
    "spend": ([], spent),
    "options": ([], options),
    "retry": ([*twice_limited(), Text("at last")], chat()),
    "retry-stream": ([*twice_limited(), Text("at last")], streamed()),
    "retries-exhausted": ([*twice_limited(), Status(429)], chat()),
    "retry-too-late": ([Status(429, headers={"Retry-After": "3600"})], chat()),
    "unknown-model": ([], chat(model="nobody/nothing")),
    "no-provider": ([], chat(model="deepseek/deepseek-chat")),
    "bad-field": ([], chat(max_tokens=-1)),
    "bad-messages": ([], chat(messages=[])),
    "refused-upstream": ([Status(400, body={"error": {"message": "no such tone"}})], chat()),
    "broken-stream": ([BROKEN], streamed()),
    "timeout": ([HANG], lambda d, c: d.of(c.with_options(max_retries=0, timeout=0.2).ask("x"))),
    "timeout-of-call": ([HANG], chat(timeout=0.05)),
    "bad-timeout": ([], lambda d, c: _refused(lambda: d.of(chat(timeout=0)(d, c)))),
    "bad-json": ([], lambda d, c: _refused(lambda: chat(seed=object())(d, c))),
    "empty-prompt": ([], lambda d, c: _refused(lambda: d.of(c.ask("")))),
    "not-served": ([], lambda d, c: _refused(lambda: c.responses)),
    "unknown-name": ([], lambda d, c: _refused(lambda: c.no_such_name)[0]),
}
if importlib.util.find_spec("seekroute.client.tokens"):
    STEPS["count-tokens"] = ([], lambda d, c: c.count_tokens(HELLO, MODEL))


def quoted(quote: Any) -> Any:
    return [
        {**plain(quote.to_dict()), "created": 0, "seed": 0},
        quote.cost,
        str(quote),
        repr(quote.routing),
    ]


def mapped(driver: Driver, client: Any) -> Any:
    results = driver.of(client.map(["a", "b"], MODEL, progress=False, temperature=0))
    return [results.texts, results.cost, results.usage, results[0], results.complete]


def compared(driver: Driver, client: Any) -> Any:
    comparison = driver.of(client.compare("a", [MODEL, "nobody/nothing"]))
    return [comparison[MODEL], list(comparison.errors), comparison.cost]


def over_budget(driver: Driver, client: Any) -> Any:
    with client.budget("0.1") as budget:
        driver.of(client.ask("Hello!", model=MODEL))
    with client.budget(0):
        return [budget.spent, budget.left, driver.of(client.ask("Hello!"))]


STEPS["estimate"] = ([], lambda d, c: quoted(d.of(c.estimate("Hello!", MODEL, max_tokens=9))))
STEPS["estimate-chat"] = ([], lambda d, c: quoted(d.of(c.estimate(HELLO, MODEL, "Be brief."))))
STEPS["estimate-unknown"] = ([], lambda d, c: d.of(c.estimate("Hello!", "nobody/nothing")))
STEPS["route"] = ([], lambda d, c: str(d.of(c.route("Hello!", seed=1))))
STEPS["routing"] = ([], lambda d, c: d.of(c.ask("Hello!", MODEL)).routing)
STEPS["map"] = ([], mapped)
STEPS["compare"] = ([], compared)
STEPS["budget"] = ([], over_budget)
STEPS["credits-off"] = ([], lambda d, c: d.of(c.credits()))
STEPS["generation-off"] = ([], lambda d, c: d.of(c.generation("gen-1")))
STEPS["activity-off"] = ([], lambda d, c: d.of(c.activity(start="2027-01-01", group_by="key")))
STEPS["ledger-off"] = ([], lambda d, c: c.ledger)
STEPS["usage"] = ([], lambda d, c: [c.usage()[MODEL].calls > 0, c.usage().cost > 0])


def _refused(do: Callable[[], Any]) -> tuple[type[BaseException], str]:
    with pytest.raises((AttributeError, TypeError, ValueError)) as caught:
        do()
    return type(caught.value), str(caught.value)


def key(driver: Driver, client: Any) -> Any:
    return driver.of(client.key())


def receipt(driver: Driver, client: Any) -> Any:
    return driver.of(client.receipt("gen-1"))


def feedback(driver: Driver, client: Any) -> Any:
    return driver.of(client.feedback("gen-1", 1))


def closed(driver: Driver, client: Any) -> Any:
    for name in ["close", "aclose"] if driver.is_async else ["close"]:
        driver.of(getattr(client, name)())  # closing again does nothing
    return driver.of(client.ask("Hello!"))


@dataclass
class Walk:
    """What every step came to in every mode, and what each client has in public."""

    found: dict[str, dict[str, Any]]
    methods: dict[str, set[str]]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """The conversation, held once with each client."""
    done = Walk({}, {})
    folder = tmp_path_factory.mktemp("parity")
    with MockProvider() as mock, all_modes(folder, mock) as drivers:
        others = {
            **STEPS,
            "key": ([], key),
            "receipt": ([], receipt),
            "feedback": ([], feedback),
            "close": ([], closed),
        }
        for mode, driver in drivers.items():
            done.methods[mode] = public(driver.client)
            for name, (replies, step) in others.items():
                mock.reset()
                mock.queue(*replies)
                try:
                    came = outcome(driver, step)
                except Exception as error:  # shown by the test of this step
                    came = error
                if mock.queued:
                    came = AssertionError("fewer requests were made than there were replies")
                done.found.setdefault(name, {})[mode] = came
    return done


@pytest.mark.parametrize("name", list(STEPS))
def test_all_modes_agree(name: str, walk: Walk) -> None:
    found = walk.found[name]
    for came in found.values():
        if isinstance(came, Exception):
            raise came
    for mode in MODES[1:]:
        assert _across(found[mode]) == _across(found[REFERENCE]), mode


def _across(found: Any) -> Any:
    """Without the words that are the gateway's in one mode and the client's in the other."""
    if isinstance(found, dict) and "error" in found:
        found = {**found}
        own = ("model_not_found", "no_matching_endpoint")
        if found["code"] in own or found["error"] is seekroute.APITimeoutError:
            for name in ("message", "body", "hint"):
                found.pop(name)
    return found


def test_answers_have_the_id_of_their_generation(walk: Walk) -> None:
    for name in ("embeddings", "images", "ask"):
        for mode in MODES:
            assert walk.found[name][mode]["has_id"] is True, (name, mode)


def test_what_the_queries_found(walk: Walk) -> None:
    page = walk.found["models-found"][REFERENCE]["data"]
    assert len(page["data"]) == 2
    assert page["total_count"] > 3
    assert {row["owned_by"] for row in page["data"]} == {"openai"}
    assert walk.found["models-bad-sort"][REFERENCE]["param"] == "sort"
    assert walk.found["models-bad-parameter"][REFERENCE]["param"] == "color"
    (endpoint,) = walk.found["models-endpoints"][REFERENCE]["data"]["endpoints"]
    assert (endpoint["provider_name"], endpoint["tag"]) == ("OpenAI", "openai")
    slugs = [row["slug"] for row in walk.found["providers-list"][REFERENCE]["data"]["data"]]
    assert slugs == ["openai", "byteplus"]


def test_keys_receipts_and_ratings_are_the_only_differences(walk: Walk) -> None:
    for mode, found in walk.found["key"].items():
        if mode.startswith("remote"):
            assert found["data"]["data"], mode
        else:
            assert found["error"] is seekroute.NotSupportedError, mode
            assert "base_url" in found["hint"]
    for step in ("receipt", "feedback"):
        for mode, found in walk.found[step].items():
            remote = mode.startswith("remote")
            expected = seekroute.NotFoundError if remote else seekroute.NotSupportedError
            assert found["error"] is expected, mode


def test_without_a_ledger_it_says_so(walk: Walk) -> None:
    for name in ("credits-off", "generation-off", "activity-off"):
        found = walk.found[name][REFERENCE]
        assert found["error"] is seekroute.NotFoundError
        assert "credits.enabled" in found["message"]


@pytest.mark.parametrize("mode", MODES)
def test_a_closed_client_says_so(mode: str, walk: Walk) -> None:
    found = walk.found["close"][mode]
    assert found["error"] is seekroute.APIConnectionError
    assert found["message"] == "the client is closed"
    assert found["retryable"] is False


@pytest.mark.parametrize("mode", MODES)
def test_every_public_method_was_walked(mode: str, walk: Walk) -> None:
    """Fails when a method is added to a client and not to the conversation above."""
    unwalkable = set() if "count-tokens" in STEPS else {"count_tokens"}
    missing = walk.methods[mode] - walked[mode] - unwalkable
    assert not missing, f"add a step for {sorted(missing)}"


def test_an_unwalked_method_is_noticed(walk: Walk) -> None:
    class Larger(seekroute.Client):
        def brand_new(self) -> None:
            """Not in the conversation."""

    with Larger(mock="on") as client:
        assert public(client) - walked[REFERENCE] >= {"brand_new"}


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    names = {name for name in dir(seekroute.Client) if not name.startswith("_")}
    assert {n for n in dir(seekroute.AsyncClient) if not n.startswith("_")} - names == {"aclose"}
    for name in [*names, "__init__", "__call__"]:
        one, other = (getattr(kind, name) for kind in (seekroute.Client, seekroute.AsyncClient))
        if callable(one):
            sync, asynchronous = inspect.signature(one), inspect.signature(other)
            assert list(sync.parameters.values()) == list(asynchronous.parameters.values()), name
