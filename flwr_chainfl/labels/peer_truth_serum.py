"""The peer truth serum over hard labels; twin of contracts/libraries/PeerTruthSerum.sol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.votes import MICRO, NO_REPORT, tally, validate_reports


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
    return _scores(reports, None, classes=classes)


def weighted_peer_truth_serum(
    reports: NDArray[np.uint8], weights: Sequence[int], *, classes: int
) -> list[int]:
    """Score each participant's labels against its peers' labels, in which good peers count more.

    With w_j the weights, M_i = Σ_{j≠i} w_j, A_i(k) the weight of peers that agree with i on label k, added up over
    tasks, and C_i(k) the weight of peers' reports of k::

        score_i = Σ_k ⌊ A_i(k)·(T + K)·WAD / ((C_i(k) + M_i)·T) ⌋ − WAD

    A constant or random report scores 0 in expectation, disagreement below 0. All weights equal: the unweighted
    peer truth serum.

    reports: uint8 (participants, tasks), labels below `classes`
    weights: one a participant, 0 or more, in any unit; their sum times the tasks must stay below 2⁵³
    returns: WAD, one a participant; all 0 with fewer than 3 participants, 0 where no peer has a weight

    Raises ReportShapeError when a label is no class, the array is not (participants, tasks), or a weight is negative,
    missing or too large.
    Source: docs/protocols/soft-label.md, "Weighted peer truth serum"; Radanovic, Faltings, Jurca, ACM TIST 7(4):48,
    2016 (unweighted).
    Choice: the smoothing term is the peers' total weight, which bounds the ratio.
    """
    validate_reports(reports, classes=classes)
    participants, tasks = reports.shape
    if len(weights) != participants:
        raise ReportShapeError(f"{len(weights)} weights for {participants} participants; one each is needed")
    if min(weights) < 0:
        raise ReportShapeError(f"participant {weights.index(min(weights))} has the weight {min(weights)}; 0 is the least")
    if sum(weights) * tasks >= 2**53:
        raise ReportShapeError(f"the weights of {tasks} tasks add up to {sum(weights) * tasks}; 2**53 is too much")
    return _scores(reports, np.array(weights, dtype=np.int64), classes=classes)


def _scores(reports: NDArray[np.uint8], weights: NDArray[np.int64] | None, *, classes: int) -> list[int]:
    participants, tasks = reports.shape
    if participants < 3:
        return [0] * participants
    counts, agreed = _cells(reports, tally(reports, classes=classes, weights=weights), classes=classes)
    one_each = np.ones(participants, dtype=np.int64) if weights is None else weights
    own = counts * one_each[:, None]
    others = (own.sum(axis=0) - own).tolist()
    agreed_with_others = (agreed - own).tolist()
    peers = (one_each.sum() - one_each).tolist()
    scale = (tasks + classes) * WAD
    return [
        sum(a * scale // ((c + m) * tasks) for a, c in zip(agreement, reported, strict=True) if a) - WAD if m else 0
        for agreement, reported, m in zip(agreed_with_others, others, peers, strict=True)
    ]


def _cells(
    reports: NDArray[np.uint8], gains: NDArray[np.int64], *, classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count each participant's labels of each class, and add up what they gain.

    gains: int64 (tasks, classes), what a label gains that is given to a task
    returns: int64 (participants, classes), counts and gains
    """
    participants, tasks = reports.shape
    counts = np.empty((participants, classes), dtype=np.int64)
    totals = np.empty((participants, classes), dtype=np.int64)
    gained = np.zeros((classes + 1, tasks))  # the last row is for what was not reported
    gained[:classes] = gains.T
    for row, count, total in zip(reports, counts, totals, strict=True):
        labels = np.minimum(row, classes).astype(np.intp)
        count[:] = np.bincount(labels, minlength=classes + 1)[:classes]
        own = gained.take(labels * tasks + np.arange(tasks))
        # Whole numbers below 2⁵³ in float64: exact in any order.
        total[:] = np.bincount(labels, weights=own, minlength=classes + 1)[:classes]
    return counts, totals


def peer_truth_serum_with_gaps(reports: NDArray[np.uint8], *, classes: int) -> list[int]:
    """Score by the peer truth serum where not everybody reported on every task.

    A label earns the share of agreeing peers among those who reported on the task, over how common it is among all
    peers' reports. Tasks on which only one participant reported are left out.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    returns: WAD, one a participant; 0 where there is no peer on any task. Without a gap, `peer_truth_serum`.

    Raises ReportShapeError when a label is no class or the array is not (participants, tasks).
    Source: docs/protocols/soft-label.md, "Weighted peer truth serum", with the means over what was reported.
    """
    validate_reports(reports, classes=classes, gaps=True)
    participants = len(reports)
    if int(reports.max()) < classes:
        return _scores(reports, None, classes=classes)
    if participants < 3:
        return [0] * participants
    votes = tally(reports, classes=classes)
    reporters = votes.sum(axis=1)
    compared = reporters > 1
    reports = np.where(compared, reports, np.uint8(NO_REPORT))
    shares = (np.maximum(votes - 1, 0) * MICRO) // np.maximum(reporters - 1, 1)[:, None]
    counts, agreed = _cells(reports, shares, classes=classes)
    others = counts.sum(axis=0) - counts
    m = participants - 1
    scores = []
    for agreement, reported, total, tasks in zip(
        agreed.tolist(), others.tolist(), others.sum(axis=1).tolist(), counts.sum(axis=1).tolist(), strict=True
    ):
        scale = (total + classes * m) * WAD
        scores.append(
            sum(a * scale // ((c + m) * tasks * MICRO) for a, c in zip(agreement, reported, strict=True)) - WAD
            if tasks
            else 0
        )
    return scores
