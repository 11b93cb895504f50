"""Online Bayesian label aggregation with one accuracy a participant: one pass, or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.peer_truth_serum import peer_truth_serum_with_gaps
from flwr_chainfl.labels.qualities import Aggregation, State, consensus_weights, select_rows
from flwr_chainfl.labels.votes import MICRO, NO_REPORT, agreements, tally, validate_reports, winners

PRIORS = ("peer-truth-serum", "plain")
"""Where a round's accuracies start."""

_PEER_PRIOR_LABELS = 200
_LEAST_PRIOR, _MOST_PRIOR = 2 * MICRO // 100, 98 * MICRO // 100


@dataclass(frozen=True, eq=False)
class Evidence:
    """How often each participant was right so far, older rounds counting less.

    correct, total: int64 (participants,), MICRO labels
    """

    correct: NDArray[np.int64]
    total: NDArray[np.int64]

    def select(self, rows: Sequence[int | None]) -> Self:
        """Return the evidence on other participants, in order: the row here of each, None for a newcomer."""
        return type(self)(select_rows(self.correct, rows), select_rows(self.total, rows))


def bayes_one_pass(
    reports: NDArray[np.uint8],
    *,
    classes: int,
    state: State | None = None,
    prior: str = "peer-truth-serum",
    block: int = 64,
) -> Aggregation:
    """Vote with the accuracies estimated so far, and learn from each block of labels before the next.

    reports: uint8 (participants, tasks), labels below `classes` or `NO_REPORT`
    state: the last round's, for the same participants; None in the first
    prior: ``peer-truth-serum`` starts the round from what peers say of each other; ``plain`` from one half
    block: tasks between updates; 1 is the form of the paper
    returns: qualities are the accuracies after the last block

    Raises ReportShapeError when the reports are no such matrix, ConfigError when a parameter or the state is none of
    these.
    Source: docs/protocols/soft-label.md, "Label aggregation"; Yang, Zhao, Bai, Liu, Li, arXiv 2212.00007 (LA one-pass).
    Choice: the prior from the peer truth serum, 200 labels strong, in each round anew; it keeps a coalition that reports
    one class from being taken for the truth. Blocks, which cost no accuracy. Older evidence counts 9/10 a round.
    """
    labels, evidence, qualities = _first_pass(reports, classes, state, prior, block)
    return Aggregation(
        labels=labels, qualities=qualities, weights=consensus_weights(qualities, classes=classes), state=evidence
    )


def bayes_two_pass(
    reports: NDArray[np.uint8],
    *,
    classes: int,
    state: State | None = None,
    prior: str = "peer-truth-serum",
    block: int = 64,
) -> Aggregation:
    """Vote as in `bayes_one_pass`, then once more with the accuracies that came of it, less chance.

    Parameters and errors are those of `bayes_one_pass`; in the second vote a participant counts K·accuracy − 1, below
    0 for one that is right less often than chance.

    Source: docs/protocols/soft-label.md, "Label aggregation"; Yang, Zhao, Bai, Liu, Li, arXiv 2212.00007 (LA two-pass).
    """
    _, evidence, qualities = _first_pass(reports, classes, state, prior, block)
    accuracies = np.array([quality * MICRO // WAD for quality in qualities], dtype=np.int64)
    votes = tally(reports, classes=classes, weights=classes * accuracies - MICRO)
    return Aggregation(
        labels=winners(votes, candidates=tally(reports, classes=classes) > 0),
        qualities=qualities,
        weights=consensus_weights(qualities, classes=classes),
        state=evidence,
    )


def _first_pass(
    reports: NDArray[np.uint8], classes: int, state: State | None, prior: str, block: int
) -> tuple[NDArray[np.uint8], Evidence, list[int]]:
    """Return the labels of the first pass, the evidence after it, and the accuracies (WAD)."""
    validate_reports(reports, classes=classes, gaps=True)
    participants, tasks = reports.shape
    if prior not in PRIORS:
        raise ConfigError(f"prior is {prior!r}; {' and '.join(map(repr, PRIORS))} are possible")
    if block < 1:
        raise ConfigError(f"block is {block}; it must be 1 task or more")
    before = _remembered(state, participants)
    start = _peer_prior(reports, classes) if prior == "peer-truth-serum" else _plain_prior(participants)
    correct, total = start.correct + before.correct, start.total + before.total
    labels = np.empty(tasks, dtype=np.uint8)
    given = tally(reports, classes=classes) > 0
    for first in range(0, tasks, block):
        part = reports[:, first : first + block]
        votes = tally(part, classes=classes, weights=correct * MICRO // total)
        chosen = winners(votes, candidates=given[first : first + block], first_task=first)
        correct += agreements(part, chosen) * MICRO
        total += (part != NO_REPORT).sum(axis=1, dtype=np.int64) * MICRO
        labels[first : first + block] = chosen
    qualities = [c * WAD // t for c, t in zip(correct.tolist(), total.tolist(), strict=True)]
    return labels, Evidence(correct - start.correct, total - start.total), qualities


def _remembered(state: State | None, participants: int) -> Evidence:
    if state is None:
        return Evidence(np.zeros(participants, dtype=np.int64), np.zeros(participants, dtype=np.int64))
    if not isinstance(state, Evidence):
        raise ConfigError(f"the state is a {type(state).__name__}; pass the one that this aggregation returned")
    if state.correct.shape != (participants,) or state.total.shape != (participants,):
        raise ConfigError(
            f"the state is of {len(state.correct)} participants, {participants} reported; select its rows first"
        )
    return Evidence(state.correct * 9 // 10, state.total * 9 // 10)


def _plain_prior(participants: int) -> Evidence:
    return Evidence(np.full(participants, MICRO, dtype=np.int64), np.full(participants, 2 * MICRO, dtype=np.int64))


def _peer_prior(reports: NDArray[np.uint8], classes: int) -> Evidence:
    scores = peer_truth_serum_with_gaps(reports, classes=classes)
    best = max(scores)
    if best <= 0:
        return _plain_prior(len(reports))
    accuracies = [min(max(score * MICRO // best, _LEAST_PRIOR), _MOST_PRIOR) for score in scores]
    return Evidence(
        np.array(accuracies, dtype=np.int64) * _PEER_PRIOR_LABELS,
        np.full(len(reports), _PEER_PRIOR_LABELS * MICRO, dtype=np.int64),
    )
