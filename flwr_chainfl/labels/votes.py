"""Votes over hard labels: how many there are for each class, which class wins, who agreed with it."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.labels.symbols import Symbols

NO_REPORT = 255
"""In place of a label: the participant reported none for the task, or nobody did."""

MICRO = 10**6
"""One, as the unit of weights and of evidence."""

MOST_TASKS = 2**19
"""Tasks that can be aggregated at once, so that all counts fit into 64 bits."""

_LABELS_AT_ONCE = 1 << 16
_TASKS_A_CELL = 8  # of a table of symbols, from which on symbols are faster
_NO_VOTE = -(2**63)


def validate_reports(reports: NDArray[np.uint8], *, classes: int, gaps: bool = False) -> None:
    """Check that hard-label reports are a full matrix of labels below `classes`.

    reports: uint8 (participants, tasks)
    gaps: also allow `NO_REPORT`, and at most `MOST_TASKS` tasks

    Raises ReportShapeError otherwise.
    """
    if reports.ndim != 2 or reports.size == 0:
        raise ReportShapeError(f"reports have shape {reports.shape}; (participants, tasks) is needed, neither 0")
    if reports.dtype != np.uint8:
        raise ReportShapeError(f"reports are {reports.dtype}; uint8 is needed")
    if not 2 <= classes <= 255:
        raise ReportShapeError(f"{classes} classes; between 2 and 255 are possible")
    if gaps and reports.shape[1] > MOST_TASKS:
        raise ReportShapeError(f"{reports.shape[1]} tasks; aggregate at most {MOST_TASKS} at once")
    if int(reports.max()) < classes:
        return
    wrong = reports >= classes
    if gaps:
        wrong &= reports != NO_REPORT
    if wrong.any():
        participant, task = (int(x) for x in np.argwhere(wrong)[0])
        raise ReportShapeError(
            f"participant {participant} labels task {task} with {int(reports[participant, task])}; "
            f"labels must be below the {classes} classes"
        )


def tally(
    reports: NDArray[np.uint8], *, classes: int, weights: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Add up the votes for each class of each task.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    weights: int64 (participants,); without, everybody has one vote
    returns: int64 (tasks, classes)

    The sums run over whole numbers and are exact, in any order: no sum of weights may reach 2⁵³, which float64 holds.
    """
    participants, tasks = reports.shape
    if classes * classes * _TASKS_A_CELL <= tasks and (weights is None or int(weights.min()) >= 0):
        return Symbols(reports, classes=classes).votes(weights).T
    votes = np.empty((classes, tasks), dtype=np.int64)
    gaps = int(reports.max()) >= classes
    columns = classes + 1 if gaps else classes  # the last takes what was not reported
    step = max(1, _LABELS_AT_ONCE // participants)
    for start in range(0, tasks, step):
        cut = reports[:, start : start + step]
        cut = np.minimum(cut, classes) if gaps else cut
        width = cut.shape[1]
        cells = cut * np.int64(width) + np.arange(width, dtype=np.int64)
        each = None if weights is None else np.repeat(weights.astype(np.float64), width)
        counted = np.bincount(cells.ravel(), weights=each, minlength=columns * width).reshape(columns, width)
        votes[:, start : start + step] = counted[:classes]
    return votes.T


def winners(
    votes: NDArray[np.int64], *, candidates: NDArray[np.bool_] | None = None, first_task: int = 0
) -> NDArray[np.uint8]:
    """Return the class with the most votes for each task.

    votes: int64 (tasks, classes), below 2⁵⁵ in size
    candidates: bool (tasks, classes), the classes that may win; without, all
    first_task: number of the first task; ties go to the first tied class at or after task mod K, going up and around
    returns: uint8 (tasks,), `NO_REPORT` where there is no candidate

    Choice: ties turn with the task, so that they favour no class and can be replayed; the paper breaks them at random.

    >>> winners(np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0]])).tolist()
    [0, 1, 0]
    """
    tasks, classes = votes.shape
    # How far up from a task's first class each is, (k - task) mod K, by class, as votes lie: a pattern that repeats.
    start = classes + first_task % classes
    pattern = np.tile(-np.arange(classes, dtype=np.int64) % classes, tasks // classes + 3)
    step = pattern.itemsize
    distance = as_strided(pattern[start:], shape=(classes, tasks), strides=(-step, step), writeable=False)
    keys = votes.T * classes
    keys -= distance
    if candidates is not None:
        keys[~candidates.T] = _NO_VOTE
    most = keys.max(axis=0)
    # The largest key names its class.
    found = np.arange(start, start + tasks, dtype=np.int64) - most
    found -= found // classes * classes
    best: NDArray[np.uint8] = found.astype(np.uint8)
    if candidates is not None:
        best[most == _NO_VOTE] = NO_REPORT
    return best


def weighted_vote(
    reports: NDArray[np.uint8], weights: NDArray[np.int64], *, classes: int
) -> NDArray[np.uint8]:
    """Return the label with the most votes for each task, among those that somebody gave.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    weights: int64 (participants,), may be negative
    returns: uint8 (tasks,), `NO_REPORT` where nobody reported; ties as in `winners`

    >>> reports = np.array([[0, 2], [1, 2], [1, 1]], dtype=np.uint8)
    >>> weighted_vote(reports, np.array([5, 2, 2]), classes=3).tolist()
    [0, 2]
    """
    votes = tally(reports, classes=classes, weights=weights)
    given = votes > 0 if int(weights.min()) > 0 else tally(reports, classes=classes) > 0
    return winners(votes, candidates=given)


def agreements(reports: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the tasks on which each participant reported the label.

    reports: uint8 (participants, tasks); labels: uint8 (tasks,), `NO_REPORT` agrees with nobody
    returns: int64 (participants,)
    """
    counted: NDArray[np.int64] = ((reports == labels) & (labels != NO_REPORT)).sum(axis=1, dtype=np.int64)
    return counted
