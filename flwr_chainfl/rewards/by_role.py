"""A pool for each role; twin of contracts/schedules/ByRole.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards.schedules import PayFacts
from flwr_chainfl.rewards.split import split
from flwr_chainfl.roles import Role

_MOST_SHARE = 2**64 - 1


@dataclass(frozen=True, kw_only=True)
class ByRole:
    """Split the round's money among the roles by fixed shares, and each role's pool in proportion to its positive scores.

    Scores of different roles are never compared, so they may be of any size. The pool of a role in which nobody earned
    goes to the other roles, in proportion to their shares.

    workers, validators, miners: shares
    minimum_score: WAD; a worker's score below it earns nothing, which keeps chance from being paid

    Raises ConfigError when a share or the minimum is out of range.
    Source: docs/protocols/role-rotation.md, "Rewards".
    Choice: pools by role, since units alone would pay the workers more than 99 %; shares like the roles', so that every
    role is worth the same to a participant.
    """

    workers: int = 12
    validators: int = 5
    miners: int = 3
    minimum_score: int = 0

    def __post_init__(self) -> None:
        for name, share in (("workers", self.workers), ("validators", self.validators), ("miners", self.miners)):
            if not 0 <= share <= _MOST_SHARE:
                raise ConfigError(f"the {name}' share of the money is {share}; it must be from 0 to {_MOST_SHARE}")
        if self.minimum_score < 0:
            raise ConfigError(f"minimum_score {self.minimum_score} is negative; it must be 0 or more (WAD)")

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "ByRole"

    @property
    def arguments(self) -> tuple[int, int, int, int]:
        """The twin contract's constructor arguments."""
        return (self.workers, self.validators, self.miners, self.minimum_score)

    def split(self, budget: int, slashes: int, scores: Sequence[int], facts: PayFacts) -> list[int]:
        """Split a round's money by role and score, participants ascending by address.

        >>> ByRole(workers=1, validators=1, miners=2).split(90, 10, [3, 1, 9, 0], PayFacts(roles=[0, 0, 1, 2]))
        [38, 12, 50, 0]
        """
        roles = list(facts.roles) or [Role.WORKER] * len(scores)
        weights = [
            [score if role == wanted and score > 0 and (role != Role.WORKER or score >= self.minimum_score) else 0
             for role, score in zip(roles, scores, strict=True)]
            for wanted in Role
        ]  # fmt: skip
        shares = (self.workers, self.validators, self.miners)
        pools = split(budget + slashes, [share if any(one) else 0 for share, one in zip(shares, weights, strict=True)])
        parts = [split(pool, one) for pool, one in zip(pools, weights, strict=True)]
        return [sum(part) for part in zip(*parts, strict=True)]
