"""The seam of all scorers: bytes that participants revealed in, integer scores out, and the contract that agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Scored:
    """What a round's reports are worth, participants in the order of the reports.

    scores: WAD, may be negative: what is paid for
    qualities: WAD, 0 to 1: what reputation is made of
    notes: what the run record should tell of this scoring, kind and text; no part of the result
    """

    scores: list[int]
    qualities: list[int]
    notes: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a round's scoring rests on besides the reports; twin of `IScorer.Facts`.

    samples: what each participant declared at joining, in the order of the reports
    calibration: items that the requester revealed (`labels.pack_calibration`); empty for none
    seed: 32 bytes, of the round's random draws; nobody knew it before the last commitment
    roles: `roles.Role` of each; empty where all are workers
    marks: marks[i][j] is 1 more than the score that participant i gave j, WAD, or 0 for none; marks[i][n], of n
    participants, the same for what the round began with; row i is empty where i gave no scores; all empty for none
    attested: whether each attested the hash that the round was sealed with; empty where there is no seal
    """

    samples: Sequence[int]
    calibration: bytes = b""
    seed: bytes = field(default=bytes(32))
    roles: Sequence[int] = ()
    marks: Sequence[Sequence[int]] = ()
    attested: Sequence[bool] = ()

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the struct as the contract takes it."""
        n = len(self.samples)
        return (
            list(self.samples),
            self.calibration,
            self.seed,
            list(self.roles) or [0] * n,
            [list(row) for row in self.marks] or [[]] * n,
            list(self.attested) or [False] * n,
        )


class Scorer(Protocol):
    """What a contribution is worth, with the contract that computes the same."""

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The twin contract's constructor arguments."""

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""

    @property
    def report_kind(self) -> str:
        """What a report holds: ``labels`` or ``samples``; an exchange must provide that kind."""

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score revealed reports, participants ascending by address.

        reports: what each participant revealed, in the form that the twin contract reads
        returns: one score and quality each; a malformed report has 0 of both and counts for nobody else
        """
