"""The mean of models in whole numbers: the same bits on every machine and with any number of threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, ReportShapeError

FRACTION_BITS = 24
LARGEST = 2**14
"""No parameter may be larger, so that 2^24 samples fit into 64 bits."""

_MOST_SAMPLES = 2**24
_ONE = 1 << 16  # of α
_UNITS = float(1 << FRACTION_BITS)


@dataclass(frozen=True, kw_only=True)
class ExactMean:
    """G ← (1 − α)·G + α·Σ w_d·L_d, over parameters in units of 2^-24.

    Each parameter is rounded to the nearest unit, products and sums are exact 64-bit integers, and the mean is rounded
    half up, once. So the order of the models decides nothing, and neither do threads, vector instructions or libraries: who
    has the same models gets the same bytes. Parameters of integers are averaged in units of 1 and rounded likewise.

    What it costs: a parameter changes by up to 3·10^-8, and none may be larger than 16,384.

    uniform: whether all count alike, instead of by sample counts; mixing: α, above 0 and up to 1, in steps of 2^-16

    Raises ConfigError when mixing is out of range.
    Source: docs/protocols/role-rotation.md, "Aggregation"; Electronics 13(4):679, 2024 (mixing).
    Choice: where there are more than 2^24 samples in all, counts are halved until there are not, rounded up.
    """

    uniform: bool = False
    mixing: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.mixing <= 1 or self._alpha == 0:
            raise ConfigError(f"mixing is {self.mixing}; it must be above 0 (2^-16 or more) and up to 1")

    @property
    def _alpha(self) -> int:
        return round(self.mixing * _ONE)

    def mean(self, models: Iterable[ArrayRecord], samples: Sequence[int], before: ArrayRecord) -> ArrayRecord:
        """Return the next global model; `before` itself where nobody counts.

        models: of `before`'s names, shapes and types (see `weights.same_shapes`), taken one at a time
        samples: what each counts, 0 or more, where not all count alike
        before: the model that the round began with

        Raises ReportShapeError when a parameter is out of range.
        """
        shares = _bounded([1] * len(samples) if self.uniform else list(samples))
        total = sum(shares)
        if total == 0:
            return before
        sums = {name: np.zeros(array.shape, dtype=np.int64) for name, array in before.items()}
        for model, share in zip(models, shares, strict=True):
            for name, array in model.items():
                sums[name] += np.int64(share) * in_units(name, array.numpy())
        mixed: dict[str, Array] = {}
        for name, array in before.items():
            mean = _rounded(sums[name], total)
            if self._alpha < _ONE:
                kept = (_ONE - self._alpha) * in_units(name, array.numpy())
                mean = _rounded(kept + self._alpha * mean, _ONE)
            mixed[name] = Array(_from_units(mean, array.numpy().dtype))
        return ArrayRecord(mixed)


def in_units(name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """Return parameters in units of 2^-24, those of integers in units of 1.

    Raises ReportShapeError when one is larger than `LARGEST` or not finite, or the array is of no numbers.

    >>> in_units("w", np.array([0.5, -1.0], dtype=np.float32)).tolist()
    [8388608, -16777216]
    """
    if values.dtype.kind not in "fiu":
        raise ReportShapeError(f"array {name!r} is of type {values.dtype}; numbers are needed to average it exactly")
    if values.size and not (np.abs(values.astype(np.float64)) <= LARGEST).all():
        raise ReportShapeError(
            f"array {name!r} has a parameter that is not finite or beyond ±{LARGEST}, of {np.abs(values).max()}; train with a "
            f"lower learning rate"
        )
    if values.dtype.kind != "f":
        return values.astype(np.int64)
    units: NDArray[np.float64] = np.rint(values.astype(np.float64) * _UNITS)
    return units.astype(np.int64)


def _from_units(units: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind != "f":
        return units.astype(dtype)
    values: NDArray[np.float64] = units.astype(np.float64) / _UNITS
    return values.astype(dtype)


def _bounded(samples: list[int]) -> list[int]:
    while sum(samples) > _MOST_SAMPLES:
        samples = [(count + 1) // 2 for count in samples]
    return samples


def _rounded(sums: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Divide, rounding half up."""
    quotient, remainder = np.divmod(sums, np.int64(total))
    return np.asarray(quotient + (2 * remainder >= total), dtype=np.int64)
