"""Model parameters as signals: a weight update as one label a parameter, for the mechanisms that score labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flwr.app import ArrayRecord
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, ReportShapeError

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


@dataclass(frozen=True, kw_only=True)
class Signals:
    """Which parameters of a weight update are reported, and on how many levels.

    A free-rider that knows the rule can train the reported parameters alone and send rubbish in the others: pay by
    signals rewards what is looked at. What is aggregated should be bounded by other means too, such as clipping or a
    robust inner strategy.

    tasks: how many parameters are reported, 6 to 24,575
    levels: K, 2 to 255; level 0 has a participant's smallest changes, level K − 1 its largest

    Source: docs/protocols/peer-prediction.md, "Parameters as signals"; Witt et al., arXiv 2603.28434.
    Choice: levels are a participant's own quantiles, so that neither its learning rate nor its data's size shows, and so
    that they are found by comparing alone, which gives the same bytes on every machine. Equal changes have equal levels:
    parameters that nobody changes say nothing. Three levels: down, hardly, up.
    """

    tasks: int
    levels: int = 3

    def __post_init__(self) -> None:
        if not 6 <= self.tasks <= 24_575:
            raise ConfigError(f"signals have {self.tasks} tasks; 6 to 24575 parameters can be reported")
        if not 2 <= self.levels <= 255:
            raise ConfigError(f"signals have {self.levels} levels; 2 to 255 are possible")

    def report(self, arrays: ArrayRecord, reference: ArrayRecord) -> bytes:
        """Return the level of each reported parameter's change, one byte each.

        arrays: trained; reference: the global model that the training began with, of the same names and shapes

        Raises ReportShapeError when there are fewer parameters than are to be reported.
        """
        return quantile_levels(self._changes(arrays, reference), levels=self.levels).tobytes()

    def _changes(self, arrays: ArrayRecord, reference: ArrayRecord) -> NDArray[np.float64]:
        names = sorted(name for name, array in reference.items() if array.numpy().dtype.kind == "f")
        ends = np.cumsum([reference[name].numpy().size for name in names])
        positions = parameter_positions(int(ends[-1]) if len(ends) else 0, tasks=self.tasks)
        changes = np.empty(self.tasks)
        start = 0
        for name, end in zip(names, ends.tolist(), strict=True):
            here = (positions >= start) & (positions < end)
            at = positions[here] - start
            trained, began = (a[name].numpy().ravel()[at].astype(np.float64) for a in (arrays, reference))
            changes[here] = trained - began
            start = end
        return changes


def parameter_positions(parameters: int, *, tasks: int) -> NDArray[np.int64]:
    """Return which of all parameters are reported: one of each of `tasks` parts of one size.

    Where in its part it stands follows the golden ratio, so that the positions do not fall in step with the rows of a
    weight matrix. Parameters are counted through all floating-point arrays, in the order of their names.

    returns: int64 (tasks,), ascending

    >>> parameter_positions(1000, tasks=5).tolist()
    [123, 247, 570, 694, 818]
    """
    if parameters < tasks:
        raise ReportShapeError(f"the model has {parameters} parameters; {tasks} are to be reported, so report fewer")
    return np.array(
        [((t << 64) + ((t + 1) * _GOLDEN & _MASK)) * parameters // (tasks << 64) for t in range(tasks)], dtype=np.int64
    )


def quantile_levels(values: NDArray[np.float64], *, levels: int) -> NDArray[np.uint8]:
    """Return the level of each value among all of them: how many of the levels − 1 inner quantiles it reaches.

    Equal values have equal levels, so that a constant has one level throughout.

    >>> quantile_levels(np.array([0.3, -2.0, 0.1, 5.0, 0.0, 0.0]), levels=3).tolist()
    [2, 0, 1, 2, 1, 1]
    """
    ordered = np.sort(values)
    thresholds = ordered[[len(values) * k // levels for k in range(1, levels)]]
    return np.searchsorted(thresholds, values, side="right").astype(np.uint8)
