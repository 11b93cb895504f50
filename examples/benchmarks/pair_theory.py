"""What correlated agreement pays in expectation, exactly, for labels that are drawn task by task.

Let x and y be the reports of a pair, h the tasks of a half, P(a, b) the probability that a task has x = a and y = b, and
Δ(a, b) = P(a, b) − P(a)·P(b). If tasks are alike and independent:

1. S is learnt on the other half, so it is independent of the tasks that it scores.
2. A bonus task has x = a and y = b with probability P(a, b); penalty tasks q ≠ q' are two independent tasks, so
   x_q = a and y_q' = b with probability P(a)·P(b). Which tasks are drawn depends on the seed alone.
3. Hence a bonus task earns in expectation, with π(a, b) the probability that S(a, b) = 1 is learnt from h tasks,

       Σ π(a, b) · Δ(a, b)

   exactly, for any number of tasks. Because S may be learnt wrongly this is less than what many tasks approach, the sum of
   the positive Δ(a, b): short of it by Σ |Δ(a, b)| · P(S(a, b) is wrong), Δ = 0 aside.

**What does not depend on the tasks earns exactly 0, with no bias of few tasks**: then Δ = 0, whatever π is. That needs less than
independent tasks. Let y be any fixed labels, sorted by class for instance, and x exchangeable and independent of y (random,
sampled from the prior, an agreed sequence against somebody outside of the group). Given the labels on the half where S is
learnt, all x on the other half are distributed alike, so a bonus task earns g(y_p) and a penalty task g(y_q') in
expectation, with one function g. Over the seed, p is each task of a half alike, and so is q', which is each other task alike;
the two means of g are equal. If q' were drawn from elsewhere, or q' = q were possible, this or step 2 would fail. A
constant x has |Q|·N(a, b) = N_i(a)·N_j(b) always, so that S = 0 and the score is 0 every time.

Two limits of the zero. A task is drawn with 32 bits, so "each alike" holds within 2⁻³² · T. And it is the score that has
expectation 0, not the pay: max(0, score) pays the lucky half of the chance, about 0.4 standard deviations of a score, unless
a minimum score is asked for.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from examples.benchmarks.peer_behaviours import SEQUENCE_SOURCE, Match, World


def joint(world: World, match: Match) -> NDArray[np.float64]:
    """Return P(first reports a, second reports b) of a task, float64 (classes, classes)."""
    if match.first == match.second == SEQUENCE_SOURCE:
        return np.eye(world.classes) / world.classes
    accuracies = {"honest": world.accuracy, "agreed renaming": world.accuracy, "consensus of the same inputs": world.stale}
    honest = world.confusion(world.accuracy)
    if match.first in accuracies:
        # A renaming moves rows of the joint probabilities and, learnt from the pair, of S alike: the sum is the same.
        return np.asarray((world.prior[:, None] * world.confusion(accuracies[match.first])).T @ honest)
    alone = {
        "constant": np.eye(world.classes)[0],
        "random": np.full(world.classes, 1 / world.classes),
        "prior sampling": world.prior,
        "consensus of other inputs": world.prior @ world.confusion(world.stale),
        SEQUENCE_SOURCE: np.full(world.classes, 1 / world.classes),
    }
    return np.outer(alone[match.first], world.prior @ honest)


def expected_score(joint: NDArray[np.float64], *, half: int) -> float:
    """Return the expected score of a bonus task, Σ π(a, b)·Δ(a, b); see this module."""
    first, second = joint.sum(axis=1), joint.sum(axis=0)
    gain = joint - np.outer(first, second)
    cells: dict[tuple[float, ...], list[float]] = {}
    for a, b in np.argwhere(np.abs(gain) > 1e-12):
        cells.setdefault(tuple(np.round([joint[a, b], first[a], second[b]], 12).tolist()), []).append(gain[a, b])
    return float(sum(sum(gains) * goes_together(*cell, half=half) for cell, gains in cells.items()))


def limit_score(joint: NDArray[np.float64]) -> float:
    """Return what the expected score of a bonus task approaches with many tasks."""
    gain = joint - np.outer(joint.sum(axis=1), joint.sum(axis=0))
    return float(gain.clip(min=0).sum())


@lru_cache(maxsize=4096)
def goes_together(both: float, first: float, second: float, *, half: int) -> float:
    """Return the probability that S(a, b) = 1 is learnt, where a task has both labels, a, and b this often.

    Sums over how often a is reported and how often b with it; how often b without it has to stay below is then known.
    Terms of less than 10⁻¹² in all are left out.

    >>> round(goes_together(0.5, 0.5, 0.5, half=3), 9)
    0.75
    """
    low, high = (int(v) for v in binom.ppf([1e-13, 1 - 1e-13], half, first))
    counts = np.arange(max(low, 1), high + 1)
    given, without = min(both / first, 1.0), min(max((second - both) / (1 - first), 0.0), 1.0) if first < 1 else 0.0
    least, most = binom.ppf(1e-13, counts[0], given), binom.ppf(1 - 1e-13, counts[-1], given)
    together = np.arange(max(int(least), 1), int(most) + 1)[None, :]
    column = counts[:, None]
    room = (together * (half - column) - 1) // column
    found = binom.pmf(column, half, first) * binom.pmf(together, column, given) * binom.cdf(room, half - column, without)
    return float(found.sum())
