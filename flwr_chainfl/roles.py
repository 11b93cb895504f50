"""Who does what in a round: everybody trains, or workers, validators and miners that the ledger's randomness draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from flwr_chainfl.draws import draw, key_of, random_order
from flwr_chainfl.errors import ConfigError, TooFewForRolesError

_MOST_SHARES = 2**16 - 1


class Role(IntEnum):
    """What a participant does in a round, as the contracts number it."""

    WORKER = 0
    VALIDATOR = 1
    MINER = 2


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many do what."""

    workers: int
    validators: int
    miners: int


@dataclass(frozen=True)
class Everyone:
    """Everybody is a worker, and nobody judges or seals."""

    def as_shares(self) -> tuple[int, int, int]:
        """Return the shares of workers, validators and miners as the task's settings take them."""
        return (0, 0, 0)

    def draw(self, members: Sequence[str], seed: bytes) -> dict[str, Role]:
        """Return everybody's role."""
        return dict.fromkeys(members, Role.WORKER)


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """Workers, validators and miners, drawn anew for each round among all active members.

    The draw follows from public data, the last round's seed and the order of joining, so anybody can repeat it. Whoever
    brings the reveals sees the seed before they are all on the ledger, and so can choose, by leaving some out, among as
    many draws as there are choices; a source of randomness (`randomness=`) takes that away.

    Parameters
    ----------
    workers, validators, miners : int
        Shares, 1 or more each. As many of each are drawn as its share of the members comes to, rounded down but at
        least 1; the rest are workers. Where as many take part as the shares add up to, they are counts.

    Raises ConfigError when a share is out of range.
    Source: docs/protocols/role-rotation.md, "Roles"; VBFL, arXiv 2101.03300.

    Examples
    --------
    >>> Rotation().counts(20)
    Counts(workers=12, validators=5, miners=3)
    >>> Rotation().counts(10)
    Counts(workers=7, validators=2, miners=1)
    """

    workers: int = 12
    validators: int = 5
    miners: int = 3

    def __post_init__(self) -> None:
        for name, share in (("workers", self.workers), ("validators", self.validators), ("miners", self.miners)):
            if not 1 <= share <= _MOST_SHARES:
                raise ConfigError(f"the share of {name} is {share}; it must be from 1 to {_MOST_SHARES}")

    def as_shares(self) -> tuple[int, int, int]:
        """Return the shares of workers, validators and miners as the task's settings take them."""
        return (self.workers, self.validators, self.miners)

    @property
    def fewest(self) -> int:
        """Return how many members leave at least one for each role."""
        return next(n for n in range(3, 2 * (self.workers + self.validators + self.miners) + 3) if self._workers(n) >= 1)

    def counts(self, members: int) -> Counts:
        """Return how many do what.

        Raises TooFewForRolesError when no worker would be left.
        """
        if members < 3 or self._workers(members) < 1:
            raise TooFewForRolesError(
                f"{members} members cannot be workers, validators and miners in shares of {self.workers}:{self.validators}:"
                f"{self.miners}; {self.fewest} are needed, or other shares"
            )
        validators, miners = self._others(members)
        return Counts(workers=members - validators - miners, validators=validators, miners=miners)

    def draw(self, members: Sequence[str], seed: bytes) -> dict[str, Role]:
        """Return each member's role; twin of the contract's `rolesOf`.

        members: active ones, in the order in which they joined; seed: 32 bytes, of the last round

        Raises TooFewForRolesError when no worker would be left.
        """
        counts = self.counts(len(members))
        order = random_order(draw(key_of(seed), 0), len(members))
        roles = [Role.WORKER] * counts.workers + [Role.VALIDATOR] * counts.validators + [Role.MINER] * counts.miners
        drawn = {members[position]: role for position, role in zip(order, roles, strict=True)}
        return {member: drawn[member] for member in members}

    def _others(self, members: int) -> tuple[int, int]:
        shares = self.workers + self.validators + self.miners
        return max(1, members * self.validators // shares), max(1, members * self.miners // shares)

    def _workers(self, members: int) -> int:
        return members - sum(self._others(members))
