"""How a round's budget splits among the scored; each schedule is the twin of a contract in contracts/schedules/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards.split import split

_MOST = 128
"""Beyond this, a rank's share is below one unit of any sum that there is."""


@dataclass(frozen=True, kw_only=True)
class PayFacts:
    """What a split may rest on besides the scores, one each in their order; twin of `ISchedule.Facts`.

    roles: `roles.Role` of each; empty where all are workers
    streaks: rounds in a row before this one that each scored above 0 in, as far as the task counts; empty where it does not
    """

    roles: Sequence[int] = ()
    streaks: Sequence[int] = ()

    def as_tuple(self, participants: int) -> tuple[list[int], list[int]]:
        """Return the struct as the contract takes it."""
        return (list(self.roles) or [0] * participants, list(self.streaks) or [0] * participants)


class Schedule(Protocol):
    """A rule that splits a budget by scores, with the contract that does the same."""

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The twin contract's constructor arguments."""

    def split(self, budget: int, slashes: int, scores: Sequence[int], facts: PayFacts) -> list[int]:
        """Split a round's money by `scores` (WAD), participants ascending by address.

        budget: token units of the round itself, with what earlier rounds left to it; slashes: token units that were taken
        from stakes for this round's scores
        returns: token units that add up to both, or 0 for everybody where nobody earned
        """


@dataclass(frozen=True, kw_only=True)
class Proportional:
    """Pay in proportion to the positive scores.

    minimum_score: WAD; a score below it earns nothing, which keeps chance from being paid

    Source: docs/protocols/soft-label.md, "Pay".
    """

    minimum_score: int = 0

    def __post_init__(self) -> None:
        if self.minimum_score < 0:
            raise ValueError(f"minimum_score {self.minimum_score} is negative; it must be 0 or more (WAD)")

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "Proportional"

    @property
    def arguments(self) -> tuple[int]:
        """The twin contract's constructor arguments."""
        return (self.minimum_score,)

    def split(self, budget: int, slashes: int, scores: Sequence[int], facts: PayFacts) -> list[int]:
        """Split a round's money in proportion to `scores` (WAD), participants ascending by address.

        >>> Proportional(minimum_score=2).split(10, 0, [1, 2, 3, -5], PayFacts())
        [0, 4, 6, 0]
        """
        return split(budget + slashes, [score if score > 0 and score >= self.minimum_score else 0 for score in scores])


@dataclass(frozen=True, kw_only=True)
class TopK:
    """Pay the best: half of the money to the first, half of the rest to the next, and so on.

    Ranks 1 … K'−2 get M/2^rank; the last two share what is left, (1 + 1/K') to (1 − 1/K'), where K' is the smaller of K and
    the number of positive scores. What slashes brought in is shared by all positive scores, in proportion to them.

    What it cannot do: equal scores have to be put in some order, and small differences, or a low address, decide over large
    shares.

    k: K, how many are paid at most, 1 to 128

    Source: docs/protocols/collateral.md, "Rewards".
    Choice: the authors' schedule gives the last rank nothing. Of equal scores the lower address is first.
    """

    k: int

    def __post_init__(self) -> None:
        if not 0 < self.k <= _MOST:
            raise ConfigError(f"k is {self.k}; it must be 1 to {_MOST}")

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "TopK"

    @property
    def arguments(self) -> tuple[int]:
        """The twin contract's constructor arguments."""
        return (self.k,)

    def split(self, budget: int, slashes: int, scores: Sequence[int], facts: PayFacts) -> list[int]:
        """Split a round's money by the order of the `scores`, participants ascending by address.

        >>> TopK(k=5).split(1000, 0, [5, 9, 7, 6, 8, 4], PayFacts())
        [50, 500, 125, 75, 250, 0]
        >>> TopK(k=2).split(100, 30, [1, 2, -1], PayFacts())
        [35, 95, 0]
        """
        earned = [max(score, 0) for score in scores]
        best = sorted((i for i, score in enumerate(earned) if score), key=lambda i: (-earned[i], i))[: self.k]
        weights = [0] * len(scores)
        for rank, position in enumerate(best, start=1):
            weights[position] = _rank_weight(rank, len(best))
        return [a + b for a, b in zip(split(budget, weights), split(slashes, earned), strict=True)]


def _rank_weight(rank: int, count: int) -> int:
    """Return what one of `count` ranks gets, times count·2^(count−1)."""
    if count == 1:
        return 1
    if rank >= count - 1:
        return count - 1 if rank == count else count + 1
    return count << (count - 1 - rank)
