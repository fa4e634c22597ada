"""What has to be true of a ledger, given all that clients, operators and the upstream have seen.

A history check: whoever asked for something knows that it was done, that it was not, or nothing.
What was acknowledged is there; of what nobody knows anything, all is there or nothing; nothing is
there that nobody asked for; and the sums follow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ledger_load import Asked
from ledger_world import World

# A finished answer waits so long for its charge, in seconds. Then the client gets its end.
SETTLE_PATIENCE = 0.25
# Up to so many entries a journal is replayed at each check, then whenever it has grown by 5 %.
_REPLAYED_ALWAYS = 100_000


@dataclass
class Order:
    """What an operator asked for: `topup` of an organization, `refund` of a generation."""

    kind: Literal["topup", "refund"]
    id: str
    about: str
    amount: int  # nano-USD
    outcome: Literal["ok", "unknown"] = "unknown"


class Audit:
    """Reads what is new in a world's ledger and compares it with what was seen outside.

    Attributes:
        rows: of requests, by token.
        late: acknowledged answers whose charge was lost with the process that owed it: the disk
            had taken longer than the answer waits.
        doubtful: tokens of answers whose charge a failing disk may have refused; set by the test.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: dict[str, Asked] = {}
        self._orders: dict[tuple[str, str], Order] = {}
        self._booked: set[tuple[str, str]] = set()
        self._fresh: list[Asked] = []
        self._upstream_seen = 0
        self._sent: set[str] = set()
        self._seq = 0
        self._last_row = 0
        self._replayed = 0
        self._legs: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        self._expected: dict[str, int] = defaultdict(int)
        self.rows: dict[str, Any] = {}
        self.late = 0
        self.doubtful: set[str] = set()

    def heard(self, asked: Iterable[Asked]) -> None:
        """What clients have asked and been told since the last call."""
        for each in asked:
            assert each.token not in self._asked
            self._asked[each.token] = each
            self._fresh.append(each)

    def ordered(self, orders: Iterable[Order]) -> None:
        """What operators have ordered; one whose outcome was unknown may come again."""
        for each in orders:
            self._orders[each.kind, each.id] = each

    def check(self, *, replay: bool = False) -> None:
        """Raises AssertionError where something is not as it has to be.

        To be called when nobody asks for anything: after a start, or when no server runs.

        Args:
            replay: have the journal replayed in any case.
        """
        with self._world.ledger(read_only=True) as ledger:
            if replay or self._seq < max(_REPLAYED_ALWAYS, self._replayed * 21 // 20):
                report = ledger.verify()
                assert report["rule"] == "", report
                self._replayed = report["entries"]
            for entry in ledger.entries(self._seq):
                self._take_entry(entry)
            for row in self._new_rows(ledger):
                self._take_row(row)
            balances = ledger.balances()
        for org, legs in self._legs.items():
            found = balances.pop(org)
            assert [found.available, found.held, -found.owed] == legs, (org, found, legs)
            assert found.held == 0, f"{org} has live holds"
            assert found.available >= 0
            assert found.available - found.owed == self._expected[org], (org, found)
        assert not balances, "balances without an entry"
        self._check_asked()
        self._check_upstream()
        for key, order in self._orders.items():
            assert order.outcome == "unknown" or key in self._booked, f"{order} was lost"

    def _take_entry(self, entry: Any) -> None:
        assert entry["seq"] == self._seq + 1, "the journal has a gap"
        self._seq = entry["seq"]
        legs = [entry["available"], entry["held"], entry["debt"]]
        assert sum(legs) + entry["cash"] + entry["revenue"] + entry["loss"] == 0, entry
        for place, leg in enumerate(legs):
            self._legs[entry["org"]][place] += leg
        assert min(self._legs[entry["org"]][:2]) >= 0, entry
        if entry["kind"] in ("topup", "refund"):
            key = (entry["kind"], entry["id"])
            assert key not in self._booked, f"{key} was booked twice"
            order = self._orders.get(key)
            assert order is not None, f"nobody ordered {entry}"
            assert order.about == (entry["org"] if order.kind == "topup" else entry["generation"])
            assert order.amount == legs[0] + legs[2], entry
            self._booked.add(key)
            self._expected[entry["org"]] += order.amount

    def _new_rows(self, ledger: Any) -> list[Any]:
        rows: list[Any] = []
        before = None
        while True:
            page = ledger.rows(before=before, limit=500)
            new = [row for row in page if row["n"] > self._last_row]
            rows += new
            if len(new) < 500:
                break
            before = new[-1]["n"]
        if rows:
            self._last_row = rows[0]["n"]
        return rows

    def _take_row(self, row: Any) -> None:
        token = row["request_id"]
        asked = self._asked.get(token)
        assert asked is not None, f"nobody asked for {row}"
        assert token not in self.rows, f"{token} has two rows"
        assert row["org"] == asked.org, (asked, row)
        assert row["state"] != "held", f"{row} is still held"
        assert 0 <= row["cost"] <= row["held"], row
        if row["state"] != "settled":
            assert row["cost"] == 0, row
        if row["state"] == "expired":
            assert row["lost_bound"] == row["held"], row
        self.rows[token] = row
        self._expected[row["org"]] -= row["cost"]

    def _check_asked(self) -> None:
        for asked in self._fresh:
            row = self.rows.get(asked.token)
            if asked.outcome == "ok":
                assert row is not None, f"{asked} was lost"
                assert row["generation"] == asked.id, (asked, row)
                if row["state"] == "expired":
                    waited = asked.ended - self._world.upstream.answered[asked.token]
                    assert asked.token in self.doubtful or waited >= SETTLE_PATIENCE, (
                        f"the charge of {asked} was lost: {row}"
                    )
                    self.late += 1
                else:
                    assert (row["state"], row["cost"]) == ("settled", asked.cost), (asked, row)
            elif asked.outcome == "refused":
                assert row is None or row["cost"] == 0, (asked, row)
            elif asked.outcome == "failed":
                assert row is not None, f"{asked} was lost"
                assert row["cost"] == 0, (asked, row)
        self._fresh.clear()

    def _check_upstream(self) -> None:
        asked = self._world.upstream.asked
        for token in asked[self._upstream_seen :]:
            assert token in self.rows, f"{token} was sent without a hold"
            assert token not in self._sent, f"{token} was sent twice"
            self._sent.add(token)
        self._upstream_seen = len(asked)
