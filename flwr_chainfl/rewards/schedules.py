"""How a round's budget splits among the scored; each schedule is the twin of a contract in contracts/schedules/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flwr_chainfl.rewards.split import split


class Schedule(Protocol):
    """A rule that splits a budget by scores, with the contract that does the same."""

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The twin contract's constructor arguments."""

    def split(self, budget: int, scores: Sequence[int]) -> list[int]:
        """Split `budget` token units by `scores` (WAD), participants ascending by address."""


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

    def split(self, budget: int, scores: Sequence[int]) -> list[int]:
        """Split `budget` token units by `scores` (WAD), participants ascending by address.

        >>> Proportional(minimum_score=2).split(10, [1, 2, 3, -5])
        [0, 4, 6, 0]
        """
        return split(budget, [score if score > 0 and score >= self.minimum_score else 0 for score in scores])
