"""What a row of the table of routes is, and how rows are made."""

from __future__ import annotations

import enum
from collections.abc import Sized
from dataclasses import dataclass, field
from typing import Final, Literal

from seekroute.api.call import ApiAnswer, ApiCall, Handler, Sources, unreadable
from seekroute.ledger import LedgerError

__all__ = [
    "BASES",
    "ApiRoute",
    "Kind",
    "Reads",
    "Told",
    "Who",
    "answer",
    "http",
    "inference",
    "posted",
    "quote",
]

BASES: Final = ("/v1", "/api/v1")
"""OpenAI's clients expect the first, OpenRouter's the second."""

_GET: Final = ("GET", "HEAD")
_POST: Final = ("POST",)


class Kind(enum.Enum):
    """Who answers a route."""

    ANSWER = "answer"  # its handler, on every way to a gateway
    INFERENCE = "inference"  # the core, by asking a provider
    QUOTE = "quote"  # the core, of what inference would cost
    HTTP = "http"  # the server, which alone has what is asked for


class Who(enum.Enum):
    """Who may ask."""

    ANYONE = "anyone"
    CALLER = "caller"  # with a key, or without one where the gateway requires none
    ORG = "org"  # somebody whose money there is: with a key, or the gateway's own process
    KEY = "key"  # only with a key: the question is about it


class Reads(enum.Enum):
    """What a handler waits for, so that its caller may wait elsewhere."""

    MEMORY = "memory"
    ROWS = "rows"  # every model's row, for some milliseconds, where there is a query
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Told:
    """What descriptions of the API say of a route.

    Attributes:
        id: the operation's name in OpenAPI.
        summary: a line, without a full stop.
        page: the cell of docs/http-api.md, in Markdown.
        answer: its name: in `schemas.ANSWERS`, else in `schemas.SCHEMAS`.
        returns: what the answer is, as a sentence.
        tag: the group of the operation.
        parameters: names of `schemas.PARAMETERS`, or of groups in `schemas.GROUPS`.
        takes: the name of the body, in `schemas.BODIES`.
        more: what the summary leaves out, as sentences.
        errors: statuses beside 200, those of anybody who needs a key, and 304.
        otherwise: what an answer of 503 is, as a sentence, where it looks like the answer.
    """

    id: str
    summary: str
    page: str
    answer: str
    returns: str
    tag: Literal["inference", "account", "operation"]
    parameters: tuple[str, ...] = ()
    takes: str = ""
    more: str = ""
    errors: tuple[int, ...] = ()
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A row of the table.

    Attributes:
        kind: who answers.
        pattern: the path; at most one part is a name in braces, which stands for any text.
        label: of the metrics; for what the server answers also the name of its handler.
        methods: what is taken.
        who: who may ask.
        told: what descriptions say.
        below_base: whether the path stands below `BASES`, or alone.
        run: the handler, where the kind is `ANSWER`.
        reads: what the handler waits for.
        kept: whether clients may keep the answer: it has an ETag.
        surface: of inference, what the core knows it by; of a quote, what is quoted.
        probe: whether it is answered also where there are too many connections: whether the process
            lives must be seen most of all when it is full.
    """

    kind: Kind
    pattern: str
    label: str
    methods: tuple[str, ...]
    who: Who
    told: Told
    below_base: bool = True
    run: Handler | None = field(default=None, repr=False)
    reads: Reads = Reads.MEMORY
    kept: bool = False
    surface: str = ""
    probe: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The pattern as whole paths."""
        return tuple(base + self.pattern for base in BASES) if self.below_base else (self.pattern,)

    @property
    def allowed(self) -> str:
        """The methods that are taken, as the header `Allow` lists them."""
        return ", ".join(self.methods)

    def waits(self, query: Sized) -> bool:
        """Whether to ask the handler in a thread, so that nobody else waits with it.

        Args:
            query: what is asked; empty: nothing.
        """
        return self.reads is Reads.DISK or (self.reads is Reads.ROWS and bool(query))

    def answer(self, call: ApiCall, sources: Sources) -> ApiAnswer:
        """Asks the handler. Waits for what `reads` says.

        Raises:
            RefusedError: it refuses, or the ledger cannot be read.
        """
        assert self.run is not None, f"{self.pattern} has no handler here"
        try:
            return self.run(call, sources)
        except LedgerError as error:
            raise unreadable(error) from error


# --- making rows ----------------------------------------------------------------------------------


def answer(
    pattern: str,
    run: Handler,
    told: Told,
    *,
    label: str = "",
    who: Who = Who.CALLER,
    reads: Reads = Reads.MEMORY,
    kept: bool = False,
) -> ApiRoute:
    """A GET that a handler answers. Its label is the pattern's last word, unless given."""
    label = label or pattern.rpartition("/")[2]
    return ApiRoute(Kind.ANSWER, pattern, label, _GET, who, told, run=run, reads=reads, kept=kept)


def posted(pattern: str, run: Handler, told: Told, *, label: str, who: Who) -> ApiRoute:
    """A POST with a small body that a handler answers. It waits for the disk."""
    return ApiRoute(Kind.ANSWER, pattern, label, _POST, who, told, run=run, reads=Reads.DISK)


def inference(pattern: str, told: Told, *, surface: str) -> ApiRoute:
    """A POST that providers answer: what the core relays."""
    label = pattern.removeprefix("/").replace("/", "_")
    return ApiRoute(Kind.INFERENCE, pattern, label, _POST, Who.CALLER, told, surface=surface)


def quote(pattern: str, told: Told, *, of: str) -> ApiRoute:
    """The twin of an inference route: what its request would cost. `of`: its surface."""
    label = pattern.removeprefix("/").replace("/", "_")
    return ApiRoute(Kind.QUOTE, pattern, label, _POST, Who.CALLER, told, surface=of)


def http(path: str, label: str, told: Told, *, probe: bool = False) -> ApiRoute:
    """A GET that the server answers, to anyone."""
    return ApiRoute(Kind.HTTP, path, label, _GET, Who.ANYONE, told, below_base=False, probe=probe)
