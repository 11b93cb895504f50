"""Pay that grows with the rounds that a participant has earned in without a break; twin of contracts/schedules/Consistency.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.rewards.schedules import PayFacts
from flwr_chainfl.rewards.split import split


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
