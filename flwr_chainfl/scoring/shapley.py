"""Shapley values of contributions: exact for few, by truncated permutation sampling for many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from flwr_chainfl.draws import draw, key_of, random_order
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD

MOST_EXACT = 8
"""Players up to whose number all coalitions are valued: 256."""

Value = Callable[[tuple[int, ...]], int]
"""What a coalition is worth, in any integer unit; players ascending, from 0."""


@dataclass(frozen=True)
class ShapleyValues:
    """The players' values, in the unit of the coalitions' worth; they add up to v(all) − v(∅).

    values: exact fractions; errors: standard error of each, 0 where all coalitions were valued; worth: of every coalition
    that was valued, by its bitmap; permutations: how many were sampled, 0 for none
    """

    values: list[Fraction]
    errors: list[float]
    worth: dict[int, int] = field(repr=False)
    permutations: int = 0


def shapley_values(
    players: int, value: Value, *, permutations: int = 200, tolerance: int = 0, seed: bytes = bytes(32),
    most_exact: int = MOST_EXACT,
) -> ShapleyValues:
    """Return the Shapley value of each player.

    Up to `most_exact` players, all coalitions are valued. With more, permutations are sampled, and a permutation is cut off once its
    coalition is worth as much as all up to the tolerance: those left share what is missing. No coalition is valued twice.

    players: how many; value: of a coalition; permutations: to sample; tolerance: in the unit of the worth; seed: 32 bytes

    Raises ConfigError when players or permutations are fewer than 1, or the tolerance is negative.
    Source: docs/protocols/alignment.md, "Shapley"; Ghorbani and Zou, ICML 2019 (truncated Monte Carlo).
    Choice: what a cut leaves over is shared, so that the values add up exactly.

    >>> shapley_values(3, lambda coalition: 6 * len(coalition) + (12 if {0, 1} <= set(coalition) else 0)).values
    [Fraction(12, 1), Fraction(12, 1), Fraction(6, 1)]
    """
    if players < 1 or permutations < 1 or tolerance < 0:
        raise ConfigError(
            f"{players} players, {permutations} permutations, tolerance {tolerance}; 1 or more of the first two are needed, "
            f"and 0 or more of the last"
        )
    worth = _Worth(value)
    if players <= most_exact:
        return ShapleyValues(_exact(players, worth), [0.0] * players, worth.known)
    everybody, nobody = worth(tuple(range(players))), worth(())
    sums = [Fraction(0)] * players
    squares = np.zeros(players)
    key = key_of(seed)
    for number in range(permutations):
        order = random_order(draw(key, number), players)
        before = nobody
        gains: dict[int, Fraction] = {}
        for place, player in enumerate(order):
            if abs(everybody - before) <= tolerance and place > 0:
                rest = order[place:]
                gains |= dict.fromkeys(rest, Fraction(everybody - before, len(rest)))
                break
            after = worth(tuple(sorted(order[: place + 1])))
            gains[player] = Fraction(after - before)
            before = after
        for player, gain in gains.items():
            sums[player] += gain
            squares[player] += float(gain) ** 2
    values = [total / permutations for total in sums]
    spread = [max(square / permutations - float(one) ** 2, 0.0) for square, one in zip(squares, values, strict=True)]
    return ShapleyValues(
        values, [math.sqrt(s / max(permutations - 1, 1)) for s in spread], worth.known, permutations
    )


def fairness_factors(values: Sequence[Fraction], scores: Sequence[int]) -> list[int]:
    """Return what each positive score is to be multiplied by: share of the positive Shapley values over share of the pay.

    scores: WAD
    returns: WAD from 0.5 to 2; 1 where nobody has a positive value, or nobody is paid

    >>> fairness_factors([Fraction(3), Fraction(1), Fraction(-1)], [WAD, WAD, WAD])
    [2000000000000000000, 750000000000000000, 500000000000000000]
    """
    gained = [max(value, Fraction(0)) for value in values]
    earned = [max(score, 0) for score in scores]
    if not any(gained) or not any(earned):
        return [WAD] * len(values)
    factors = []
    for value, score in zip(gained, earned, strict=True):
        fair = value / sum(gained) / Fraction(score, sum(earned)) if score else Fraction(1)
        factors.append(int(min(max(fair, Fraction(1, 2)), Fraction(2)) * WAD))
    return factors


class _Worth:
    """A value function that remembers."""

    def __init__(self, value: Value) -> None:
        self._value = value
        self.known: dict[int, int] = {}

    def __call__(self, coalition: tuple[int, ...]) -> int:
        bitmap = sum(1 << player for player in coalition)
        if bitmap not in self.known:
            self.known[bitmap] = self._value(coalition)
        return self.known[bitmap]


def _exact(players: int, worth: _Worth) -> list[Fraction]:
    everybody = range(players)
    values = [Fraction(0)] * players
    for bitmap in range(2**players):
        members = tuple(player for player in everybody if bitmap >> player & 1)
        for player in everybody:
            if player not in members:
                size = len(members)
                share = Fraction(math.factorial(size) * math.factorial(players - size - 1), math.factorial(players))
                values[player] += share * (worth(tuple(sorted((*members, player)))) - worth(members))
    return values
