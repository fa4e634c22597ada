"""The models and providers of a gateway, and the answers that list them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal, NamedTuple

from seekroute.api.call import ApiAnswer, ApiCall, RefusedError, Sources
from seekroute.api.model_query import BadQueryError, ModelQuery
from seekroute.visible import without_keys

__all__ = [
    "BASE_PATH",
    "ModelList",
    "counted",
    "endpoints",
    "figures",
    "is_allowed",
    "listed",
    "one",
    "one_in_data",
    "providers",
]

Style = Literal["full", "bare"]

BASE_PATH = "/api/v1"
"""What links in the answers begin with: the path that OpenRouter's clients expect."""


_MOST_COMPARED: Final = 64  # characters of an unknown name
# Characters of a model's name that an error repeats.
_MOST_NAME: Final = 100


# OpenRouter's numbers: 0 is healthy, and the lower the worse.
_STATUS: Final = {"degraded": -1, "half_open": -2, "ejected": -3, "out": -5}
# What is missing to ask an endpoint, whatever its state.
_LACKS: Final = {"dead_key": -10, "forbidden": -10, "no_model": -10, "upstream_limit": -5}
_PERCENTILES: Final = ("p50", "p75", "p90", "p99")


def figures(health: Mapping[str, Any]) -> dict[str, Any]:
    """What an endpoint's row tells of how it has been doing; null where too little is known.

    Args:
        health: Its row of `core.health()`; empty where that has none.

    Example:
        >>> figures({"state": "degraded", "lacks": "", "uptime_30m": 0.995})["uptime_last_30m"]
        99.5
    """

    def percent(name: str) -> float | None:
        ratio = health.get(name)
        return None if ratio is None else round(ratio * 100, 1)

    def percentiles(name: str) -> dict[str, float] | None:
        found = health.get(name)
        return None if found is None else dict(zip(_PERCENTILES, found, strict=True))

    state = _STATUS.get(health.get("state", ""), 0)
    return {
        "status": min(state, _LACKS.get(health.get("lacks", ""), 0)),
        "uptime_last_5m": percent("uptime_5m"),
        "uptime_last_30m": percent("uptime_30m"),
        "uptime_last_1d": percent("uptime_1d"),
        "latency_last_30m": percentiles("ttft_ms_30m"),  # in milliseconds, of streams
        "throughput_last_30m": percentiles("tokens_per_second_30m"),
    }


def _names_of(provider: str, names: Mapping[str, str]) -> tuple[str, str]:
    return provider, names[provider].casefold()


def is_allowed(model_id: str, allow: Sequence[str] | None) -> bool:
    """Whether a key with this allow-list may use the model.

    Args:
        model_id: Full id.
        allow: Full ids and `author/*` patterns; None allows everything.
    """
    if allow is None:
        return True
    author = model_id.partition("/")[0]
    return any(entry in (model_id, f"{author}/*") for entry in allow)


class _Entry(NamedTuple):
    """A model, kept once for all spellings of its id."""

    row: bytes  # its JSON object without the brace, id and links at its beginning
    offers: bytes  # JSON: what each of its endpoints has of its own
    providers: tuple[str, ...]  # ids and lower-case names of those who serve it
    embeds: bool
    members: tuple[str, ...]  # models that it stands for: of a virtual model several, else itself


class ModelList:
    """The models that can be used now, and who serves them. Immutable and thread-safe.

    Args:
        rows: From `seekroute.config.model_rows`.

    Example:
        >>> from seekroute.config import (
        ...     Settings, build_snapshot, model_rows, packaged_catalog, profiles_of)
        >>> settings, catalog = Settings(), packaged_catalog()
        >>> snapshot = build_snapshot(
        ...     settings, catalog, profiles_of(settings), {"OPENAI_API_KEY": "sk-example"})
        >>> models = ModelList(model_rows(catalog, snapshot))
        >>> models.one("gpt-4o-mini")[:26]
        b'{"id":"openai/gpt-4o-mini"'
        >>> from seekroute.api.model_query import ModelQuery
        >>> models.payload(ModelQuery("q=gpt-4o mini&limit=1"))[:45]
        b'{"object":"list","data":[{"id":"openai/gpt-4o'
    """

    def __init__(self, rows: Mapping[str, Any]) -> None:
        self._names: Mapping[str, str] = rows["names"]
        self._providers = _encode({"data": rows["providers"]})
        self.provider_names: Mapping[str, str] = {
            row["slug"]: row["name"] for row in rows["providers"]
        }
        """What is shown of a provider, by its id."""
        self._entries: dict[str, _Entry] = {}
        for model in rows["models"]:
            shown = dict.fromkeys(
                name
                for offer in model["offers"]
                for name in _names_of(offer["tag"].partition("/")[0], self.provider_names)
            )
            self._entries[model["id"]] = _Entry(
                _encode(model["row"])[1:],
                _encode(model["offers"]),
                tuple(shown),
                model["row"]["architecture"]["output_modalities"] == ["embeddings"],
                tuple(model.get("members", (model["id"],))),
            )

    def payload(
        self,
        query: ModelQuery | None = None,
        *,
        style: Style = "full",
        allow: Sequence[str] | None = None,
        base: str = BASE_PATH,
    ) -> bytes:
        """The body of `GET /v1/models`.

        Args:
            query: Which models, in which order; None for all, in the catalog's.
            style: How ids are spelled: the profile's `model_ids`.
            allow: The key's allow-list; None for no restriction.
            base: What links begin with.
        """
        ids = self._ids(allow)
        total, more = len(ids), None
        if query:
            page = query.page([self._parsed(model_id) for model_id in ids])
            ids, total, more = [row["id"] for row in page.rows], page.total, page.next
        links = {"next": None if more is None else f"{base}/models?{more}"}
        return b"".join(
            (
                b'{"object":"list","data":[',
                b",".join(self._row(model_id, style, base) for model_id in ids),
                b'],"total_count":%d,"links":' % total,
                _encode(links),
                b"}",
            )
        )

    def count(self, query: ModelQuery | None = None, *, allow: Sequence[str] | None = None) -> int:
        """How many models `payload` lists on all its pages."""
        ids = self._ids(allow)
        if not query:
            return len(ids)
        return query.page([self._parsed(model_id) for model_id in ids]).total

    def one(
        self,
        name: str,
        *,
        style: Style = "full",
        allow: Sequence[str] | None = None,
        base: str = BASE_PATH,
    ) -> bytes | None:
        """The body of `GET /v1/models/{name}`, or None for 404.

        Args:
            name: Full id, slug or alias.
            style: As in `payload`.
            allow: As in `payload`.
            base: As in `payload`.
        """
        model_id = self._find(name, allow)
        return None if model_id is None else self._row(model_id, style, base)

    def endpoints(
        self,
        name: str,
        *,
        style: Style = "full",
        allow: Sequence[str] | None = None,
        health: Sequence[Mapping[str, Any]] = (),
    ) -> bytes | None:
        """The body of `GET /v1/models/{name}/endpoints`, or None for 404.

        Args:
            name: As in `one`.
            style: As in `payload`.
            allow: As in `payload`.
            health: How endpoints have been doing: `core.health()` of a gateway.
        """
        model_id = self._find(name, allow)
        if model_id is None:
            return None
        row = self._parsed(model_id)
        known = {(each["tag"], each["upstream_model"]): each for each in health}
        endpoints = [
            {
                "name": f"{offer['provider_name']}: {offer.get('model_name', row['name'])}",
                "model_id": model_id,
                "model_name": row["name"],
                **{name: value for name, value in offer.items() if name != "upstream_model"},
                "max_prompt_tokens": None,
                "supported_parameters": row["supported_parameters"],
                **figures(known.get((offer["tag"], offer["upstream_model"]), {})),
            }
            for offer in json.loads(self._entries[model_id].offers)
            if is_allowed(offer.get("model_id", model_id), allow)
        ]
        shared = {key: row[key] for key in ("name", "created", "description", "architecture")}
        data = {"id": self._spelled(model_id, style), **shared, "endpoints": endpoints}
        return _encode({"data": data})

    def nearest(self, name: str, *, allow: Sequence[str] | None = None) -> list[str]:
        """Ids of at most three models whose names are most like `name`, which is none of them."""
        # No name is so long, and the comparison's time grows with its square.
        slug = name.rpartition("/")[2][:_MOST_COMPARED].casefold()
        known = {each.rpartition("/")[2]: each for each in self._ids(allow)}
        return [known[each] for each in get_close_matches(slug, known, n=3, cutoff=0.6)]

    def api_of(self, model_id: str) -> Literal["completions", "embeddings"] | None:
        """By which API a model is asked, as OpenRouter calls it; None where it is not served.

        Args:
            model_id: Full id.
        """
        entry = self._entries.get(model_id)
        if entry is None:
            return None
        return "embeddings" if entry.embeds else "completions"

    def providers(self) -> bytes:
        """The body of `GET /v1/providers`: those that are on."""
        return self._providers

    def resource(
        self,
        name: str,
        *,
        style: Style = "full",
        allow: Sequence[str] | None = None,
        base: str = BASE_PATH,
        health: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
    ) -> bytes | None:
        """The body of `GET /v1/models/{name}`, where the name may end with `/endpoints`: then it
        is that of `endpoints`, unless a model is called so."""
        model = name.removesuffix("/endpoints")
        if model != name and self._names.get(name) not in self._entries:
            return self.endpoints(model, style=style, allow=allow, health=health())
        return self.one(name, style=style, allow=allow, base=base)

    def _ids(self, allow: Sequence[str] | None) -> list[str]:
        return [model_id for model_id in self._entries if self._may_use(model_id, allow)]

    def _may_use(self, model_id: str, allow: Sequence[str] | None) -> bool:
        """A virtual model may be used where one of its members may: it asks that one."""
        return any(is_allowed(each, allow) for each in self._entries[model_id].members)

    def _find(self, name: str, allow: Sequence[str] | None) -> str | None:
        model_id = self._names.get(name)
        if model_id not in self._entries or not self._may_use(model_id, allow):
            return None
        return model_id

    def _spelled(self, model_id: str, style: Style) -> str:
        slug = model_id.partition("/")[2]
        # A slug that means another model first would not lead back here.
        return slug if style == "bare" and self._names.get(slug) == model_id else model_id

    def _row(self, model_id: str, style: Style, base: str) -> bytes:
        # An id has no letter that JSON or a path would have to escape.
        spelled = self._spelled(model_id, style)
        details = f"{base}/models/{model_id}/endpoints"
        head = f'{{"id":"{spelled}","links":{{"details":{json.dumps(details)}}},'
        return head.encode() + self._entries[model_id].row

    def _parsed(self, model_id: str) -> dict[str, Any]:
        """The row as `ModelQuery` takes it. Not kept: it is ten times as large as its text."""
        entry = self._entries[model_id]
        row: dict[str, Any] = json.loads(b"{" + entry.row)
        return row | {"id": model_id, "providers": entry.providers}


# --- the answers ----------------------------------------------------------------------------------


def listed(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /models: the models that the viewer may use and a provider serves."""
    style, allow = call.viewer.model_ids, call.viewer.models
    query = _query(call)
    return ApiAnswer(sources.models.payload(query, style=style, allow=allow, base=_base(call)))


def counted(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /models/count: how many models a query finds."""
    found = sources.models.count(_query(call), allow=call.viewer.models)
    return ApiAnswer(b'{"data":{"count":%d}}' % found)


def one(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /models/{model}: one model, by full id, bare id or alias."""
    return ApiAnswer(_resource(call, sources, call.params["model"]))


def one_in_data(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /model/{model}: one model, wrapped in `data`, as OpenRouter has it."""
    style, allow = call.viewer.model_ids, call.viewer.models
    name = call.params["model"]
    body = sources.models.one(name, style=style, allow=allow, base=_base(call))
    if body is None:
        raise _unknown(call, sources, name)
    return ApiAnswer(b'{"data":' + body + b"}")


def endpoints(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /models/{model}/endpoints: who serves a model; or a model whose name ends like this."""
    return ApiAnswer(_resource(call, sources, call.params["model"] + "/endpoints"))


def providers(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /providers: the providers that are on."""
    return ApiAnswer(sources.models.providers())


def _resource(call: ApiCall, sources: Sources, name: str) -> bytes:
    style, allow = call.viewer.model_ids, call.viewer.models
    models, base = sources.models, _base(call)
    body = models.resource(name, style=style, allow=allow, base=base, health=sources.health)
    if body is None:
        raise _unknown(call, sources, name.removesuffix("/endpoints"))
    return body


def _base(call: ApiCall) -> str:
    return call.mount + BASE_PATH


def _query(call: ApiCall) -> ModelQuery:
    try:
        return ModelQuery(call.query, now=call.now)
    except BadQueryError as error:
        raise RefusedError("invalid_value", str(error), error.param) from None


def _unknown(call: ApiCall, sources: Sources, name: str) -> RefusedError:
    near = sources.models.nearest(name, allow=call.viewer.models)
    meant = f" did you mean {', '.join(near)}?" if near else ""
    return RefusedError(
        "model_not_found",
        f"there is no model '{without_keys(name)[:_MOST_NAME]}' for this key;{meant} GET "
        "/v1/models lists those that exist",
        "model",
    )


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
