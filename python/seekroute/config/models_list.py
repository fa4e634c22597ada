"""The models and providers of a gateway, as its HTTP API and its client list them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from seekroute.config.model_query import ModelQuery

if TYPE_CHECKING:
    # A server unpickles a finished list, and shall not load the catalog's schema with it.
    from seekroute.config.catalog import Catalog

__all__ = ["BASE_PATH", "ModelList", "is_allowed", "models_payload"]

Style = Literal["full", "bare"]

BASE_PATH = "/api/v1"
"""What links in the answers begin with: the path that OpenRouter's clients expect."""


_MOST_COMPARED = 64  # characters of an unknown name


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


class ModelList:
    """The models that can be used now, and who serves them. Immutable and thread-safe.

    Args:
        catalog: From `catalog_of`.
        snapshot: From `build_snapshot` with the same catalog.

    Example:
        >>> from seekroute.config import Settings, build_snapshot, packaged_catalog, profiles_of
        >>> settings, catalog = Settings(), packaged_catalog()
        >>> snapshot = build_snapshot(
        ...     settings, catalog, profiles_of(settings), {"OPENAI_API_KEY": "sk-example"})
        >>> models = ModelList(catalog, snapshot)
        >>> models.one("gpt-4o-mini")[:26]
        b'{"id":"openai/gpt-4o-mini"'
        >>> from seekroute.config.model_query import ModelQuery
        >>> models.payload(ModelQuery("q=gpt-4o mini&limit=1"))[:45]
        b'{"object":"list","data":[{"id":"openai/gpt-4o'
    """

    def __init__(self, catalog: Catalog, snapshot: Mapping[str, Any]) -> None:
        from seekroute.config._model_rows import model_row, offer_row, offers_of, provider_row

        self._names: Mapping[str, str] = snapshot["names"]
        self._entries: dict[str, _Entry] = {}
        rows = [provider_row(catalog, each["id"]) for each in snapshot["providers"]]
        self._providers = _encode({"data": rows})
        shown = {row["slug"]: (row["slug"], row["name"].casefold()) for row in rows}
        for entry in snapshot["models"]:
            if not entry["candidates"]:
                continue
            model = catalog.get(entry["id"])
            offers = offers_of(model, entry["candidates"])
            names = dict.fromkeys(name for provider, _ in offers for name in shown[provider])
            self._entries[model.id] = _Entry(
                _encode(model_row(catalog, model, offers[0][1]))[1:],
                _encode([offer_row(catalog, model, *offer) for offer in offers]),
                tuple(names),
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
        ids = [model_id for model_id in self._entries if is_allowed(model_id, allow)]
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
        ids = [model_id for model_id in self._entries if is_allowed(model_id, allow)]
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
        self, name: str, *, style: Style = "full", allow: Sequence[str] | None = None
    ) -> bytes | None:
        """The body of `GET /v1/models/{name}/endpoints`, or None for 404.

        Args:
            name: As in `one`.
            style: As in `payload`.
            allow: As in `payload`.
        """
        model_id = self._find(name, allow)
        if model_id is None:
            return None
        row = self._parsed(model_id)
        endpoints = [
            {
                "name": f"{offer['provider_name']}: {row['name']}",
                "model_id": model_id,
                "model_name": row["name"],
                **offer,
                "max_prompt_tokens": None,
                "quantization": None,
                "supported_parameters": row["supported_parameters"],
                "status": 0,
                # Nothing of this is measured.
                "uptime_last_5m": None,
                "uptime_last_30m": None,
                "uptime_last_1d": None,
                "latency_last_30m": None,
                "throughput_last_30m": None,
            }
            for offer in json.loads(self._entries[model_id].offers)
        ]
        shared = {key: row[key] for key in ("name", "created", "description", "architecture")}
        data = {"id": self._spelled(model_id, style), **shared, "endpoints": endpoints}
        return _encode({"data": data})

    def nearest(self, name: str, *, allow: Sequence[str] | None = None) -> list[str]:
        """Ids of at most three models whose names are most like `name`, which is none of them."""
        # No name is so long, and the comparison's time grows with its square.
        slug = name.rpartition("/")[2][:_MOST_COMPARED].casefold()
        known = {each.rpartition("/")[2]: each for each in self._entries if is_allowed(each, allow)}
        return [known[each] for each in get_close_matches(slug, known, n=3, cutoff=0.6)]

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
    ) -> bytes | None:
        """The body of `GET /v1/models/{name}`, where the name may end with `/endpoints`: then it
        is that of `endpoints`, unless a model is called so."""
        model = name.removesuffix("/endpoints")
        if model != name and self._names.get(name) not in self._entries:
            return self.endpoints(model, style=style, allow=allow)
        return self.one(name, style=style, allow=allow, base=base)

    def _find(self, name: str, allow: Sequence[str] | None) -> str | None:
        model_id = self._names.get(name)
        if model_id not in self._entries or not is_allowed(model_id, allow):
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


def models_payload(
    catalog: Catalog,
    snapshot: Mapping[str, Any],
    *,
    style: Style = "full",
    allow: Sequence[str] | None = None,
) -> bytes:
    """The body of `GET /v1/models`, once; keep a `ModelList` to answer many."""
    return ModelList(catalog, snapshot).payload(style=style, allow=allow)


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
