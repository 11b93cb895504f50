"""How far reported labels go with those of one's own model: a validator's mark in label space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.calibration import unpack_calibration
from flwr_chainfl.labels.consensus import hard_labels
from flwr_chainfl.labels.votes import MICRO


def proxy_agreement(own: NDArray[np.float32], reported: NDArray[np.uint8], *, calibration: bytes = b"") -> int:
    """Return the share of tasks on which a report says what one's own model says, weighted by that model's confidence.

    On calibration items the known label stands for the model's, with full confidence.

    own: float32 (tasks, classes), rows summing to 1; reported: uint8 (tasks,); calibration: as `pack_calibration` returns it
    returns: WAD, rounded down

    Raises ReportShapeError when there is not one label a task.
    Source: docs/protocols/role-rotation.md, "With soft labels".

    >>> own = np.array([[0.75, 0.25], [0.25, 0.75]], dtype=np.float32)
    >>> proxy_agreement(own, np.array([0, 0], dtype=np.uint8)) / WAD
    0.5
    """
    tasks, classes = own.shape
    if reported.shape != (tasks,):
        raise ReportShapeError(f"a report has labels of shape {reported.shape}; one for each of {tasks} tasks is needed")
    labels = hard_labels(own)
    weights = np.rint(own.max(axis=1).astype(np.float64) * MICRO).astype(np.int64)
    positions, known = unpack_calibration(calibration, tasks=tasks, classes=classes)
    labels[positions], weights[positions] = known, MICRO
    return int(weights[labels == reported].sum()) * WAD // int(weights.sum())
