"""Aggregations that vote once and remember nothing: by majority, or by what peers say of each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.peer_truth_serum import peer_truth_serum_with_gaps
from flwr_chainfl.labels.qualities import Aggregation, State, consensus_weights
from flwr_chainfl.labels.votes import MICRO, NO_REPORT, agreements, validate_reports, weighted_vote


def majority(reports: NDArray[np.uint8], *, classes: int, state: State | None = None) -> Aggregation:
    """Take the label that most participants give; quality is how often one agrees with it.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    state: ignored

    Raises ReportShapeError when the reports are no such matrix.

    >>> majority(np.array([[0, 2], [0, 1], [1, 1]], dtype=np.uint8), classes=3).labels.tolist()
    [0, 1]
    """
    validate_reports(reports, classes=classes, gaps=True)
    return _voted(reports, np.ones(len(reports), dtype=np.int64), classes=classes)


def peer_weighted(reports: NDArray[np.uint8], *, classes: int, state: State | None = None) -> Aggregation:
    """Take the label with the most weight, where participants weigh their peer truth serum; quality is agreement.

    A constant or random reporter weighs about nothing, however many they are, as long as the others agree beyond
    chance. Contracts compute the same labels and qualities.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    state: ignored

    Raises ReportShapeError when the reports are no such matrix.
    Source: docs/protocols/soft-label.md, "Label aggregation".
    """
    validate_reports(reports, classes=classes, gaps=True)
    return _voted(reports, peer_weights(reports, classes=classes), classes=classes)


def peer_weights(reports: NDArray[np.uint8], *, classes: int) -> NDArray[np.int64]:
    """Return each participant's vote: its peer truth serum where positive; where nobody's is, one each.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    returns: int64 (participants,), MICRO, rounded down
    """
    scores = peer_truth_serum_with_gaps(reports, classes=classes)
    weights = np.array([max(0, score) * MICRO // WAD for score in scores], dtype=np.int64)
    return weights if weights.any() else np.ones(len(reports), dtype=np.int64)


def _voted(reports: NDArray[np.uint8], weights: NDArray[np.int64], *, classes: int) -> Aggregation:
    labels = weighted_vote(reports, weights, classes=classes)
    reported = (reports != NO_REPORT).sum(axis=1).tolist()
    agreed = agreements(reports, labels).tolist()
    qualities = [a * WAD // r if r else 0 for a, r in zip(agreed, reported, strict=True)]
    return Aggregation(labels=labels, qualities=qualities, weights=consensus_weights(qualities, classes=classes))
