"""How a round's budget splits among the scored; each schedule is the twin of a contract in contracts/schedules/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.rewards.split import split


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
class Consistency:
    """Pay in proportion to the positive scores, and more to those that earned in the rounds before, too.

    alpha: WAD; what each round in a row adds to a score, as a share of it; cap: rounds in a row that count at most

    The task counts the rounds (`streak_cap` of its settings, at least `cap`): a round in which a participant does not score
    above 0 begins the count anew. It rewards staying, whatever for: who earns little earns a little more.

    Source: docs/protocols/alignment.md, "Consistency"; Wu and Seneviratne, arXiv 2502.14170.
    """

    alpha: int = WAD // 10
    cap: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 10 * WAD:
            raise ConfigError(f"alpha is {self.alpha}; 0 to {10 * WAD} are possible (WAD)")
        if not 0 <= self.cap <= 100:
            raise ConfigError(f"cap is {self.cap}; 0 to 100 rounds are possible")

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "Consistency"

    @property
    def arguments(self) -> tuple[int, int]:
        """The twin contract's constructor arguments."""
        return (self.alpha, self.cap)

    def split(self, budget: int, slashes: int, scores: Sequence[int], facts: PayFacts) -> list[int]:
        """Split a round's money by scores times 1 + alpha · rounds in a row, participants ascending by address.

        >>> Consistency().split(250, 0, [2, 2, -1], PayFacts(streaks=[0, 9, 9]))
        [100, 150, 0]
        """
        streaks = facts.streaks or [0] * len(scores)
        weights = [
            score * (WAD + self.alpha * min(streak, self.cap)) // WAD if score > 0 else 0
            for score, streak in zip(scores, streaks, strict=True)
        ]
        return split(budget + slashes, weights)
