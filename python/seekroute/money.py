"""Money: integers of nano-USD (10**-9 USD), and every way between them and USD.

An amount is an int of nano-USD wherever it is added, compared or stored. It is USD only where it is
read or written, by people or in JSON: as text, or as a Decimal. No other module converts, and
nothing is computed in floats.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import Final

__all__ = ["MOST_USD", "decimal_usd", "nano", "nano_at_least", "nano_at_most", "usd"]

MOST_USD: Final = 10**9  # a bound on sense: more is a slip of the hand, and far inside 64 bits

_DIGITS: Final = 9
_NANO_PER_USD: Final = 10**_DIGITS
# Raises where a number has more digits than it can keep, instead of rounding.
_EXACT: Final = decimal.Context(
    prec=60, traps=[decimal.InvalidOperation, decimal.Inexact, decimal.Overflow]
)
# What people write. Python would read 1_5 as 15.
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)


def usd(amount: int, *, places: int = 2) -> str:
    """Nano-USD as a decimal number of USD, exact and without an exponent.

    Args:
        amount: nano-USD.
        places: how many decimal places there are at least. JSON takes 0.

    >>> usd(1_234_500_000), usd(-5), usd(10**9), usd(10**9, places=0)
    ('1.2345', '-0.000000005', '1.00', '1')
    """
    whole, part = divmod(abs(amount), _NANO_PER_USD)
    fraction = f"{part:0{_DIGITS}d}".rstrip("0").ljust(places, "0")
    return f"{'-' if amount < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"


def decimal_usd(amount: int) -> Decimal:
    """Nano-USD as an exact number of USD.

    >>> decimal_usd(1_500_000_000), decimal_usd(0)
    (Decimal('1.5'), Decimal('0'))
    """
    return Decimal(amount).scaleb(-_DIGITS, _EXACT).normalize(_EXACT) if amount else Decimal(0)


def nano(text: str) -> int:
    """A decimal number of USD as nano-USD, exact.

    Raises:
        ValueError: it is no plain decimal number, has more than nine places, or is beyond a
            billion USD.

    >>> nano("12.5"), nano("-0.000000001")
    (12500000000, -1)
    """
    plain = text.strip()
    if not _PLAIN.fullmatch(plain):
        raise ValueError(f"{text!r} is not an amount: expected USD, such as 12.50")
    try:
        amount = _EXACT.create_decimal(plain)
    except decimal.Inexact:
        raise ValueError(f"{text!r} has more digits than an amount") from None
    if not -MOST_USD <= amount <= MOST_USD:
        raise ValueError(f"{text!r} is not an amount between -{MOST_USD} and {MOST_USD} USD")
    scaled = amount.scaleb(_DIGITS, _EXACT)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text!r} has more than nine places: the smallest amount is 0.000000001")
    return int(scaled)


def nano_at_most(amount: Decimal | str | float, name: str) -> int:
    """A bound in USD as whole nano-USD: rounded down.

    Args:
        amount: USD, from 0 to a billion. A float means what it prints.
        name: of the argument, for the error.

    Raises:
        ValueError: it is no number, negative, or above a billion.

    >>> nano_at_most(0.1, "max_cost"), nano_at_most("0.0000000019", "max_cost")
    (100000000, 1)
    """
    try:
        value = Decimal(str(amount))
    except decimal.InvalidOperation:
        raise ValueError(f"{name}: expected USD, such as '0.50', found {amount!r}") from None
    if not value.is_finite() or not 0 <= value <= MOST_USD:
        raise ValueError(f"{name}: expected 0 to {MOST_USD:,} USD, found {amount!r}")
    return int((value * _NANO_PER_USD).to_integral_value(decimal.ROUND_FLOOR))


def nano_at_least(amount: Decimal) -> int:
    """A cost in USD as whole nano-USD: rounded up.

    >>> nano_at_least(Decimal("0.0000000011"))
    2
    """
    return int(amount.scaleb(_DIGITS).to_integral_value(decimal.ROUND_CEILING))
