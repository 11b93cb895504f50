"""Peer truth serum over hard labels; twin of contracts/libraries/PeerTruthSerum.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.consensus import validate_reports


def peer_truth_serum(reports: NDArray[np.uint8], *, classes: int) -> list[int]:
    """Score each participant's labels by how often peers agree, over how common each label is among them.

    With m peers, T tasks and K classes, a_i(k) agreements with a peer on label k, and c_{-i}(k) peers'
    reports of k::

        score_i = Σ_k ⌊ a_i(k)·(T + K)·WAD / ((c_{-i}(k) + m)·T) ⌋ − WAD

    A constant or random report scores 0 in expectation, disagreement below 0. It cannot tell an honest
    majority from a large coalition that relabels together.

    reports: uint8 (participants, tasks), labels below `classes`
    returns: WAD, one a participant; all 0 with fewer than 3 participants

    Raises ReportShapeError when a label is no class or the array is not (participants, tasks).
    Source: docs/protocols/soft-label.md, "Peer truth serum"; Radanovic, Faltings, Jurca, ACM TIST 7(4):48, 2016.
    Choice: the smoothing term is the peers' number, which bounds the ratio.
    """
    validate_reports(reports, classes=classes)
    participants, tasks = reports.shape
    if participants < 3:
        return [0] * participants
    one_hot = reports[:, :, None] == np.arange(classes, dtype=np.uint8)
    votes = one_hot.sum(axis=0, dtype=np.int64)  # (tasks, classes)
    counts = one_hot.sum(axis=1, dtype=np.int64)  # (participants, classes)
    totals = counts.sum(axis=0)
    scores = []
    for own, count in zip(one_hot, counts, strict=True):
        agreements = (votes * own).sum(axis=0) - count
        scores.append(
            sum(
                int(a) * (tasks + classes) * WAD // ((int(c) + participants - 1) * tasks)
                for a, c in zip(agreements, totals - count, strict=True)
            )
            - WAD
        )
    return scores


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

    def score(self, reports: Sequence[bytes], samples: Sequence[int]) -> list[int]:
        """Score reports; one of another length or with a label that is no class scores 0 and is nobody's peer."""
        valid = [
            index
            for index, report in enumerate(reports)
            if len(report) == self.tasks and max(report) < self.classes
        ]
        scores = [0] * len(reports)
        if valid:
            matrix = np.stack([np.frombuffer(reports[index], dtype=np.uint8) for index in valid])
            for index, score in zip(valid, peer_truth_serum(matrix, classes=self.classes), strict=True):
                scores[index] = score
        return scores
