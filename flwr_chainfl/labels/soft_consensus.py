"""The consensus soft labels of a round: a weighted mean that is formed one report at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, ReportShapeError

_SMALLEST = 1e-9
_UNITS = 2.0**29
_WEIGHT_BITS = 32
_SPARE_BITS = 9  # so that sums over classes stay below 2^53, which float64 holds exactly


def weighted_soft_labels(
    soft_labels: Iterable[NDArray[np.float32]], weights: Sequence[int] | Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """Return the weighted mean of the participants' soft labels; all weights 0: the plain mean.

    It holds one report and the sum, however many participants there are: pass a generator.

    soft_labels: float32 (tasks, classes) each, one a participant; the order decides the rounding, so pass them in
        ascending order of address
    weights: one each, or one for each class each; 0 or more, in any unit
    returns: float32 (tasks, classes), rows summing to 1

    Raises ReportShapeError when there are none, shapes differ or a weight is negative.
    Source: docs/protocols/soft-label.md, "Consensus".

    >>> a, b = np.array([[1, 0]], dtype=np.float32), np.array([[0, 1]], dtype=np.float32)
    >>> weighted_soft_labels([a, b], [3, 1]).tolist()
    [[0.75, 0.25]]
    """
    shares = np.array(weights, dtype=np.float64)
    if (shares < 0).any():
        raise ReportShapeError(f"a participant has the weight {int(shares.min())}; weights are 0 or more")
    if not shares.any():
        shares = np.ones(len(shares))
    total: NDArray[np.float64] | None = None
    for index, (one, share) in enumerate(zip(soft_labels, shares, strict=True)):
        if total is None:
            total = np.zeros(one.shape, dtype=np.float64)
        if one.shape != total.shape:
            raise ReportShapeError(
                f"soft labels {index} have shape {one.shape}, the first have {total.shape}; all must be equal"
            )
        if share.any():
            total += one * share
    if total is None:
        raise ReportShapeError("0 soft label sets to average; at least 1 is needed")
    total /= total.sum(axis=1, keepdims=True)
    return total.astype(np.float32)


def exact_soft_labels(
    soft_labels: Iterable[NDArray[np.float32]], weights: Sequence[int] | Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """Return what `weighted_soft_labels` does from sums of whole numbers, the same bits on every machine.

    Probabilities are rounded to multiples of 2^-29, and weights to 32 bits in all.

    Raises ReportShapeError when there are none, shapes differ or a weight is negative.
    Source: docs/protocols/role-rotation.md, "With soft labels".

    >>> a, b = np.array([[1, 0]], dtype=np.float32), np.array([[0, 1]], dtype=np.float32)
    >>> exact_soft_labels([a, b], [3, 1]).tolist()
    [[0.75, 0.25]]
    """
    rows = [list(one) if isinstance(one, Sequence) else [one] for one in weights]
    if any(weight < 0 for row in rows for weight in row):
        raise ReportShapeError(f"a participant has the weight {min(map(min, rows))}; weights are 0 or more")
    if not any(any(row) for row in rows):
        rows = [[1] for _ in rows]
    excess = max(0, sum(map(max, rows)).bit_length() - _WEIGHT_BITS)
    total: NDArray[np.int64] | None = None
    for index, (one, row) in enumerate(zip(soft_labels, rows, strict=True)):
        if total is None:
            total = np.zeros(one.shape, dtype=np.int64)
        if one.shape != total.shape:
            raise ReportShapeError(
                f"soft labels {index} have shape {one.shape}, the first have {total.shape}; all must be equal"
            )
        share = np.array([weight >> excess for weight in row], dtype=np.int64)
        total += np.rint(one.astype(np.float64) * _UNITS).astype(np.int64) * share
    if total is None:
        raise ReportShapeError("0 soft label sets to average; at least 1 is needed")
    shares = (total >> _SPARE_BITS).astype(np.float64)
    mean: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return mean.astype(np.float32)


def reduce_entropy(soft_labels: NDArray[np.float32], *, temperature: float) -> NDArray[np.float32]:
    """Return soft labels sharpened (temperature below 1) or softened (above 1): softmax(log p / temperature).

    soft_labels: float32 (tasks, classes)

    Raises ConfigError when the temperature is not above 0.
    Source: docs/protocols/soft-label.md, "Consensus"; Itahara et al., DS-FL, arXiv 2008.06180 (entropy reduction
    aggregation, there with softmax(p / T) and T = 0.1).
    Choice: of the logarithm, so that a temperature of 1 changes nothing.

    >>> reduce_entropy(np.array([[0.75, 0.25]], dtype=np.float32), temperature=0.5).round(2).tolist()
    [[0.8999999761581421, 0.10000000149011612]]
    """
    if not temperature > 0:
        raise ConfigError(f"temperature is {temperature}; it must be above 0")
    if temperature == 1:
        return soft_labels
    logits = np.log(np.maximum(soft_labels, _SMALLEST).astype(np.float64)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    sharpened = np.exp(logits)
    sharpened /= sharpened.sum(axis=1, keepdims=True)
    return sharpened.astype(np.float32)
