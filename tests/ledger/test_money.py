"""Amounts between USD and nano-USD: exact both ways, rounded only as a bound or a cost is."""

from __future__ import annotations

import doctest
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seekroute
from seekroute import money

AMOUNTS = st.integers(-money.MOST_USD * 10**9, money.MOST_USD * 10**9)


def test_the_examples_of_the_module_run() -> None:
    tried = doctest.testmod(money)
    assert tried.attempted >= 5
    assert tried.failed == 0


@given(AMOUNTS)
def test_an_amount_is_the_same_after_it_was_written(amount: int) -> None:
    assert money.nano(money.usd(amount)) == amount
    plain = money.usd(amount, places=0)
    assert money.nano(plain) == amount
    assert json.loads(plain, parse_float=Decimal, parse_int=Decimal) == money.decimal_usd(amount)
    assert money.nano_at_least(money.decimal_usd(amount)) == amount


@given(st.decimals(0, 10**6, places=12))
def test_a_bound_is_rounded_down_and_a_cost_up(amount: Decimal) -> None:
    below, above = money.nano_at_most(amount, "max_cost"), money.nano_at_least(amount)
    assert money.decimal_usd(below) <= amount <= money.decimal_usd(above)
    assert above - below == (0 if amount * 10**9 % 1 == 0 else 1)


@pytest.mark.parametrize("text", ["", "1e3", "1_5", "\u0661", "nan", "1.0000000001", "1000000001"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|places|digits"):
        money.nano(text)


def test_no_other_module_converts() -> None:
    root = Path(seekroute.__file__).parent
    conversions = ("scaleb(9)", "scaleb(-9)", "* 10**9)", "/ 10**9", "1e9", "1e-9")
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in root.rglob("*.py")
        if path.name != "money.py"
        for line in path.read_text().splitlines()
        if any(each in line for each in conversions)
    ]
    assert not found
