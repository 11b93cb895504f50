"""The unweighted peer truth serum as a scorer; twin of contracts/scorers/PeerTruthSerumScorer.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import majority, peer_truth_serum
from flwr_chainfl.scoring.scorer import Facts, Scored
from flwr_chainfl.scoring.usable import usable_labels

__all__ = ["PeerTruthSerum", "chance_level", "peer_truth_serum"]


def chance_level(*, tasks: int, classes: int, deviations: int = 4) -> int:
    """Return the score that a random reporter exceeds by chance only rarely.

    A random label scores about K with probability 1/K and −1 otherwise when peers agree, so the mean over T
    tasks has a standard deviation of at most about √(K/T). Scores within `deviations` of these cannot be told
    from chance.

    returns: WAD, rounded down

    Source: docs/protocols/soft-label.md, "Pay".
    Choice: 4 standard deviations; the paper pays every positive score.

    >>> chance_level(tasks=400, classes=10) / 10**18  # doctest: +ELLIPSIS
    0.632455...
    """
    return deviations * isqrt(classes * WAD * WAD // tasks)


@dataclass(frozen=True, kw_only=True)
class PeerTruthSerum:
    """The unweighted peer truth serum as a scorer: a report is one byte a task.

    Quality is the share of tasks on which a participant agrees with the majority.

    classes: number of classes K, 2 to 255
    tasks: number of public inputs T

    Source: docs/protocols/soft-label.md, "Peer truth serum".
    """

    classes: int
    tasks: int

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "PeerTruthSerumScorer"

    @property
    def arguments(self) -> tuple[int, int]:
        """The twin contract's constructor arguments."""
        return (self.classes, self.tasks)

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "PeerTruthSerum/1"

    @property
    def report_kind(self) -> str:
        """A report is a hard label for each task."""
        return "labels"

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score reports; one of another length or with a label that is no class has 0 of both and is nobody's peer.

        Calibration items are ignored.
        """
        scores, qualities = [0] * len(reports), [0] * len(reports)
        positions, matrix = usable_labels(reports, classes=self.classes, tasks=self.tasks)
        if positions:
            found = peer_truth_serum(matrix, classes=self.classes)
            agreed = majority(matrix, classes=self.classes).qualities
            for index, score, quality in zip(positions, found, agreed, strict=True):
                scores[index], qualities[index] = score, quality
        return Scored(scores, qualities)
