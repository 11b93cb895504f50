"""What an aggregation of labels hands back: labels, qualities, and how much each participant should count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.votes import MICRO

FALLBACK_BELOW = WAD // 2
"""Best quality (WAD) below which everybody counts the same."""


class State(Protocol):
    """What an aggregation remembers of each participant from round to round."""

    def select(self, rows: Sequence[int | None]) -> Self:
        """Return the state of other participants, in order: the row here of each, None for a newcomer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregation:
    """Consensus labels and what they say about those who reported.

    labels: uint8 (tasks,), `NO_REPORT` (255) where nobody reported
    qualities: WAD, one a participant, 0 to 1: how often it is thought to be right
    weights: MICRO, one a participant, 0 to 1: what it should count in a mean of soft labels
    competences: MICRO, (participants, classes), 0 to 1: how far that goes for each class; None where it is the same
    state: to be passed in the next round; None where nothing is remembered
    """

    labels: NDArray[np.uint8]
    qualities: list[int]
    weights: list[int]
    competences: list[list[int]] | None = None
    state: State | None = None


def select_rows(rows_of: NDArray[np.int64], rows: Sequence[int | None]) -> NDArray[np.int64]:
    """Return these rows, zeros for None."""
    chosen = np.zeros((len(rows), *rows_of.shape[1:]), dtype=np.int64)
    for position, row in enumerate(rows):
        if row is not None:
            chosen[position] = rows_of[row]
    return chosen


def consensus_weights(
    qualities: Sequence[int], *, classes: int, fallback_below: int = FALLBACK_BELOW
) -> list[int]:
    """Return what each participant should count: max(0, (K·q − 1) / (K − 1)), so that chance counts nothing.

    qualities: WAD; fallback_below: WAD; where the best quality is below it, or nobody is above chance, all count 1
    returns: MICRO, rounded down

    Source: docs/protocols/soft-label.md, "Label aggregation".
    Choice: the fallback at one half; where nobody knows more than half of the classes, one number cannot say who
    knows which, and leaving people out loses their classes.

    >>> consensus_weights([WAD, WAD * 55 // 100, WAD // 10], classes=10)
    [1000000, 500000, 0]
    >>> consensus_weights([WAD // 3, WAD // 10], classes=10)
    [1000000, 1000000]
    """
    weights = [max(0, (classes * quality - WAD) * MICRO // ((classes - 1) * WAD)) for quality in qualities]
    if max(qualities, default=0) < fallback_below or not any(weights):
        return [MICRO] * len(weights)
    return weights


def agreement_weights(agreed: Sequence[int], *, tasks: int, classes: int) -> list[int]:
    """Return the same of agreements with the labels, rounded once, as the contract does; without a fallback.

    agreed: tasks on which each participant agrees with the labels
    returns: MICRO, rounded down

    Source: docs/protocols/soft-label.md, "Weighted peer truth serum".

    >>> agreement_weights([10, 6, 2], tasks=10, classes=5)
    [1000000, 500000, 0]
    """
    return [max(0, (classes * one - tasks) * MICRO // ((classes - 1) * tasks)) for one in agreed]
