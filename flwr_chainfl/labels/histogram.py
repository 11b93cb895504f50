"""Class histograms: how much of each class a participant holds, with noise for privacy, and the sum of them all."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, PublicSetError, ReportShapeError

_EPSILON_UNITS = 10**6
_LARGEST_EPSILON = 1000


def class_histogram(labels: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count the samples of each class.

    labels: integers (samples,), below `classes`
    returns: int64 (classes,)

    Raises ReportShapeError when labels are no integers, not one-dimensional, or no class.

    >>> class_histogram(np.array([2, 0, 2]), 4).tolist()
    [1, 0, 2, 0]
    """
    if not 2 <= classes <= 255:
        raise ReportShapeError(f"{classes} classes; between 2 and 255 are possible")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ReportShapeError(f"labels are {labels.dtype} of shape {labels.shape}; integers (samples,) are needed")
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        sample = int(wrong.argmax())
        raise ReportShapeError(
            f"sample {sample} has label {int(labels[sample])}; labels must be from 0 to {classes - 1}"
        )
    return np.bincount(labels.astype(np.int64), minlength=classes).astype(np.int64)


def laplace_histogram(
    counts: NDArray[np.int64], *, epsilon: float | None, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Add two-sided geometric (discrete Laplace) noise of scale 1/epsilon to each count, and clip at 0.

    Use it before a histogram leaves its owner. Adding or removing one sample changes one count by one, so two data
    sets that differ by one sample give any published histogram with probabilities that differ by a factor of at most
    exp(epsilon): epsilon-differential privacy for adding or removing a sample. For exchanging one sample for another
    it is 2·epsilon, and publishing again adds up. It covers the histogram only: a decoder trained on the same samples
    has no such bound.

    counts: int64 (classes,), not negative
    epsilon: from 10⁻⁶ to 1000, in steps of 10⁻⁶, rounded down; None or infinite: no noise
    generator: seed it from the operating system, `numpy.random.default_rng()`; who knows the seed can take the
        noise off again, and numpy's generators are not made to resist somebody who predicts them
    returns: int64 (classes,), not negative; P(noise = k) ∝ exp(−epsilon·|k|)

    Raises ConfigError when epsilon is out of range, ReportShapeError when counts are no histogram.
    Source: docs/protocols/soft-label.md, "Public set"; Ghosh, Roughgarden, Sundararajan, STOC 2009 (mechanism);
    Canonne, Kamath, Steinke, arXiv 2004.00010, algorithms 1 and 2 (sampler).
    Choice: integers instead of Laplace's reals, whose low bits in floating point tell neighbouring data sets apart
    (Mironov, CCS 2012); the sampler compares integers only, so its probabilities are exact.
    Choice: clipping at 0 costs no privacy, but adds mass to classes that nobody has, about 1/(2·epsilon) a count.
    """
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ReportShapeError(
            f"counts are {counts.dtype} of shape {counts.shape}; integers (classes,) of 0 or more are needed"
        )
    if epsilon is None or epsilon == math.inf:
        return counts.astype(np.int64)
    if not 1 / _EPSILON_UNITS <= epsilon <= _LARGEST_EPSILON:
        raise ConfigError(
            f"epsilon {epsilon} is not from {1 / _EPSILON_UNITS} to {_LARGEST_EPSILON}; 1 is usual, None is without noise"
        )
    units = int(Fraction(str(epsilon)) * _EPSILON_UNITS)
    noise = [_two_sided_geometric(units, _EPSILON_UNITS, generator) for _ in counts]
    return np.maximum(counts.astype(np.int64) + np.array(noise, dtype=np.int64), 0)


def label_distribution(histograms: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the share of each class in the samples of all participants.

    histograms: numbers (participants, classes), finite and not negative
    returns: float64 (classes,), summing to 1

    Raises PublicSetError when the array is of another shape, holds other numbers, or is 0 throughout.
    Source: docs/protocols/soft-label.md, "Public set".

    >>> label_distribution(np.array([[3, 0], [3, 2]])).tolist()
    [0.75, 0.25]
    """
    if histograms.ndim != 2 or histograms.size == 0:
        raise PublicSetError(f"histograms have shape {histograms.shape}; (participants, classes) is needed, neither 0")
    wrong = ~np.isfinite(histograms) | (histograms < 0)
    if wrong.any():
        participant, label = (int(x) for x in np.argwhere(wrong)[0])
        raise PublicSetError(
            f"histogram of participant {participant} has {histograms[participant, label]} samples of class {label}; "
            f"counts must be finite and 0 or more"
        )
    totals = histograms.astype(np.float64).sum(axis=0)
    if totals.sum() == 0:
        raise PublicSetError("all histograms are 0, so no class can be drawn; take a larger epsilon or more participants")
    shares: NDArray[np.float64] = totals / totals.sum()
    return shares


def _two_sided_geometric(numerator: int, denominator: int, generator: np.random.Generator) -> int:
    """Draw an integer with probability ∝ exp(−|k|·numerator/denominator), from uniform integers alone."""
    while True:
        remainder = int(generator.integers(denominator))
        if not _happens(remainder, denominator, generator):
            continue
        wholes = 0
        while _happens(1, 1, generator):
            wholes += 1
        size = (remainder + denominator * wholes) // numerator
        negative = bool(generator.integers(2))
        # Without this, 0 would come up twice: as +0 and as −0.
        if size or not negative:
            return -size if negative else size


def _happens(numerator: int, denominator: int, generator: np.random.Generator) -> bool:
    """Return true with probability exp(−numerator/denominator), a fraction from 0 to 1."""
    draws = 1
    while generator.integers(denominator * draws) < numerator:
        draws += 1
    return draws % 2 == 1
