"""Random draws from a seed, the same as on chain; twin of contracts/libraries/Draws.sol.

The seed is what nobody could know; what is drawn from it only has to be evenly distributed. Hence SplitMix64 (Steele, Lea,
Flood, OOPSLA 2014), of which numpy draws thousands at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_MASK = 2**64 - 1


def draws(key: int, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the draws with these numbers, from 0, of a key: 64 bits each.

    >>> draws(0, np.arange(2, dtype=np.uint64)).tolist()
    [16294208416658607535, 7960286522194355700]
    """
    z = np.uint64(key) + (numbers + np.uint64(1)) * _STEP
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)


def draw(key: int, number: int) -> int:
    """Return one draw; it serves as a key as well."""
    return int(draws(key, np.array([number], dtype=np.uint64))[0])


def key_of(seed: bytes) -> int:
    """Return the key of a seed of 32 bytes."""
    key = 0
    for start in range(0, 32, 8):
        key = draw(key ^ int.from_bytes(seed[start : start + 8], "big"), 0)
    return key


def random_order(key: int, count: int) -> list[int]:
    """Return the numbers below `count` in random order (Fisher and Yates)."""
    order = list(range(count))
    drawn = draws(key, np.arange(count + 1, dtype=np.uint64)).tolist()
    for i in range(count, 1, -1):
        j = drawn[i] * i >> 64
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


def random_bits(key: int, count: int) -> NDArray[np.uint64]:
    """Return random bits, uint64 (count,): 64 of each draw, the lowest first."""
    words = draws(key, np.arange((count + 63) // 64, dtype=np.uint64))
    bits = (words[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    return bits.ravel()[:count]
