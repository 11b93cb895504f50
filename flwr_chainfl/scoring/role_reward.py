"""Units of reward by role; twin of contracts/scorers/RoleRewardScorer.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.roles import Role
from flwr_chainfl.scoring.proxy_vote import ProxyVote, validators_marks, workers_of
from flwr_chainfl.scoring.scorer import Facts, Scored, Scorer

MOST_UNIT = 2**64 - 1
MOST_SCORE = 2**126
"""A score is cut off here, since a larger one could not be posted."""

_SAMPLES_LENGTH = 8


@dataclass(frozen=True, kw_only=True)
class RoleReward:
    """Score workers by what the validators accepted, validators by their votes, miners by what they sealed.

    ::

        worker, accepted:  u·n_d + u_d·n_val·max(0, acc_val(L_d) − acc_val(G_{r−1}))
        validator:         u·(workers' transactions verified) + u·(votes cast)
        miner:             u·(validators' transactions verified), if its attestation is the one that sealed the round

    Scores of different roles are of different size: pay them by `ByRole`. A rejected worker scores 0 with quality 0,
    which is its strike. A validator's quality is the share of its votes that went with the outcome, so a validator that
    votes at random is paid like the others, and loses reputation only. n_d is the worker's own word, bounded by what it
    declared when it joined.

    vote: what accepts a worker
    unit, gain_unit: u and u_d, WAD
    inner: scores the accepted workers' reports in place of the units; rejected ones count as not published

    Raises ConfigError when a unit is out of range or the inner scorer is one of roles itself.
    Source: docs/protocols/role-rotation.md, "Rewards"; VBFL, arXiv 2101.03300.
    Choice: acc_val is the median of the validators' marks (of two middle ones the mean, rounded down), and n_val the
    samples that those validators declared that gave the worker a mark, so that both terms count samples.
    """

    vote: ProxyVote = field(default_factory=ProxyVote)
    unit: int = WAD
    gain_unit: int = WAD
    inner: Scorer | None = None

    def __post_init__(self) -> None:
        for name, value in (("unit", self.unit), ("gain_unit", self.gain_unit)):
            if not 0 <= value <= MOST_UNIT:
                raise ConfigError(f"{name} is {value}; it must be from 0 to {MOST_UNIT} (WAD)")
        if isinstance(self.inner, RoleReward):
            raise ConfigError("the inner scorer is a RoleReward itself; name one of reports, such as WeightedPeerTruthSerum")

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "RoleRewardScorer"

    @property
    def arguments(self) -> tuple[int, int, int]:
        """The twin contract's constructor arguments after the inner scorer's address."""
        return (self.unit, self.gain_unit, self.vote.threshold)

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "RoleReward/1"

    @property
    def report_kind(self) -> str:
        """A report is a sample count, or what the inner scorer reads."""
        return "samples" if self.inner is None else self.inner.report_kind

    @property
    def classes(self) -> int | None:
        """Number of classes that the inner scorer tells apart; None without one."""
        return getattr(self.inner, "classes", None)

    @property
    def tasks(self) -> int | None:
        """Number of public inputs that the inner scorer reads; None without one."""
        return getattr(self.inner, "tasks", None)

    def accepted(self, reports: Sequence[bytes], facts: Facts) -> list[bool]:
        """Say of each participant whether it is a worker whose report enters the aggregate."""
        return [
            good and self._usable(report, declared)
            for good, report, declared in zip(self.vote.tally(facts).accepted, reports, facts.samples, strict=True)
        ]

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score what each participant did, in its role.

        reports: empty of all but workers; 8 bytes each, big endian, where there is no inner scorer

        >>> count = (30).to_bytes(8, "big")
        >>> marks = [[], [1 + WAD // 2, 0, 0, 1 + WAD // 4], []]
        >>> facts = Facts(samples=[40, 100, 9], roles=[0, 1, 2], marks=marks, attested=[False, False, True])
        >>> [score // WAD for score in RoleReward().score([count, b"", b""], facts).scores]  # 30 + 100 · 0.25
        [55, 2, 1]
        """
        n = len(facts.samples)
        accepted = self.accepted(reports, facts)
        scored = Scored([0] * n, [0] * n, self._notes(reports, facts))
        if self.inner is None:
            gains = self._gains(facts)
            for i in range(n):
                if accepted[i]:
                    count = int.from_bytes(reports[i], "big")
                    scored.scores[i] = min(MOST_SCORE, self.unit * count + self.gain_unit * gains[i] // WAD)
                    scored.qualities[i] = WAD
        else:
            found = self.inner.score([r if good else b"" for r, good in zip(reports, accepted, strict=True)], facts)
            for i in range(n):
                if accepted[i]:
                    scored.scores[i], scored.qualities[i] = found.scores[i], found.qualities[i]
            scored = Scored(scored.scores, scored.qualities, (*scored.notes, *found.notes))
        tally = self.vote.tally(facts)
        assessed = len(validators_marks(facts))
        for i, role in enumerate(facts.roles):
            if role == Role.VALIDATOR:
                scored.scores[i] = self.unit * (tally.marked[i] + tally.cast[i])
                scored.qualities[i] = tally.agreed[i] * WAD // tally.cast[i] if tally.cast[i] else 0
            elif role == Role.MINER and facts.attested and facts.attested[i]:
                scored.scores[i], scored.qualities[i] = self.unit * assessed, WAD
        return scored

    def _usable(self, report: bytes, declared: int) -> bool:
        if self.inner is not None:
            return len(report) > 0
        return len(report) == _SAMPLES_LENGTH and int.from_bytes(report, "big") <= declared

    def _notes(self, reports: Sequence[bytes], facts: Facts) -> tuple[tuple[str, str], ...]:
        """Tell of workers whose count is above what they declared."""
        if self.inner is not None:
            return ()
        return tuple(
            ("samples-above-declared",
             (f"a worker reports {int.from_bytes(reports[i], 'big')} samples and declared {facts.samples[i]} when it joined; "
             f"it counts nothing in this round"))
            for i in workers_of(facts)
            if len(reports[i]) == _SAMPLES_LENGTH and int.from_bytes(reports[i], "big") > facts.samples[i]
        )  # fmt: skip

    def _gains(self, facts: Facts) -> list[int]:
        """Return n_val·max(0, acc_val(L_d) − acc_val(G)) of each participant, WAD; 0 of all but workers."""
        n = len(facts.samples)
        rows = validators_marks(facts)
        gains = [0] * n
        before = [row[n] - 1 for row in rows.values() if row[n]]
        if not before:
            return gains
        for j in workers_of(facts):
            given = {i: row[j] - 1 for i, row in rows.items() if row[j]}
            if given:
                samples = sum(facts.samples[i] for i in given)
                gains[j] = samples * max(0, median(list(given.values())) - median(before))
        return gains


def median(values: Sequence[int]) -> int:
    """Return the median; of two middle values the mean, rounded down.

    >>> median([5, 1, 2, 4])
    3
    """
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
