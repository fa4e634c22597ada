"""`client.embeddings`: vectors of texts, as OpenAI has them."""

from __future__ import annotations

import base64
import functools
import importlib
import json
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, Unpack

from seekroute.client import calls
from seekroute.client.batch.requests import refuse_table
from seekroute.client.calls import Call, Head
from seekroute.client.result import Answer, Beside, Result
from seekroute.client.wires.backend import EMBEDDINGS_PATH, EMBEDDINGS_QUOTE_PATH
from seekroute.errors import APIError
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.client.calls import Perform

VectorsT = TypeVar("VectorsT")
QuoteT = TypeVar("QuoteT")

_PACKED = "base64"
_NUMBER_BYTES = 4
_NO_NUMBERS = "no numbers"


class Embedding(Result):
    """One vector of an answer: `index` is the place of its input, `embedding` its numbers.

    Asked for with `encoding_format="base64"`, `embedding` is a text, as it came. An answer that has
    no vector there raises an `APIError` where it is read.
    """

    __slots__ = ("_opened",)

    def __init__(self, data: dict[str, Any], *, opened: bool = False) -> None:
        super().__init__(data)
        self._opened = opened

    @property
    def embedding(self) -> Any:
        found = self._data.get("embedding")
        if isinstance(found, str) and not self._opened:
            return found
        numbers = _numbers(found, self._data["index"])
        return numbers.tolist() if isinstance(numbers, array) else numbers

    def __getitem__(self, key: str) -> Any:
        return self.embedding if key == "embedding" else super().__getitem__(key)

    def __repr__(self) -> str:
        try:
            read = self.to_dict()
        except APIError:  # shown as it came
            return super().__repr__()
        return Result.__repr__(Embedding(read))

    def to_dict(self) -> dict[str, Any]:
        """The vector as a plain dict, its numbers as a list."""
        return {**self._data, "embedding": self.embedding}

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(Embedding, opened=self._opened), (self._data,)


class EmbeddingsResponse(Answer):
    """Vectors in OpenAI's shape: `data[0].embedding`, `model`, `usage`; and `numpy()`.

    The numbers are single precision. They are read from the answer where they are asked for.
    """

    __slots__ = ("_opened",)

    def __init__(
        self, data: dict[str, Any], *, opened: bool = False, **beside: Unpack[Beside]
    ) -> None:
        super().__init__(data, **beside)
        # Whether texts are vectors that this client has asked for as such: they are opened here.
        self._opened = opened

    @property
    def data(self) -> list[Embedding]:
        """The vectors in the order of the inputs."""
        return [Embedding(row, opened=self._opened) for row in self._data["data"]]

    def numpy(self) -> Any:
        """The vectors as an array of float32, one row for each input.

        Raises:
            APIError: one of them is no vector.
            ImportError: NumPy is not installed.
            ValueError: the vectors are not of one length.
        """
        try:
            np = importlib.import_module("numpy")
        except ImportError:
            raise ImportError("NumPy is needed for this: pip install numpy", name="numpy") from None
        rows = []
        for row in self._data["data"]:
            numbers = _numbers(row.get("embedding"), row["index"])
            try:
                made = np.asarray(numbers, dtype=np.float32)
            except (TypeError, ValueError):
                raise _no_vector(row["index"], _NO_NUMBERS) from None
            if made.ndim != 1:
                raise _no_vector(row["index"], _NO_NUMBERS)
            rows.append(made)
        if len({len(row) for row in rows}) > 1:
            raise ValueError("the vectors are of different lengths: there is no array of them")
        return np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)

    def __getitem__(self, key: str) -> Any:
        return self.data if key == "data" else super().__getitem__(key)

    def to_dict(self) -> dict[str, Any]:
        """The answer as a plain dict, the numbers as lists."""
        return {**self._data, "data": [each.to_dict() for each in self.data]}

    def to_json(self, *, indent: int | None = None) -> str:
        """The answer as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def __repr__(self) -> str:
        return self._told("EmbeddingsResponse", number_of(len(self._data["data"]), "vector"))

    def __reduce__(self) -> tuple[Any, ...]:
        made = functools.partial(EmbeddingsResponse, opened=self._opened, **self.beside())
        return made, (self._data,)


def _numbers(found: Any, place: int) -> list[Any] | array[float]:
    """What an answer has for the input at `place`: a list as it came, or base64 unpacked."""
    if isinstance(found, str):
        return _unpacked(found, place)
    if not isinstance(found, list) or not found:
        raise _no_vector(place, _NO_NUMBERS)
    return found


def _unpacked(text: str, place: int) -> array[float]:
    """The numbers of a vector in base64: single precision, little-endian."""
    try:
        packed = base64.b64decode(text, validate=True)
    except ValueError:  # binascii's too; and of letters that are not ASCII
        raise _no_vector(place, "no base64") from None
    if not packed or len(packed) % _NUMBER_BYTES:
        raise _no_vector(place, f"{len(packed)} bytes, where every number has {_NUMBER_BYTES}")
    numbers = array("f", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _no_vector(place: int, why: str) -> APIError:
    return APIError(
        f"data[{place}].embedding: {why}; the provider's answer has no vector there",
        hint=(
            "make it again, with encoding_format='float' where the provider packs its numbers badly"
        ),
    )


def _put_in_order(rows: list[dict[str, Any]]) -> None:
    """By their inputs. Where not every row says which is its, they are in order as they came."""
    if all(type(row.get("index")) is int for row in rows):
        rows.sort(key=lambda row: row["index"])
        return
    for place, row in enumerate(rows):
        row["index"] = place


def response(body: bytes, head: Head, *, opened: bool) -> EmbeddingsResponse:
    """The result of `embeddings.create()`.

    Args:
        body: JSON.
        head: What else is known of the answer.
        opened: Whether texts are opened to vectors.
    """
    data = json.loads(body)
    # An answer of another shape is none of a gateway's: whoever calls this says so.
    _put_in_order(data["data"])
    return EmbeddingsResponse(data, opened=opened, **head.beside(data))


class Embeddings(Generic[VectorsT, QuoteT]):
    """`client.embeddings`."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    def create(
        self,
        *,
        model: str,
        input: str | Iterable[Any],
        dimensions: int | None = None,
        encoding_format: Literal["float", "base64"] | None = None,
        user: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> VectorsT:
        """Makes vectors of texts, as an `EmbeddingsResponse`.

        Args:
            model: An embedding model of the catalog; `auto` is none.
            input: A text, texts, the tokens of a text, or the tokens of texts: 2048 at most.
            dimensions: Numbers of a vector, for models that can shorten theirs.
            encoding_format: How the provider sends the numbers. Default: as base64, which is a
                quarter as long, and opened here; given, `embedding` is what came.
            user: Who asks, for the provider.

        Other arguments and errors are those of `chat.completions.create`; fields that only some
        providers take (`input_type`) go through `extra_body`.

        Example:
            >>> import seekroute
            >>> with seekroute.Client(mock="on") as client:
            ...     found = client.embeddings.create(
            ...         model="text-embedding-3-small", input=["a cat", "a dog"], dimensions=256
            ...     )
            >>> len(found.data), len(found.data[0].embedding), found.usage.prompt_tokens
            (2, 256, 4)
            >>> found.cost
            Decimal('8E-8')
        """
        named = _fields(model, input, dimensions, encoding_format or _PACKED, user)
        chosen = encoding_format is not None or "encoding_format" in (extra_body or {})
        vectors: VectorsT = self._perform(
            Call(
                EMBEDDINGS_PATH,
                functools.partial(response, opened=not chosen),
                calls.chat_body(named, {}, extra_body),
                headers=extra_headers,
                query=extra_query,
                timeout=timeout,
            )
        )
        return vectors

    def estimate(
        self,
        *,
        model: str,
        input: str | Iterable[Any],
        dimensions: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> QuoteT:
        """Says what `create` would cost, without asking any provider, as a `Quote`.

        Example:
            quote = client.embeddings.estimate(model="text-embedding-3-small", input=texts)
            print(quote.cost.expected, quote.cost.max)
        """
        named = _fields(model, input, dimensions, None, None)
        quote: QuoteT = self._perform(
            Call(
                EMBEDDINGS_QUOTE_PATH,
                calls.quote,
                calls.chat_body(named, {}, extra_body),
                timeout=timeout,
            )
        )
        return quote


def _fields(
    model: str,
    given: str | Iterable[Any],
    dimensions: int | None,
    encoding_format: str | None,
    user: str | None,
) -> dict[str, Any]:
    return {
        "model": model,
        "input": _input(given),
        "dimensions": dimensions,
        "encoding_format": encoding_format,
        "user": user,
    }


def _input(given: Any) -> Any:
    """What is sent of what was given: texts and tokens, from any iterable."""
    if isinstance(given, str):
        return given
    refuse_table("input", given)
    if isinstance(given, bytes | bytearray | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"input: expected a text, texts, or tokens; found {type(given).__name__}")
    return [
        list(each) if isinstance(each, Iterable) and not isinstance(each, str | bytes) else each
        for each in given
    ]
