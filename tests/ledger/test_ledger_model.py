"""The ledger's state machine beside a model written apart from it, over random operations."""

from __future__ import annotations

import random
from typing import Any

from seekroute import _core
from shared import shared_module

SEEDS = 2_000
OPERATIONS = 400
ORGS = ("a", "b", "c")
UNLIMITED = 2**63 - 1


class Model:
    """Amounts by name in plain dicts; says what each operation must answer and book."""

    def __init__(self) -> None:
        self.journal: list[tuple[Any, ...]] = []
        self.funds: dict[str, list[int]] = {}  # available, held, owed
        self.cash = self.revenue = self.loss = 0
        self.given: dict[tuple[str, str], tuple[Any, ...]] = {}  # top-ups, adjustments, refunds
        self.requests: dict[str, dict[str, Any]] = {}

    def _write(self, kind: str, key: str, org: str, legs: tuple[int, ...], request: str) -> None:
        self.journal.append((len(self.journal) + 1, kind, key, org, legs, request))
        fund = self.funds.setdefault(org, [0, 0, 0])
        for place, sign in ((0, 1), (1, 1), (2, -1)):
            fund[place] += sign * legs[place]
        self.cash += legs[3]
        self.revenue += legs[4]
        self.loss += legs[5]

    def _give(
        self,
        kind: str,
        key: str,
        org: str,
        amount: int,
        arguments: tuple[Any, ...],
        from_cash: bool,
    ) -> str:
        before = self.given.get((kind, key))
        if before is not None:
            return "exists" if before == arguments else "conflict"
        self.given[kind, key] = arguments
        counter = (-amount, 0, 0) if from_cash else (0, 0, -amount)
        self._move(kind, key, org, amount, (0, *counter), "")
        return "ok"

    def _move(
        self, kind: str, key: str, org: str, amount: int, rest: tuple[int, ...], request: str
    ) -> None:
        """Books `amount` for the organization: what comes repays first, what goes is taken first.

        `rest` is what the held balance and the operator's accounts get.
        """
        available, _, owed = self.funds.get(org, [0, 0, 0])
        after = available - owed + amount
        free = max(after, 0) - available
        self._write(kind, key, org, (free, rest[0], amount - free, *rest[1:]), request)

    def topup(self, key: str, org: str, amount: int) -> str:
        if amount <= 0:
            return "invalid"
        return self._give("topup", key, org, amount, (org, amount), from_cash=True)

    def adjust(self, key: str, org: str, amount: int, chargeback: bool, note: str) -> str:
        if amount == 0:
            return "invalid"
        arguments = (org, amount, chargeback, note)
        return self._give("adjust", key, org, amount, arguments, from_cash=chargeback)

    def hold(
        self, key: str, org: str, amount: int, at_least: int, line: int = 0
    ) -> tuple[str, int, int]:
        if not 0 <= at_least <= amount or line < 0:
            return ("invalid", 0, 0)
        free, _, owed = self.funds.get(org, [0, 0, 0])
        available = min(free + max(line - owed, 0), UNLIMITED)
        before = self.requests.get(key)
        if before is not None:
            fits = before["org"] == org and at_least <= before["hold"] <= amount
            return ("exists" if fits else "conflict", before["hold"], available)
        granted = min(amount, available)
        if granted < at_least:
            return ("debt" if owed else "insufficient", 0, available)
        self.requests[key] = {"org": org, "hold": granted, "state": "held", "back": 0}
        self._move("hold", key, org, -granted, (granted, 0, 0, 0), key)
        return ("ok", granted, available)

    def settle(self, key: str, actual: int) -> str:
        if actual < 0:
            return "invalid"
        request = self.requests.get(key)
        if request is None:
            return "unknown"
        if request["state"] == "settled":
            return "exists" if request["actual"] == actual else "conflict"
        if request["state"] != "held":
            return "late"
        held, org = request["hold"], request["org"]
        charge = min(held, actual)
        request.update(state="settled", actual=actual, charge=charge)
        self._move("settle", key, org, held - charge, (-held, 0, charge, 0), key)
        if actual > held:
            self._write("overrun", key, org, (0, 0, 0, 0, actual - held, held - actual), key)
        return "ok"

    def _release(self, kind: str, key: str) -> str:
        request = self.requests.get(key)
        if request is None:
            return "unknown"
        if request["state"] != "held":
            return "conflict" if request["state"] == "settled" else "exists"
        request["state"] = kind
        held = request["hold"]
        self._move(kind, key, request["org"], held, (-held, 0, 0, 0), key)
        return "ok"

    def void(self, key: str) -> str:
        return self._release("void", key)

    def expire(self, key: str) -> str:
        return self._release("expire", key)

    def refund(self, key: str, request_id: str, amount: int) -> str:
        if amount <= 0:
            return "invalid"
        before = self.given.get(("refund", key))
        if before is not None:
            return "exists" if before == (request_id, amount) else "conflict"
        request = self.requests.get(request_id)
        if request is None or request["state"] != "settled":
            return "unknown"
        if request["back"] + amount > request["charge"]:
            return "too_much"
        request["back"] += amount
        self.given["refund", key] = (request_id, amount)
        self._move("refund", key, request["org"], amount, (0, 0, -amount, 0), request_id)
        return "ok"

    def balances(self) -> dict[str | None, tuple[int, int, int]]:
        known: dict[str | None, tuple[int, int, int]] = {
            org: (free, held, -owed) for org, (free, held, owed) in self.funds.items()
        }
        known[None] = (self.cash, self.revenue, self.loss)
        return known


def random_operations(seed: int, count: int = OPERATIONS) -> list[tuple[Any, ...]]:
    """One seed, one list; ids are drawn from few, so that they meet again."""
    rng = random.Random(seed)
    below = rng.randrange
    sizes = (0, 1, 7, 50, 999, 10**6, 10**9, -3)
    # Half of the holds are prepaid; an organization's line may change from one to the next.
    lines = (0, 0, 0, 0, 60, 10**6, UNLIMITED, -1)
    made: list[tuple[Any, ...]] = []
    for _ in range(count):
        dice = below(100)
        if made and dice < 12:
            made.append(made[below(len(made))])
        elif dice < 22:
            made.append(("topup", f"t{below(50)}", ORGS[below(3)], sizes[below(8)]))
        elif dice < 50:
            amount = sizes[below(8)]
            at_least = amount if below(2) else sizes[below(8)]
            org, line = ORGS[below(3)], lines[below(8)]
            made.append(("hold", f"g{below(120)}", org, amount, at_least, line))
        elif dice < 72:
            made.append(("settle", f"g{below(120)}", sizes[below(8)]))
        elif dice < 78:
            made.append(("void", f"g{below(120)}"))
        elif dice < 82:
            made.append(("expire", f"g{below(120)}"))
        elif dice < 91:
            made.append(("refund", f"r{below(40)}", f"g{below(120)}", sizes[below(8)]))
        else:
            amount = sizes[below(8)] * (1 if below(2) else -1)
            note = ("", "gift")[below(2)]
            made.append(("adjust", f"x{below(40)}", ORGS[below(3)], amount, bool(below(2)), note))
    return made


def check_model(model: Model) -> None:
    """The invariants that hold whatever happened."""
    assert all(sum(entry[4]) == 0 for entry in model.journal)
    assert all(min(fund) >= 0 for fund in model.funds.values())
    assert all(not (free and owed) for free, _, owed in model.funds.values())
    for org, (_, held, _) in model.funds.items():
        live = (r for r in model.requests.values() if r["state"] == "held" and r["org"] == org)
        assert sum(request["hold"] for request in live) == held


def test_agrees_with_the_model_in_results_balances_and_journal() -> None:
    seen: set[str] = set()
    for seed in range(SEEDS):
        operations = random_operations(seed)
        model = Model()
        expected = [getattr(model, name)(*rest) for name, *rest in operations]
        ledger = _core.MemoryLedger()
        assert ledger.run(operations) == expected, seed
        assert ledger.balances() == model.balances(), seed
        assert ledger.entries() == model.journal, seed
        if seed % 50 == 0:
            check_model(model)
        seen.update(word if isinstance(word, str) else word[0] for word in expected)
    every = "ok exists conflict insufficient debt invalid unknown late too_much"
    assert seen == set(every.split())


def test_a_rollback_leaves_no_trace() -> None:
    for seed in range(200):
        operations = random_operations(seed)
        kept, dropped = operations[:200], operations[200:]
        once = _core.MemoryLedger()
        once.run(kept)
        twice = _core.MemoryLedger()
        twice.run([*kept, ("mark",), *dropped, ("rollback",)])
        assert twice.entries() == once.entries()
        assert twice.run(dropped) == once.run(dropped)
        assert twice.entries() == once.entries()
        assert twice.balances() == once.balances()


def test_agrees_with_the_shared_oracle() -> None:
    """The oracle's own random runs, played on the ledger as well; leases are not the ledger's."""
    oracle = shared_module("oracles", "ledger_model.py")

    calls: list[tuple[tuple[Any, ...], Any]] = []
    base = oracle.Ledger

    class Recording(base):  # type: ignore[misc, valid-type]
        def topup(self, source: str, event: int, org: str, amount: int) -> Any:
            answer = base.topup(self, source, event, org, amount)
            calls.append((("topup", f"{source}:{event}", org, amount), answer))
            return answer

        def reserve(self, request: int, org: str, amount: int, lease: int) -> Any:
            answer = base.reserve(self, request, org, amount, lease)
            calls.append((("hold", f"g{request}", org, amount, amount), answer))
            return answer

        def settle(self, request: int, actual: int) -> Any:
            answer = base.settle(self, request, actual)
            calls.append((("settle", f"g{request}", actual), answer))
            return answer

        def void(self, request: int, why: str = "void") -> Any:
            answer = base.void(self, request, why)
            calls.append(((why, f"g{request}"), answer))
            return answer

        def refund(self, refund: int, request: int, amount: int) -> Any:
            answer = base.refund(self, refund, request, amount)
            calls.append((("refund", f"r{refund}", f"g{request}", amount), answer))
            return answer

    oracle.Ledger = Recording
    for seed in range(300):
        calls.clear()
        oracle.run(seed)
        answers = _core.MemoryLedger().run([operation for operation, _ in calls])
        words = [answer if isinstance(answer, str) else answer[0] for answer in answers]
        assert words == [answer for _, answer in calls], seed
