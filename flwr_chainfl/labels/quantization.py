"""Soft labels on a grid: each class gets a whole number of units, and each task has the same number to share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, ReportShapeError, SoftLabelError
from flwr_chainfl.labels.consensus import validate_soft_labels

MAX_BITS = 8

# Probabilities become multiples of 2^-52, which is exact for a float32 of 2^-29 or more. A product with at
# most 255 units then stays below 2^61, and a sum over 255 classes below 2^53.
_SCALE = 2.0**52


def unit_total(bits: int) -> int:
    """Return how many units the classes of one task share: 2^bits − 1.

    Raises ConfigError when `bits` is not 1 to 8.

    >>> [unit_total(bits) for bits in (1, 2, 8)]
    [1, 3, 255]
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= MAX_BITS:
        raise ConfigError(f"bits is {bits!r}; a whole number from 1 to {MAX_BITS} is needed")
    return (1 << bits) - 1


def quantize(soft_labels: NDArray[np.float32], *, bits: int) -> NDArray[np.uint8]:
    """Return near soft labels that are multiples of 1/(2^bits − 1) and have the same hard labels.

    Each task has 2^bits − 1 units. A class first gets its share rounded down; what is left goes, one unit
    each, to the largest remainders, ties to the lowest class. This is the nearest there is, by the sum of absolute
    differences. But with few bits the most probable class may be left with as many units as another. Then it gets one
    more, from the smallest remainder that got one. A class that is more probable than another never gets fewer units. With
    one bit all of it goes to the most probable class, as in `hard_labels`.

    soft_labels: float32 (tasks, classes), rows summing to 1 within 0.001; taken in proportion to their sum
    bits: 1 to 8
    returns: uint8 (tasks, classes), rows summing to 2^bits − 1

    Raises ConfigError when `bits` is not 1 to 8, ReportShapeError when the array is not float32, not
    two-dimensional, without tasks or of a number of classes other than 2 to 255, SoftLabelError when a row
    is no distribution.
    Source: docs/protocols/soft-label.md, "Compression"; Sattler et al., CFD, arXiv 2012.00632.
    Choice: shares and remainders are integers, so that everybody gets the same units; ties to the lowest class. The unit
    that keeps the hard label is ours (docs/benchmarks.md, "Skewed data", shows what it is worth at two bits).

    >>> quantize(np.array([[0.2, 0.3, 0.5]], dtype=np.float32), bits=2).tolist()
    [[0, 1, 2]]
    >>> quantize(np.array([[0.5, 0.3, 0.2]], dtype=np.float32), bits=8).tolist()
    [[127, 77, 51]]
    """
    total = unit_total(bits)
    _require_matrix("soft labels", soft_labels, np.float32)
    tasks, classes = soft_labels.shape
    validate_soft_labels(soft_labels, tasks=tasks, classes=classes)
    weights = np.rint(soft_labels.astype(np.float64) * _SCALE).astype(np.int64)
    units, remainders = np.divmod(weights * total, weights.sum(axis=1, keepdims=True))
    unshared = total - units.sum(axis=1, keepdims=True)
    by_remainder = np.argsort(-remainders, axis=1, kind="stable")
    extra = np.empty_like(units)
    np.put_along_axis(extra, by_remainder, (np.arange(classes) < unshared).astype(np.int64), axis=1)
    _keep_first(weights, units, extra, by_remainder, unshared)
    return (units + extra).astype(np.uint8)


def _keep_first(
    weights: NDArray[np.int64],
    units: NDArray[np.int64],
    extra: NDArray[np.int64],
    by_remainder: NDArray[np.intp],
    unshared: NDArray[np.int64],
) -> None:
    """Move a unit of `extra` to the most probable class where another one has as many; all (tasks, classes)."""
    given = units + extra
    first = weights.argmax(axis=1)[:, None]
    alone = (weights == weights.max(axis=1, keepdims=True)).sum(axis=1) == 1
    tied = (given == np.take_along_axis(given, first, axis=1)).sum(axis=1) > 1
    rows = np.flatnonzero(alone & tied)
    # Shares that need no rounding are as different as the probabilities, so that here some unit was given away.
    last = np.take_along_axis(by_remainder[rows], unshared[rows] - 1, axis=1)[:, 0]
    second = by_remainder[rows, np.maximum(unshared[rows, 0] - 2, 0)]
    extra[rows, np.where(last == first[rows, 0], second, last)] -= 1
    extra[rows, first[rows, 0]] += 1


def dequantize(units: NDArray[np.uint8], *, bits: int) -> NDArray[np.float32]:
    """Return the soft labels of units.

    units: uint8 (tasks, classes), rows summing to 2^bits − 1
    returns: float32 (tasks, classes), rows summing to 1

    Raises ConfigError when `bits` is not 1 to 8, ReportShapeError or SoftLabelError when these are no units.
    Source: docs/protocols/soft-label.md, "Compression".

    >>> dequantize(np.array([[3, 0], [0, 3]], dtype=np.uint8), bits=2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    validate_units(units, bits=bits)
    return (units / np.float64(unit_total(bits))).astype(np.float32)


def validate_units(units: NDArray[np.uint8], *, bits: int) -> None:
    """Check that units are 2^bits − 1 for each task.

    units: uint8 (tasks, classes)

    Raises ConfigError when `bits` is not 1 to 8, ReportShapeError when the array is not uint8, not
    two-dimensional, without tasks or of a number of classes other than 2 to 255, SoftLabelError when a row
    sums to something else.
    """
    total = unit_total(bits)
    _require_matrix("units", units, np.uint8)
    sums = units.sum(axis=1, dtype=np.int64)
    if (sums != total).any():
        row = int(np.flatnonzero(sums != total)[0])
        raise SoftLabelError(
            f"units of public input {row} sum to {sums[row]}, not {total}; quantize with {bits} bits"
        )


def require_size(tasks: int, classes: int) -> None:
    """Raise ReportShapeError unless there is a task and there are 2 to 255 classes."""
    if tasks < 1:
        raise ReportShapeError(f"{tasks} tasks; at least 1 is needed")
    if not 2 <= classes <= 255:
        raise ReportShapeError(f"{classes} classes; between 2 and 255 are possible")


def _require_matrix(what: str, array: NDArray[np.generic], dtype: type[np.generic]) -> None:
    if array.ndim != 2 or array.dtype != dtype:
        raise ReportShapeError(
            f"{what} are {array.dtype} of shape {array.shape}; {np.dtype(dtype)} (tasks, classes) is needed"
        )
    require_size(*array.shape)
