"""Output agreement scaled as in the peer truth serum, and as a scorer; twin of contracts/scorers/OutputAgreementScorer.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.votes import validate_reports
from flwr_chainfl.scoring.pairing import draw_pairs, matches
from flwr_chainfl.scoring.scorer import Facts, Scored
from flwr_chainfl.scoring.usable import FEWEST_PARTICIPANTS, pairing_notes, usable_labels


def output_agreement(reports: NDArray[np.uint8], pairs: Sequence[Sequence[int]], *, classes: int) -> list[int]:
    """Score each participant by its agreement with its peers, a rare label counting more.

    With c(k) how many of the others' L labels are k, a task of participant i and peer j earns::

        ⌊WAD·L / c(x_it)⌋ − WAD where x_it = x_jt, else −WAD

    A constant earns 0 in expectation, or −WAD where nobody else reports that class at all. It cannot tell an honest
    majority from a large coalition that relabels together.

    reports: uint8 (participants, tasks), labels below `classes`
    pairs: of positions, as `draw_pairs` draws them
    returns: WAD, one a participant: the mean over tasks and peers, rounded down; 0 for one without a peer

    Raises ReportShapeError when a label is no class or the array is not (participants, tasks).
    Source: docs/protocols/peer-prediction.md, "Output agreement"; Radanovic, Faltings, Jurca, ACM TIST 7(4):48, 2016.
    Choice: the quotient is taken in WAD, so that the rounding costs less than one unit a task.

    >>> reports = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=np.uint8)
    >>> [score / WAD for score in output_agreement(reports, [(0, 1, 2)], classes=2)]
    [1.8, 1.8, 0.0]
    """
    return [
        earned // (met * reports.shape[1]) - WAD if met else 0
        for earned, _, met in earnings(reports, pairs, classes=classes)
    ]


def earnings(
    reports: NDArray[np.uint8], pairs: Sequence[Sequence[int]], *, classes: int
) -> list[tuple[int, int, int]]:
    """Return what each participant earned by agreeing (WAD, added up), on how many tasks, and in how many matches."""
    validate_reports(reports, classes=classes)
    counts = np.stack([np.bincount(report, minlength=classes) for report in reports])
    labels = (len(reports) - 1) * reports.shape[1] * WAD
    others = (counts.sum(axis=0) - counts).tolist()
    found = [[0, 0, 0] for _ in reports]
    for first, second, both in matches(pairs):
        same = reports[first][reports[first] == reports[second]]
        times = np.bincount(same, minlength=classes).tolist()
        for one in (first, second) if both else (first,):
            found[one][0] += sum(times[k] * (labels // others[one][k]) for k in range(classes) if times[k])
            found[one][1] += len(same)
            found[one][2] += 1
    return [(earned, agreed, met) for earned, agreed, met in found]


@dataclass(frozen=True, kw_only=True)
class OutputAgreement:
    """Output agreement with peers that the round's seed draws, scaled as in the peer truth serum: one byte a task.

    Quality is the share of tasks on which a participant agrees with its peers. Cheaper than correlated agreement, and
    blind to labels that go together without being the same.

    classes: number of classes K, 2 to 255
    tasks: number of public inputs T
    peers: of each participant, as far as there are so many
    deviations: standard deviations above chance that a report needs on the calibration items

    Source: docs/protocols/peer-prediction.md, "Output agreement".
    Choice: fewer than 3 usable reports score 0: two would know of each other.
    """

    classes: int
    tasks: int
    peers: int = 5
    deviations: int = 3

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "OutputAgreementScorer"

    @property
    def arguments(self) -> tuple[int, int, int, int]:
        """The twin contract's constructor arguments."""
        return (self.classes, self.tasks, self.peers, self.deviations)

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "OutputAgreement/1"

    @property
    def report_kind(self) -> str:
        """A report is a hard label for each task."""
        return "labels"

    @property
    def chance_deviation(self) -> int:
        """Standard deviation of a score that rests on chance, at most, where all labels are alike common; WAD."""
        return isqrt(self.classes * WAD * WAD // self.tasks)

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score reports; an unusable one has score and quality 0 and is nobody's peer.

        Unusable is one of another length, with a label that is no class, or not above chance on the calibration items.
        """
        positions, matrix = usable_labels(
            reports, classes=self.classes, tasks=self.tasks, calibration=facts.calibration, deviations=self.deviations
        )
        scored = Scored([0] * len(reports), [0] * len(reports), tuple(pairing_notes(len(positions))))
        if len(positions) < FEWEST_PARTICIPANTS:
            return scored
        pairs = draw_pairs(len(positions), facts.seed, peers=self.peers)
        for position, (earned, agreed, met) in zip(positions, earnings(matrix, pairs, classes=self.classes), strict=True):
            scored.scores[position] = earned // (met * self.tasks) - WAD
            scored.qualities[position] = agreed * WAD // (met * self.tasks)
        return scored
