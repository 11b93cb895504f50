"""Calibration items: tasks whose label the requester knows and reveals after the reports."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flwr_chainfl.errors import ReportShapeError

ITEM_BYTES = 3
"""Of an item: the task's position as two bytes, big endian, then the label."""

DEVIATIONS = 3
"""Standard deviations above chance that tell a participant from a guesser."""


def pack_calibration(positions: ArrayLike, labels: ArrayLike) -> bytes:
    """Return calibration items in the form that the contracts read.

    positions: integers (items,), tasks from 0, below 65,536; labels: integers (items,), 0 to 254
    returns: 3 bytes an item, in this order

    Raises ReportShapeError when they are no such integers or not as many of one as of the other.
    Source: docs/protocols/soft-label.md, "Calibration".

    >>> pack_calibration([3, 258], [7, 0]).hex()
    '000307010200'
    """
    where, what = np.asarray(positions), np.asarray(labels)
    if where.ndim != 1 or where.shape != what.shape:
        raise ReportShapeError(f"positions have shape {where.shape} and labels {what.shape}; (items,) twice is needed")
    for name, values, most in (("position", where, 2**16 - 1), ("label", what, 254)):
        if values.size and values.dtype.kind not in "iu":
            raise ReportShapeError(f"a calibration item's {name} is of type {values.dtype}; integers are needed")
        if values.size and not (values.min() >= 0 and values.max() <= most):
            worst = values.min() if values.min() < 0 else values.max()
            raise ReportShapeError(f"a calibration item has the {name} {worst}; 0 to {most} are possible")
    items = np.empty((len(where), ITEM_BYTES), dtype=np.uint8)
    items[:, 0], items[:, 1], items[:, 2] = where >> 8 if where.size else 0, where & 255 if where.size else 0, what
    return items.tobytes()


def unpack_calibration(
    calibration: bytes, *, tasks: int, classes: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the positions and labels of calibration items, leaving out those that are no task or no class.

    Bytes after the last whole item are ignored.

    returns: int64 (items,), uint8 (items,)

    >>> unpack_calibration(bytes.fromhex("000307010200ff"), tasks=258, classes=8)
    (array([3]), array([7], dtype=uint8))
    """
    whole = len(calibration) // ITEM_BYTES * ITEM_BYTES
    items = np.frombuffer(calibration[:whole], dtype=np.uint8).reshape(-1, ITEM_BYTES)
    positions = items[:, 0].astype(np.int64) << 8 | items[:, 1]
    labels = items[:, 2]
    kept = (positions < tasks) & (labels < classes)
    return positions[kept], labels[kept]


def above_chance(hits: int, *, items: int, classes: int, deviations: int = DEVIATIONS) -> bool:
    """Say whether so many hits are more than guessing explains.

    A guess hits with probability 1/K, so m items have m/K hits in the mean, with a variance of m·(K − 1)/K².

    hits: calibration items whose label was reported; items: m

    Source: docs/protocols/soft-label.md, "Calibration".
    Choice: three standard deviations; with 10 classes a guesser passes 40 items with a probability of 0.005.

    >>> [above_chance(hits, items=40, classes=10) for hits in (4, 9, 10)]
    [False, False, True]
    """
    surplus = hits * classes - items
    return surplus > 0 and surplus * surplus > deviations * deviations * items * (classes - 1)


def usable(
    reports: NDArray[np.uint8], *, classes: int, calibration: bytes = b"", deviations: int = DEVIATIONS
) -> NDArray[np.bool_]:
    """Return whose reports count: all labels are classes and, on the calibration items, better than chance.

    Where there are no items, or nobody is above chance on them, all reports of the right form count: then nobody can
    be told from a guesser.

    reports: uint8 (participants, tasks)
    calibration: as `pack_calibration` returns it
    returns: bool (participants,)

    Raises ReportShapeError when the array is not (participants, tasks).
    Source: docs/protocols/soft-label.md, "Calibration".
    """
    if reports.ndim != 2:
        raise ReportShapeError(f"reports have shape {reports.shape}; (participants, tasks) is needed")
    formed = np.all(reports < classes, axis=1)
    positions, labels = unpack_calibration(calibration, tasks=reports.shape[1], classes=classes)
    hits = (reports[:, positions] == labels).sum(axis=1).tolist()
    passed = np.array(
        [above_chance(h, items=len(positions), classes=classes, deviations=deviations) for h in hits], dtype=np.bool_
    )
    trusted: NDArray[np.bool_] = formed & passed
    return trusted if trusted.any() else formed
