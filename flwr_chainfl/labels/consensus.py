"""Consensus of what participants report on shared inputs: majority of hard labels, mean of soft labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ReportShapeError, SoftLabelError
from flwr_chainfl.labels.votes import tally, validate_reports

SUM_TOLERANCE = 1e-3


def majority_vote(reports: NDArray[np.uint8], *, classes: int) -> NDArray[np.uint8]:
    """Return the label that most participants give to each task, ties to the lowest class.

    reports: uint8 (participants, tasks), labels below `classes`
    returns: uint8 (tasks,)

    Raises ReportShapeError when the array is not two-dimensional, empty, or holds a label that is no class.
    Source: docs/protocols/soft-label.md, "Consensus".

    >>> majority_vote(np.array([[0, 2], [0, 1], [1, 1]], dtype=np.uint8), classes=3).tolist()
    [0, 1]
    """
    validate_reports(reports, classes=classes)
    winners: NDArray[np.uint8] = tally(reports, classes=classes).argmax(axis=1).astype(np.uint8)
    return winners


def mean_soft_labels(soft_labels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the mean of the participants' soft labels.

    soft_labels: float32 (tasks, classes) each, one a participant; the order decides the rounding,
        so pass them in ascending order of address
    returns: float32 (tasks, classes), rows summing to 1

    Raises ReportShapeError when there are none or shapes differ.
    Source: docs/protocols/soft-label.md, "Consensus"; Itahara et al., DS-FL, arXiv 2008.06180.
    """
    if len(soft_labels) == 0:
        raise ReportShapeError("0 soft label sets to average; at least 1 is needed")
    total = np.zeros(soft_labels[0].shape, dtype=np.float64)
    for index, one in enumerate(soft_labels):
        if one.shape != total.shape:
            raise ReportShapeError(
                f"soft labels {index} have shape {one.shape}, the first have {total.shape}; all must be equal"
            )
        total += one
    total /= total.sum(axis=1, keepdims=True)
    return total.astype(np.float32)


def hard_labels(soft_labels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the most probable class of each row, ties to the lowest class.

    soft_labels: float32 (tasks, classes)
    returns: uint8 (tasks,)
    """
    winners: NDArray[np.uint8] = soft_labels.argmax(axis=1).astype(np.uint8)
    return winners


def validate_soft_labels(soft_labels: NDArray[np.float32], *, tasks: int, classes: int) -> None:
    """Check that soft labels are one distribution over the classes for each task.

    soft_labels: float32 (tasks, classes)

    Raises SoftLabelError for another shape, a value that is not finite or is negative, or a row that
    does not sum to 1 within 0.001.
    """
    if soft_labels.shape != (tasks, classes):
        raise SoftLabelError(
            f"soft labels have shape {soft_labels.shape}; the task has {tasks} public inputs and {classes} "
            f"classes, so ({tasks}, {classes}) is needed"
        )
    finite = np.isfinite(soft_labels)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise SoftLabelError(f"soft label of public input {row} is not finite; train with a lower learning rate")
    if (soft_labels < 0).any():
        row = int(np.argwhere(soft_labels < 0)[0][0])
        raise SoftLabelError(
            f"soft label of public input {row} holds {soft_labels.min():.4g}, below 0; send probabilities, not logits"
        )
    sums = soft_labels.sum(axis=1, dtype=np.float64)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > SUM_TOLERANCE:
        raise SoftLabelError(
            f"soft label of public input {worst} sums to {sums[worst]:.4g}, not 1; send probabilities, not logits"
        )
