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
from flwr_chainfl.labels.votes import MICRO, tally, validate_reports, winners

COUNT_UNIT = 1 << 10
"""One label, as the unit of counts and of posterior probabilities."""

_FINE = 1 << 10  # of a count, in a row of probabilities
_COARSE = 1 << 6  # counts in a quantity that is squared
_MARGINAL_LABELS = 3
_MOST_COIN_LABELS = 10_000
_SYMBOLS = 256


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
    symbols = _Symbols(reports, classes)
    votes = tally(reports, classes=classes)
    reported = votes.any(axis=1, keepdims=True)
    posterior = _shares(np.where(reported, votes, 1).astype(np.int32))
    for _ in range(passes):
        counts = before + symbols.count(posterior)
        likelihood = symbols.add_up(_log_rows(counts))
        posterior, known = _posterior(likelihood), posterior
        if np.array_equal(posterior, known):
            break  # further passes would change nothing
    right = np.trace(counts, axis1=1, axis2=2).tolist()
    total = counts.sum(axis=(1, 2)).tolist()
    qualities = [r * WAD // t if t else 0 for r, t in zip(right, total, strict=True)]
    return Aggregation(
        labels=winners(likelihood, candidates=np.broadcast_to(reported, votes.shape)),
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


def _shares(parts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each row's shares of its sum, which is above 0, in 1/`COUNT_UNIT`, rounded to the nearest."""
    total = parts.sum(axis=1, keepdims=True, dtype=np.int32)
    shares: NDArray[np.int32] = (2 * COUNT_UNIT * parts + total) // (2 * total)
    return shares


def _posterior(likelihood: NDArray[np.int64]) -> NDArray[np.int32]:
    return _shares(power_of_minus(likelihood.max(axis=1, keepdims=True) - likelihood))


def _log_rows(counts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the logarithms of the smoothed rows: how probable each report is where each class is right.

    counts: int64 (participants, classes, classes), right, reported; in 1/`COUNT_UNIT`
    returns: int32 (participants, classes, classes), reported, right; in 1/`LOG_UNIT`
    """
    participants, classes, _ = counts.shape
    logs = np.empty((participants, classes, classes), dtype=np.int32)
    at_once = max(1, (1 << 20) // (classes * classes))
    for start in range(0, participants, at_once):
        some = slice(start, start + at_once)
        smoothed = _smoothed(counts[some])
        rows = log2(smoothed) - log2(smoothed.sum(axis=2, keepdims=True))
        logs[some] = rows.transpose(0, 2, 1)
    return logs


def _smoothed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add to each row what is believed of the participant as a whole; in 1/(`COUNT_UNIT` · `_FINE`), at least 1."""
    classes = counts.shape[1]
    label = COUNT_UNIT * _FINE
    given = counts.sum(axis=1) + COUNT_UNIT // 2
    marginal = _MARGINAL_LABELS * label * given // given.sum(axis=1, keepdims=True)
    right = np.trace(counts, axis1=1, axis2=2) // _COARSE + COUNT_UNIT // _COARSE
    total = counts.sum(axis=(1, 2)) // _COARSE + classes * (COUNT_UNIT // _COARSE)
    coin = _coin_labels(counts, right, total) * label // _FINE
    on = coin * right // total
    off = coin * (total - right) // (total * (classes - 1))
    smoothed: NDArray[np.int64] = counts * _FINE + marginal[:, None, :] + off[:, None, None]
    smoothed[:, np.arange(classes), np.arange(classes)] += (on - off)[:, None]
    return np.maximum(smoothed, 1)


def _coin_labels(
    counts: NDArray[np.int64], right: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how strongly rows should be drawn towards one accuracy for all classes, in 1/`_FINE` labels.

    If one accuracy a = right / total and errors at random explain the counts, Pearson's X² is about K·(K − 1), its
    degrees of freedom. If rows scatter around it like Dirichlet draws of α labels, it is larger by the factor
    (n + α) / (1 + α), n labels a row. This is solved for α.
    """
    classes = counts.shape[1]
    coarse = counts // _COARSE
    rows = np.maximum(coarse.sum(axis=2), 1)
    squares = (coarse * coarse).sum(axis=2)
    on = np.diagonal(coarse, axis1=1, axis2=2) ** 2
    agreeing, others = (on // rows).sum(axis=1), ((squares - on) // rows).sum(axis=1)
    observed = coarse.sum(axis=(1, 2))
    statistic = agreeing * total // right + others * (classes - 1) * total // (total - right) - observed
    expected = classes * (classes - 1) * (COUNT_UNIT // _COARSE)
    strength = ((classes - 1) * observed - statistic) * _FINE // np.maximum(statistic - expected, 1)
    most = _MOST_COIN_LABELS * _FINE
    labels: NDArray[np.int64] = np.where(statistic > expected, np.clip(strength, 0, most), most)
    return labels


class _Symbols:
    """The reports, several participants to a byte, so that tables replace work label by label."""

    def __init__(self, reports: NDArray[np.uint8], classes: int) -> None:
        gaps = int(reports.max()) >= classes
        self._classes = classes
        self._base = classes + 1 if gaps else classes
        self._tasks = reports.shape[1]
        width = 1
        while self._base ** (width + 1) <= _SYMBOLS:
            width += 1
        self._groups: list[tuple[slice, NDArray[np.uint8]]] = []
        for start in range(0, len(reports), width):
            group = slice(start, min(start + width, len(reports)))
            labels = np.minimum(reports[group], classes) if gaps else reports[group]
            symbol = labels[0]
            for row in labels[1:]:
                symbol = symbol * np.uint8(self._base) + row
            self._groups.append((group, symbol))
        self._participants = len(reports)

    def add_up(self, rows: NDArray[np.int32]) -> NDArray[np.int64]:
        """Add up over participants the row of each one's label; int64 (tasks, columns).

        rows: int32 (participants, classes, columns)
        """
        columns = rows.shape[2]
        total = np.zeros((self._tasks, columns), dtype=np.int64)
        picked = np.empty((self._tasks, columns), dtype=np.int32)
        for group, symbol in self._groups:
            table = np.zeros((1, columns), dtype=np.int32)
            for own in rows[group]:
                padded = np.zeros((self._base, columns), dtype=np.int32)
                padded[: self._classes] = own
                table = (table[:, None, :] + padded).reshape(-1, columns)
            np.take(table, symbol, axis=0, out=picked, mode="clip")
            total += picked
        return total

    def count(self, posterior: NDArray[np.int32]) -> NDArray[np.int64]:
        """Add up the posterior of the tasks that each participant gave each label.

        posterior: int32 (tasks, classes), 0 or more
        returns: int64 (participants, classes, classes), right, reported
        """
        counts = np.empty((self._participants, self._classes, self._classes), dtype=np.int64)
        by_class = np.ascontiguousarray(posterior.T)
        tasks = [np.flatnonzero(column) for column in by_class]
        # Whole numbers in float64, as bincount wants them: sums below 2⁵³ are exact.
        probabilities = [column[some].astype(np.float64) for column, some in zip(by_class, tasks, strict=True)]
        for group, symbol in self._groups:
            width = group.stop - group.start
            index = symbol.astype(np.intp)
            table = np.empty((self._classes, self._base**width))
            for row, some, probability in zip(table, tasks, probabilities, strict=True):
                own = index if len(some) == self._tasks else index[some]
                row[:] = np.bincount(own, weights=probability, minlength=len(row))
            table = table.reshape((self._classes, *[self._base] * width))
            for position in range(width):
                others = tuple(axis for axis in range(1, width + 1) if axis != position + 1)
                counts[group.start + position] = table.sum(axis=others)[:, : self._classes]
        return counts
