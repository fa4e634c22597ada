"""Prompts of any accepted kind as the bytes of their requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

from seekroute.client.request_fields import check_names, culprit, plain

# Keeps text as it is: fewer bytes than escapes, and the core takes UTF-8.
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain
).encode
# Prompts that are looked at without a pause: a few milliseconds.
_SLICE = 256


def dump(value: Any) -> bytes:
    """`value` as compact JSON; raises TypeError or ValueError for what JSON cannot say."""
    return _encode(value).encode()


class RequestWriter:
    """Writes requests that share everything but their messages; the shared part is encoded once.

    Args:
        model: the model of every request that does not name its own.
        system: a system message put before every prompt that is a text; None for none.
        fields: further fields of every request, in OpenAI's names; None values are left out.
        kind: who is called, "map" or "compare".

    Raises:
        ValueError: for `stream`, and for fields that JSON cannot say.
        TypeError: for what is an argument of `create` and no field of a request.

    Example:
        >>> from seekroute.client.batch.requests import RequestWriter
        >>> RequestWriter("auto", None, {"temperature": 0}).write("Hi", 0)
        b'{"model":"auto","messages":[{"role":"user","content":"Hi"}],"temperature":0}'
    """

    def __init__(
        self, model: str, system: str | None, fields: Mapping[str, Any], kind: str = "map"
    ) -> None:
        check_names(fields, kind, f"{kind}()")
        extra = fields.get("extra_body") or {}
        if not isinstance(extra, Mapping):
            raise TypeError(f"extra_body: expected a dict, found {type(extra).__name__}")
        common = {k: v for k, v in fields.items() if v is not None and k != "extra_body"}
        common.update(extra)
        _refuse_stream(common)
        if "messages" in common or "model" in extra:
            raise ValueError("give the model as `model` and messages as prompts")
        self.model = model
        self.common: dict[str, Any] = common
        self.system = system
        self._system: list[dict[str, Any]] = (
            [] if system is None else [{"role": "system", "content": system}]
        )
        before = _encode(self._system)[1:-1]
        self._head = f'{{"model":{_encode(model)},"messages":['
        self._text_head = (
            self._head + (before + "," if before else "") + '{"role":"user","content":'
        )
        try:
            tail = _encode(common)[1:-1]
        except (TypeError, ValueError) as error:
            name = culprit(common, _encode) or "a field of the request"
            raise TypeError(f"{name}: {error}") from None
        self._tail = (f",{tail}" if tail else "") + "}"
        self._text_tail = "}]" + self._tail

    def write(self, prompt: object, index: int) -> bytes:
        """The request for one prompt.

        Args:
            prompt: a text, a list of messages, or a dict of request fields.
            index: its number, for errors.

        Raises:
            TypeError: for any other kind.
            ValueError: for what JSON cannot say.
        """
        try:
            if isinstance(prompt, str):
                return f"{self._text_head}{_encode(prompt)}{self._text_tail}".encode()
            if isinstance(prompt, Mapping):
                return self._write_fields(prompt)
            if isinstance(prompt, Sequence) and not isinstance(prompt, (bytes, bytearray)):
                messages = _encode([*self._system, *prompt])
                return f"{self._head}{messages[1:-1]}]{self._tail}".encode()
        except (TypeError, ValueError) as error:
            # Not type(error): a UnicodeEncodeError cannot be made from a message.
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"prompts[{index}]: {error}") from None
        raise TypeError(
            f"prompts[{index}]: expected a text, a list of messages or a dict of request fields, "
            f"found {type(prompt).__name__}"
        )

    def _write_fields(self, prompt: Mapping[Any, Any]) -> bytes:
        check_names(prompt, "compare", "a prompt's dict of request fields")
        extra = prompt.get("extra_body") or {}
        fields = {"model": self.model, **self.common, **prompt, **extra}
        fields.pop("extra_body", None)
        messages = fields.get("messages")
        if not isinstance(messages, Sequence) or isinstance(messages, str):
            raise ValueError("a dict of request fields needs `messages`, a list")
        _refuse_stream(fields)
        fields["messages"] = [*self._system, *messages]
        return dump({name: value for name, value in fields.items() if value is not None})


def _refuse_stream(fields: Mapping[str, Any]) -> None:
    if fields.get("stream"):
        raise ValueError("map collects whole answers: leave `stream` out")


def refuse_table(name: str, value: object) -> None:
    """Raises TypeError for a DataFrame: those of pandas iterate over the names of their columns."""
    columns = getattr(value, "columns", None)
    if columns is None or isinstance(value, (str, bytes, Mapping)):
        return
    first = next((str(column) for column in columns), "prompt")
    raise TypeError(
        f"{name}: this is a table ({type(value).__name__}); give one of its columns, such as "
        f"df[{first!r}]"
    )


def check_prompts(prompts: object, writer: RequestWriter) -> Iterator[None]:
    """Looks for prompts that cannot be sent, `_SLICE` of them at a step.

    What can be read twice is read here as a whole, so that a bad prompt is found before anything is
    asked.

    Raises:
        TypeError, ValueError: for these; for a single text or dict, which is a slip that would ask
            per letter; and for a table.
    """
    refuse_table("prompts", prompts)
    if isinstance(prompts, (str, bytes, Mapping)) or not isinstance(prompts, Iterable):
        raise TypeError(
            f"prompts: expected an iterable of prompts, found {type(prompts).__name__}; "
            "put a single prompt into a list"
        )
    if not isinstance(prompts, Sized) or isinstance(prompts, Iterator):
        return
    first: TypeError | ValueError | None = None
    others = 0
    for index, prompt in enumerate(prompts):
        if index % _SLICE == 0:
            yield
        try:
            writer.write(prompt, index)
        except (TypeError, ValueError) as error:
            others += first is not None
            first = first or error
    if first is None:
        return
    more = f" (and {others} more)" if others else ""
    kind = TypeError if isinstance(first, TypeError) else ValueError
    raise kind(f"{first}{more}; nothing was asked")
