"""Validators' votes, from the marks they gave: is a contribution worse than what the round began with, or is it not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.roles import Role
from flwr_chainfl.scoring.scorer import Facts


@dataclass(frozen=True)
class Tally:
    """What was voted, participants in the order of the facts.

    accepted: by the votes alone, False of all but workers; marked: workers that a validator gave a mark; cast: its votes;
    agreed: those of them that went with the outcome
    """

    accepted: list[bool]
    marked: list[int]
    cast: list[int]
    agreed: list[int]


@dataclass(frozen=True, kw_only=True)
class ProxyVote:
    """A validator's vote on a worker: negative iff the reference's mark − the worker's mark > threshold.

    Marks are accuracies on the validator's own data (or agreements in label space), so a validator cannot tell who knows
    classes that it has not: on skewed data small thresholds reject the honest, large ones accept the harmful
    (docs/benchmarks.md, "Role rotation"). A worker is accepted iff the positive votes are at least as many as the
    negative ones. Half of the validators can have their way with anybody.

    threshold: δ, WAD

    Raises ConfigError when the threshold is not from 0 to 1.
    Source: docs/protocols/role-rotation.md, "Votes"; VBFL, arXiv 2101.03300.
    Choice: a worker on which nobody votes, though validators vote on others, is not accepted: nobody could evaluate what it
    sent, or it sent it to nobody. Where nobody votes at all, all are accepted, so that silent validators exclude nobody.
    A validator that gave the reference no mark casts no votes.
    """

    threshold: int = 8 * WAD // 100

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= WAD:
            raise ConfigError(f"the vote's threshold is {self.threshold}; it must be from 0 to {WAD} (1.0 in WAD)")

    def is_negative(self, reference: int, mark: int) -> bool:
        """Return the vote on a mark; both WAD."""
        return reference - mark > self.threshold

    def tally(self, facts: Facts) -> Tally:
        """Count the votes that the marks of validators come to.

        >>> facts = Facts(samples=[1] * 3, roles=[0, 0, 1], marks=[[], [], [1 + WAD // 2, 1 + WAD, 0, 1 + WAD]])
        >>> ProxyVote().tally(facts)
        Tally(accepted=[False, True, False], marked=[0, 0, 2], cast=[0, 0, 2], agreed=[0, 0, 2])
        """
        n = len(facts.samples)
        rows = validators_marks(facts)
        workers = workers_of(facts)
        votes = {i: {j: self.is_negative(row[n], row[j]) for j in workers if row[j] and row[n]} for i, row in rows.items()}
        anybody = any(votes.values())
        accepted = [False] * n
        for j in workers:
            cast = [vote[j] for vote in votes.values() if j in vote]
            accepted[j] = 2 * sum(cast) <= len(cast) and (bool(cast) or not anybody)
        tally = Tally(accepted, [0] * n, [0] * n, [0] * n)
        for i, row in rows.items():
            tally.marked[i] = sum(1 for j in workers if row[j])
            tally.cast[i] = len(votes[i])
            tally.agreed[i] = sum(1 for j, negative in votes[i].items() if negative != accepted[j])
        return tally


def workers_of(facts: Facts) -> list[int]:
    """Return the positions of the workers."""
    return [i for i in range(len(facts.samples)) if not facts.roles or facts.roles[i] == Role.WORKER]


def validators_marks(facts: Facts) -> dict[int, Sequence[int]]:
    """Return the validators' rows of marks by position, of those that gave any."""
    n = len(facts.samples)
    return {i: row for i, row in enumerate(facts.marks) if len(row) == n + 1 and facts.roles[i] == Role.VALIDATOR}
