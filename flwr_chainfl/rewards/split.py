"""Largest-remainder apportionment of a budget; twin of contracts/libraries/Split.sol."""

from __future__ import annotations

from collections.abc import Sequence


def split(budget: int, weights: Sequence[int]) -> list[int]:
    """Split a budget in proportion to weights, so that the parts add up to it.

    Every part is rounded down; the units left over go one each to the largest remainders, ties to
    the lowest index (participants are in ascending order of address, so: the lowest address).

    budget: token units, non-negative
    weights: non-negative integers
    returns: token units; all 0 when all weights are 0

    Raises ValueError when the budget or a weight is negative.
    Source: docs/protocols/README.md, "Money adds up".

    >>> split(100, [1, 1, 1])
    [34, 33, 33]
    """
    if budget < 0:
        raise ValueError(f"budget {budget} is negative; a split needs 0 or more token units")
    for index, weight in enumerate(weights):
        if weight < 0:
            raise ValueError(f"weight {weight} at index {index} is negative; weights are 0 or more")
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    parts = [budget * weight // total for weight in weights]
    remainders = [budget * weight % total for weight in weights]
    left = budget - sum(parts)
    for index in sorted(range(len(weights)), key=lambda i: (-remainders[i], i))[:left]:
        parts[index] += 1
    return parts
