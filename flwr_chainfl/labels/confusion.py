"""Label aggregation that learns, for each participant, what it reports where each class is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.binary_log import log2, power_of_minus
from flwr_chainfl.labels.qualities import Aggregation, State, consensus_weights, select_rows
from flwr_chainfl.labels.symbols import SHARE_UNIT, Symbols
from flwr_chainfl.labels.votes import MICRO, NO_REPORT, validate_reports, winners

COUNT_UNIT = SHARE_UNIT
"""One label, as the unit of counts and of posterior probabilities."""

_FINE = 1 << 10  # of a count, in a row of probabilities
_COARSE = 1 << 6  # counts in a quantity that is squared
_MARGINAL_LABELS = 3
_MOST_COIN_LABELS = 10_000


@dataclass(frozen=True, eq=False)
class Confusion:
    """What each participant reported, by what was probably right; older rounds count less.

    counts: int64 (participants, classes, classes), label that was right, label that was reported; in 1/`COUNT_UNIT`
    """

    counts: NDArray[np.int64]

    def select(self, rows: Sequence[int | None]) -> Self:
        """Return the counts of other participants, in order: the row here of each, None for a newcomer."""
        return type(self)(select_rows(self.counts, rows))


def confusion(
    reports: NDArray[np.uint8], *, classes: int, state: State | None = None, passes: int = 3
) -> Aggregation:
    """Find the labels under which all participants' reports are the most probable, one confusion matrix each.

    It starts from each class's share of the votes. Each pass counts, for each participant, what it reported against
    the probabilities of the classes so far, and takes those counts for the probabilities of the next.

    Use it where participants know different classes, or where some relabel: a participant counts in those classes
    alone that its reports tell apart. It keeps counts and no reports.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    state: the last round's, for the same participants; None in the first
    passes: 1 or more
    returns: qualities are the shares of reports that are thought right

    Raises ReportShapeError when the reports are no such matrix, ConfigError when a parameter or the state is none of
    these.
    Source: docs/protocols/soft-label.md, "Label aggregation"; Dawid and Skene, Applied Statistics 28(1), 1979 (the
    model and its fit by expectation and maximisation).
    Choice: three passes; all classes are equally probable beforehand; rows of the matrix are smoothed by the
    participant's own label frequencies and, as far as its errors look like chance, towards one accuracy for all
    classes; older counts weigh 9/10 a round; integers throughout.
    """
    validate_reports(reports, classes=classes, gaps=True)
    if passes < 1:
        raise ConfigError(f"passes is {passes}; it must be 1 or more")
    before = _remembered(state, len(reports), classes)
    symbols = Symbols(reports, classes=classes)
    votes = symbols.votes()
    reported = votes.any(axis=0)
    posterior = _shares(np.where(reported, votes, 1.0))
    for step in range(passes):
        counts = before + symbols.count(posterior)
        costs = symbols.add_up(_costs(counts))
        if step + 1 < passes:
            posterior, known = _posterior(costs), posterior
            if np.array_equal(posterior, known):
                break  # further passes would change nothing
    right = np.trace(counts, axis1=1, axis2=2).tolist()
    total = counts.sum(axis=(1, 2)).tolist()
    qualities = [r * WAD // t if t else 0 for r, t in zip(right, total, strict=True)]
    return Aggregation(
        labels=np.where(reported, winners(-costs.T), np.uint8(NO_REPORT)),
        qualities=qualities,
        weights=consensus_weights(qualities, classes=classes),
        state=Confusion(counts),
    )


def class_competence(
    reports: NDArray[np.uint8], *, classes: int, state: State | None = None
) -> Aggregation:
    """Do as `confusion`, and let each participant count in each class as far as it tells that class apart.

    With right_i(k) the labels k of participant i that are thought right, of those that it reported and of those that
    are thought to be k, its competence is right_i(k) / √(reported_i(k) · actual_i(k)), the geometric mean of precision
    and recall.

    Use it where participants know different classes and do not learn from each other: once they have learnt the same
    consensus, they know the same classes, and competences add noise.

    reports, state: as for `confusion`
    returns: as `confusion`, with competences

    Raises ReportShapeError and ConfigError as `confusion` does.
    Source: docs/protocols/soft-label.md, "Consensus".
    Choice: one label of every kind is added, so that nobody counts nothing in a class that was rarely seen.

    >>> knows_all, misses_2 = [0, 1, 2] * 30, [0, 1, 1] * 30
    >>> found = class_competence(np.array([knows_all, knows_all, misses_2], dtype=np.uint8), classes=3)
    >>> [[one // 10_000 for one in row] for row in found.competences]
    [[93, 93, 93], [93, 93, 93], [93, 67, 10]]
    """
    found = confusion(reports, classes=classes, state=state)
    assert isinstance(found.state, Confusion)
    counts = found.state.counts + COUNT_UNIT
    right = np.diagonal(counts, axis1=1, axis2=2).tolist()
    reported, actual = counts.sum(axis=1).tolist(), counts.sum(axis=2).tolist()
    competences = [
        [isqrt(r * r * MICRO * MICRO // (s * a)) for r, s, a in zip(*rows, strict=True)]
        for rows in zip(right, reported, actual, strict=True)
    ]
    return replace(found, competences=competences)


def _remembered(state: State | None, participants: int, classes: int) -> NDArray[np.int64]:
    shape = (participants, classes, classes)
    if state is None:
        return np.zeros(shape, dtype=np.int64)
    if not isinstance(state, Confusion):
        raise ConfigError(f"the state is a {type(state).__name__}; pass the one that this aggregation returned")
    if state.counts.shape != shape:
        raise ConfigError(f"the state has shape {state.counts.shape}, {shape} is needed; select its rows first")
    return state.counts * 9 // 10


def _shares(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column's shares of its sum in 1/`COUNT_UNIT`, rounded to whole numbers, halves up.

    parts: whole, 0 or more, their sum from 1 to 2²⁴; they are overwritten
    """
    # A share and the next half differ by 2⁻²⁵ or not at all, floating point errs by 2⁻⁴² at most: exact.
    parts *= COUNT_UNIT / parts.sum(axis=0)
    parts += 0.5 + 2**-30
    return np.floor(parts, out=parts)


def _posterior(costs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probabilities of the classes, whole (classes, tasks), in 1/`COUNT_UNIT`."""
    return _shares(power_of_minus(costs - costs.min(axis=0)).astype(np.float64))


def _costs(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how improbable each report is where each class is right, by the smoothed rows, less the least.

    counts: int64 (participants, classes, classes), right, reported; in 1/`COUNT_UNIT`
    returns: int64 (participants, classes, classes), right, reported; minus logarithms in 1/`LOG_UNIT`, 0 for the class under
        which a report is the most probable
    """
    participants, classes, _ = counts.shape
    costs = np.empty((participants, classes, classes), dtype=np.int64)
    at_once = max(1, (1 << 16) // (classes * classes))
    for start in range(0, participants, at_once):
        some = slice(start, start + at_once)
        logs = log2(_smoothed(counts[some]))
        rows = logs[:, :, classes:] - logs[:, :, :classes]
        np.subtract(rows, rows.min(axis=1, keepdims=True), out=costs[some])
    return costs


def _smoothed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add to each row what is believed of the participant as a whole; in 1/(`COUNT_UNIT` · `_FINE`), at least 1.

    returns: int64 (participants, classes, classes + 1), the last column being the row's sum
    """
    participants, classes, _ = counts.shape
    label = COUNT_UNIT * _FINE
    given = counts.sum(axis=1)
    total = given.sum(axis=1)
    given += COUNT_UNIT // 2
    marginal = _MARGINAL_LABELS * label * given // (total + classes * (COUNT_UNIT // 2))[:, None]
    diagonal = np.arange(classes)
    right = counts[:, diagonal, diagonal].sum(axis=1) // _COARSE + COUNT_UNIT // _COARSE
    total = total // _COARSE + classes * (COUNT_UNIT // _COARSE)
    coin = _coin_labels(counts, right, total) * (label // _FINE)
    on = coin * right // total
    off = coin * (total - right) // (total * (classes - 1))
    smoothed = np.empty((participants, classes, classes + 1), dtype=np.int64)
    rows = smoothed[:, :, :classes]
    np.multiply(counts, _FINE, out=rows)
    rows += (marginal + off[:, None])[:, None, :]
    rows[:, diagonal, diagonal] += (on - off)[:, None]
    np.maximum(rows, 1, out=rows)
    rows.sum(axis=2, out=smoothed[:, :, classes])
    return smoothed


def _coin_labels(
    counts: NDArray[np.int64], right: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how strongly rows should be drawn towards one accuracy for all classes, in 1/`_FINE` labels.

    If one accuracy a = right / total and errors at random explain the counts, Pearson's X² is about K·(K − 1), its
    degrees of freedom. If rows scatter around it like Dirichlet draws of α labels, it is larger by the factor
    (n + α) / (1 + α), n labels a row. This is solved for α.
    """
    classes = counts.shape[1]
    diagonal = np.arange(classes)
    coarse = counts // _COARSE
    rows = coarse.sum(axis=2)
    observed = rows.sum(axis=1)
    np.maximum(rows, 1, out=rows)
    squares = np.einsum("ijk,ijk->ij", coarse, coarse)
    on = coarse[:, diagonal, diagonal] ** 2
    agreeing, others = (on // rows).sum(axis=1), ((squares - on) // rows).sum(axis=1)
    statistic = agreeing * total // right + others * (classes - 1) * total // (total - right) - observed
    excess = statistic - classes * (classes - 1) * (COUNT_UNIT // _COARSE)
    strength = ((classes - 1) * observed - statistic) * _FINE // np.maximum(excess, 1)
    most = _MOST_COIN_LABELS * _FINE
    labels: NDArray[np.int64] = np.where(excess > 0, np.minimum(np.maximum(strength, 0), most), most)
    return labels
