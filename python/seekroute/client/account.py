"""`client.credits`, `generation`, `activity`, `receipt`: what was paid, as results."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from seekroute.api import receipts
from seekroute.client import calls
from seekroute.client.calls import Call, Head
from seekroute.client.results import Page, Result
from seekroute.shown import Shown
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.client.calls import Perform
    from seekroute.ledger import Ledger

# Members that are money: exact, as Decimal.
_MONEY: Final = frozenset(
    {
        "available",
        "credit_line",
        "held",
        "owed",
        "refunded",
        "total_cost",
        "total_credits",
        "total_usage",
        "upstream_inference_cost",
        "usage",
    }
)


class _MoneyResult(Shown, Result):
    """A result whose amounts are `Decimal`; as JSON they are numbers again."""

    __slots__ = ()

    def to_json(self, *, indent: int | None = None) -> str:
        """The answer as JSON text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False, default=float)

    def __str__(self) -> str:
        """As a terminal shows it."""
        return self._repr_mimebundle_()["text/plain"]


class Credits(_MoneyResult):
    """What an organization has and used, in USD: `total_credits`, `total_usage`, `available`,
    `held`, `owed`, and its `credit_line` (None: unlimited).

    >>> Credits({"available": Decimal("1.5"), "held": Decimal(0), "owed": Decimal(0)}).available
    Decimal('1.5')
    """

    __slots__ = ()


class Generation(_MoneyResult):
    """One request that has ended; see "For the customer" in the guide to credits."""

    __slots__ = ()


class ActivityPage(Shown, Page):
    """Requests, tokens and cost by day and model; oldest first."""

    __slots__ = ()

    @property
    def has_more(self) -> bool:
        """Whether there are more rows than these; ask for them with `offset`."""
        return bool(self._data["has_more"])

    @property
    def usage(self) -> Decimal:
        """USD, of all rows together."""
        return sum((row["usage"] for row in self._data["data"]), Decimal(0))

    def __repr__(self) -> str:
        return f"ActivityPage({number_of(len(self.data), 'row')})"

    def __str__(self) -> str:
        """As a terminal shows it."""
        return self._repr_mimebundle_()["text/plain"]

    def to_json(self, *, indent: int | None = None) -> str:
        """The list as JSON text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False, default=float)


class Receipt(Result):
    """What a request cost, signed. `to_json()` is what `seekroute receipt verify` reads."""

    __slots__ = ()

    def verify(self, api_key: str) -> bool:
        """Whether the gateway issued exactly this for the key `api_key`. Asks nobody."""
        try:
            receipts.check_signature(receipts.parse(self.to_json()), api_key)
        except receipts.ReceiptError:
            return False
        return True


def _exact(body: bytes) -> dict[str, Any]:
    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: _amount(name, value) for name, value in pairs}

    found: dict[str, Any] = json.loads(body, parse_float=Decimal, object_pairs_hook=object_of)
    return found


def _amount(name: str, value: Any) -> Any:
    if name in _MONEY:
        return Decimal(value) if isinstance(value, int) else value
    return float(value) if isinstance(value, Decimal) else value


def _credits(body: bytes, head: Head) -> Credits:
    return Credits(_exact(body)["data"])


def _generation(body: bytes, head: Head) -> Generation:
    return Generation(_exact(body)["data"])


def _activity(body: bytes, head: Head) -> ActivityPage:
    return ActivityPage(_exact(body))


def _receipt(body: bytes, head: Head) -> Receipt:
    return Receipt(receipts.parse(body))


_CREDITS: Final = Call("/credits", _credits, method="GET")


def _generation_call(id: str) -> Call[Generation]:
    return Call("/generation", _generation, method="GET", query={"id": id})


def _receipt_call(id: str) -> Call[Receipt]:
    return Call("/receipt", _receipt, method="GET", query={"id": id})


def _feedback_call(generation_id: str, score: float, comment: str | None) -> Call[None]:
    given = {"generation_id": generation_id, "score": score, "comment": comment}
    body = json.dumps({name: value for name, value in given.items() if value is not None}).encode()
    return Call("/feedback", lambda _body, _head: None, body)


def _activity_call(**fields: Any) -> Call[ActivityPage]:
    # `from` is no name in Python.
    named = {{"start": "from", "end": "to"}.get(name, name): v for name, v in fields.items()}
    return Call("/activity", _activity, method="GET", query=calls.url_query(named, None))


class _Account:
    """What both clients have in common."""

    _backend: Any
    _perform: Perform

    @property
    def ledger(self) -> Ledger | None:
        """The ledger of a gateway in this process that was given one: top-ups, rows, checks.

        Example:
            from seekroute.money import nano

            with seekroute.Client(ledger="spend.db") as client:
                client.ledger.topup("grant:1", "local", nano("20"))
        """
        found: Ledger | None = self._backend.ledger
        return found


class ClientAccount(_Account):
    """Of `Client`."""

    def credits(self) -> Credits:
        """What the organization of this client's key has, and has used, in USD.

        In process: what its own ledger says, if it was made with `Client(ledger=...)`.

        Raises:
            NotFoundError: the gateway keeps no ledger.

        Example:
            print(client.credits().available)
        """
        found: Credits = self._perform(_CREDITS)
        return found

    def feedback(self, generation_id: str, score: float, *, comment: str | None = None) -> None:
        """Rates an answer of the model `auto`, so that the gateway learns which model to choose.

        Args:
            generation_id: The `id` of the answer.
            score: 0 (bad) to 1 (good).
            comment: For the operator, at most 1,000 characters.

        Raises:
            NotFoundError: the gateway takes no ratings, or there is no such request for `auto`.
            NotSupportedError: the gateway is in this process.
            BadRequestError: the score is none.

        Example:
            answer = client.ask("Hello!", "auto")
            client.feedback(answer.id, 1)
        """
        self._perform(_feedback_call(generation_id, score, comment))

    def generation(self, id: str) -> Generation:
        """One request that has ended, by the `id` of its answer: what it cost, and why.

        Raises:
            NotFoundError: there is none of this id, it still runs, or there is no ledger.

        Example:
            answer = client.ask("Hello!")
            print(client.generation(answer.id).settlement)
        """
        found: Generation = self._perform(_generation_call(id))
        return found

    def activity(
        self,
        *,
        date: str | date | None = None,
        start: str | date | None = None,
        end: str | date | None = None,
        key: str | None = None,
        group_by: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> ActivityPage:
        """Requests, tokens and cost by UTC day and model: of the last 30 days that are over.

        Args:
            date: One day instead, `2027-01-31`.
            start: The first day instead, and `end` the last one; both are included.
            key: The id of a key: only its requests.
            group_by: "key" keeps the rows of different keys apart.
            limit: Rows at most, 1 to 10,000; `offset` are skipped.

        Raises:
            BadRequestError: a value is impossible; `param` names the parameter.
            NotFoundError: the gateway keeps no ledger.

        Example:
            for row in client.activity(start="2027-01-01"):
                print(row.date, row.model, row.usage)
        """
        found: ActivityPage = self._perform(
            _activity_call(
                date=date,
                start=start,
                end=end,
                key=key,
                group_by=group_by,
                limit=limit,
                offset=offset,
            )
        )
        return found

    def receipt(self, id: str) -> Receipt:
        """The signed receipt of a request, by the `id` of its answer.

        Raises:
            NotFoundError: as of `generation`.
            NotSupportedError: the gateway is in this process, where nobody has to prove anything.

        Example:
            receipt = client.receipt(client.ask("Hello!").id)
            assert receipt.verify(api_key)
        """
        found: Receipt = self._perform(_receipt_call(id))
        return found


class AsyncClientAccount(_Account):
    """Of `AsyncClient`."""

    async def credits(self) -> Credits:
        """As `Client.credits`."""
        found: Credits = await self._perform(_CREDITS)
        return found

    async def feedback(
        self, generation_id: str, score: float, *, comment: str | None = None
    ) -> None:
        """As `Client.feedback`."""
        await self._perform(_feedback_call(generation_id, score, comment))

    async def generation(self, id: str) -> Generation:
        """As `Client.generation`."""
        found: Generation = await self._perform(_generation_call(id))
        return found

    async def activity(
        self,
        *,
        date: str | date | None = None,
        start: str | date | None = None,
        end: str | date | None = None,
        key: str | None = None,
        group_by: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> ActivityPage:
        """As `Client.activity`."""
        found: ActivityPage = await self._perform(
            _activity_call(
                date=date,
                start=start,
                end=end,
                key=key,
                group_by=group_by,
                limit=limit,
                offset=offset,
            )
        )
        return found

    async def receipt(self, id: str) -> Receipt:
        """As `Client.receipt`."""
        found: Receipt = await self._perform(_receipt_call(id))
        return found
