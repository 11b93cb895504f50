"""The label aggregations by name, all with one signature."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.labels.bayes import bayes_one_pass, bayes_two_pass
from flwr_chainfl.labels.confusion import class_competence, confusion
from flwr_chainfl.labels.qualities import Aggregation, State
from flwr_chainfl.labels.single_vote import majority, peer_weighted


class Aggregator(Protocol):
    """Reports to consensus labels and qualities; state in, state out."""

    def __call__(
        self, reports: NDArray[np.uint8], *, classes: int, state: State | None = None
    ) -> Aggregation:
        """Aggregate reports, uint8 (participants, tasks), labels below `classes` or `NO_REPORT` (255)."""


AGGREGATIONS: Mapping[str, Aggregator] = MappingProxyType(
    {
        "majority": majority,
        "bayes-one-pass": bayes_one_pass,
        "bayes-two-pass": bayes_two_pass,
        "peer-weighted": peer_weighted,
        "confusion": confusion,
        "class-competence": class_competence,
    }
)
"""All of them."""


def aggregate(
    name: str, reports: NDArray[np.uint8], *, classes: int, state: State | None = None
) -> Aggregation:
    """Aggregate reports by the aggregation of this name.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT` (255)
    state: what it returned for the same participants in the last round; see `State.select`

    Raises ConfigError for an unknown name or another aggregation's state, ReportShapeError when the reports are no such
    matrix.
    Source: docs/protocols/soft-label.md, "Label aggregation".
    """
    if name not in AGGREGATIONS:
        raise ConfigError(f"no label aggregation is called {name!r}; {', '.join(map(repr, AGGREGATIONS))} are there")
    return AGGREGATIONS[name](reports, classes=classes, state=state)
