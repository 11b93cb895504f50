"""WAD fixed point: integers in units of 10⁻¹⁸, as the contracts use them."""

from __future__ import annotations

from fractions import Fraction

WAD = 10**18
"""One, in fixed point."""


def to_wad(value: float | Fraction | str) -> int:
    """Return `value` in WAD, rounded down.

    value: a number; a float counts as the shortest decimal that prints like it
    returns: WAD

    >>> to_wad(0.1)
    100000000000000000
    """
    exact = value if isinstance(value, Fraction) else Fraction(str(value))
    return exact.numerator * WAD // exact.denominator


def from_wad(value: int) -> float:
    """Return a WAD integer as a float, for display only.

    >>> from_wad(1_500_000_000_000_000_000)
    1.5
    """
    return value / WAD
