"""Logarithms and powers of two in integers, the same on every machine."""

from __future__ import annotations

from functools import cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

_LOG_BITS = 10

LOG_UNIT = 1 << _LOG_BITS
"""One, as the unit of logarithms to base 2."""

POWER_UNIT = 1 << 16
"""One, as the unit of powers of two."""

_MANTISSA_BITS = 12
_PRECISION = 64


def log2(values: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the logarithms to base 2, in 1/`LOG_UNIT`, rounded down after cutting the value to 13 binary digits.

    values: int64, from 1 to 2⁵³

    >>> (log2(np.array([1, 2, 3, 1024])) / LOG_UNIT).tolist()
    [0.0, 1.0, 1.5849609375, 10.0]
    """
    # frexp and the cut are exact for whole numbers below 2⁵³.
    mantissa, exponent = np.frexp(values.astype(np.float64))
    index = (mantissa * (2 << _MANTISSA_BITS)).astype(np.int32) - (1 << _MANTISSA_BITS)
    logs: NDArray[np.int32] = (exponent.astype(np.int32) - 1) * LOG_UNIT + _logs()[index]
    return logs


def power_of_minus(logs: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return 2 to the power of minus these, in 1/`POWER_UNIT`, rounded down.

    logs: int64, 0 or more, in 1/`LOG_UNIT`

    >>> power_of_minus(np.array([0, LOG_UNIT, LOG_UNIT // 2, 30 * LOG_UNIT])).tolist()
    [65536, 32768, 46340, 0]
    """
    powers: NDArray[np.int32] = np.take(_powers(), logs, mode="clip")
    return powers


@cache
def _roots() -> list[int]:
    """Return 2^(1/2), 2^(1/4), …, 2^(1/`LOG_UNIT`), in 2^-64."""
    root = 2 << _PRECISION
    roots = []
    for _ in range(_LOG_BITS):
        root = isqrt(root << _PRECISION)
        roots.append(root)
    return roots


@cache
def _powers() -> NDArray[np.int32]:
    """Return all that are not 0, and a 0."""
    fractions = []
    for fraction in range(LOG_UNIT):
        product = 1 << _PRECISION
        for position, root in enumerate(_roots()):
            if fraction & (LOG_UNIT >> (position + 1)):
                product = product * root >> _PRECISION
        fractions.append((POWER_UNIT << _PRECISION) // product)
    whole = np.array(fractions, dtype=np.int32)
    return np.concatenate([whole >> shift for shift in range(POWER_UNIT.bit_length())] + [np.zeros(1, dtype=np.int32)])


@cache
def _logs() -> NDArray[np.int32]:
    """Return log2 of 1 + i/2¹², bit by bit: squaring doubles a logarithm."""
    logs = []
    for index in range(1 << _MANTISSA_BITS):
        value = ((1 << _MANTISSA_BITS) + index) << (_PRECISION - _MANTISSA_BITS)
        log = 0
        for _ in range(_LOG_BITS):
            value = value * value >> _PRECISION
            bit = value >> (_PRECISION + 1)
            log, value = 2 * log + bit, value >> bit
        logs.append(log)
    return np.array(logs, dtype=np.int32)
