"""Correlated agreement on hard labels, and as a scorer; twin of contracts/scorers/CorrelatedAgreementScorer.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.draws import draw, draws, key_of, random_bits
from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels.votes import validate_reports
from flwr_chainfl.scoring.pairing import draw_pairs, matches
from flwr_chainfl.scoring.scorer import Facts, Scored
from flwr_chainfl.scoring.usable import FEWEST_PARTICIPANTS, pairing_notes, usable_labels

FEWEST_TASKS = 6
"""So that there are three tasks to draw on each side."""

_LABELS_A_BONUS_TASK = 15
_LONGEST_MATCH = 105_000  # in labels: what the contract can compute in one transaction


def correlated_agreement(
    reports: NDArray[np.uint8], pairs: Sequence[Sequence[int]], seed: bytes, *, classes: int, bonus_tasks: int
) -> list[int]:
    """Score each participant by how its labels go together with its peer's, beyond what unrelated tasks show.

    A pair's tasks fall into two halves. Which labels go together on one half is learnt on the other: with N(a, b) how
    often the two say a and b there, N_i(a) and N_j(b) how often each says so, and |Q| the tasks of a half,
    S(a, b) = 1 where |Q|·N(a, b) > N_i(a)·N_j(b). Then, over bonus tasks p, and penalty tasks q ≠ q' of the same half::

        score_i += S(x_ip, x_jp) − S(x_iq, x_jq')

    A constant scores exactly 0, a report that does not depend on the tasks 0 in expectation. Informed truthful, not
    strongly truthful: since S is learnt of each pair, whoever renames the classes, even one alone, scores like the truth;
    two that agreed on a sequence beforehand and are paired score as if they had looked, and better than the honest who
    err; and a copy of what was known of the same tasks before is no report without a look.

    reports: uint8 (participants, tasks), labels below `classes`
    pairs: of positions, as `draw_pairs` draws them: (i, j), or (i, j, k), in which k is scored against i
    seed: 32 bytes, which nobody knew before the last commitment
    bonus_tasks: of each pair; as many as there are tasks: each once
    returns: one a participant: agreements on bonus tasks less those on penalty tasks, over all its pairs

    Raises ReportShapeError when a label is no class, the array is not (participants, tasks), or there are fewer than 6
    tasks or more bonus tasks than tasks.
    Source: docs/protocols/peer-prediction.md, "Correlated agreement"; Shnayder, Agarwal, Frongillo, Parkes, EC 2016;
    Lv et al., WiOpt 2021 (without a model of the signals).
    Choice: of tasks 2u and 2u + 1 one is in each half, so that both are of one size; of an odd number of tasks the last
    one is left out. The bonus tasks are one of each part, the tasks cut into parts of one size. S is learnt a pair, since
    a correlated block could turn what is learnt of all.

    >>> truth = np.tile(np.array([0, 1, 2], dtype=np.uint8), 20)
    >>> correlated_agreement(np.stack([truth, truth, 0 * truth]), [(0, 1, 2)], bytes(32), classes=3, bonus_tasks=60)
    [42, 42, 0]
    """
    agreed = agreements(reports, pairs, seed, classes=classes, bonus_tasks=bonus_tasks)
    return [hits - penalties for hits, penalties in agreed]


def agreements(
    reports: NDArray[np.uint8], pairs: Sequence[Sequence[int]], seed: bytes, *, classes: int, bonus_tasks: int
) -> list[tuple[int, int]]:
    """Return agreements on bonus tasks and on penalty tasks, one a participant; see `correlated_agreement`."""
    validate_reports(reports, classes=classes)
    participants, tasks = reports.shape
    if tasks < FEWEST_TASKS:
        raise ReportShapeError(f"{tasks} tasks; correlated agreement needs {FEWEST_TASKS} or more")
    if not 1 <= bonus_tasks <= tasks:
        raise ReportShapeError(f"{bonus_tasks} bonus tasks of {tasks} tasks; between 1 and {tasks} are possible")
    hits, penalties = [0] * participants, [0] * participants
    key = key_of(seed)
    for number, (first, second, both) in enumerate(matches(pairs)):
        found = _match(reports[first], reports[second], draw(key, number + 1), classes=classes, bonus_tasks=bonus_tasks)
        for one in (first, second) if both else (first,):
            hits[one] += found[0]
            penalties[one] += found[1]
    return list(zip(hits, penalties, strict=True))


def _match(
    first: NDArray[np.uint8], second: NDArray[np.uint8], key: int, *, classes: int, bonus_tasks: int
) -> tuple[int, int]:
    """Return the agreements of two reports on bonus tasks and on penalty tasks."""
    half = len(first) // 2
    bits = random_bits(draw(key, 0), half)
    tasks = np.arange(2 * half)
    sides = (tasks & 1) ^ np.repeat(bits.astype(np.int64), 2)
    joint = first[: 2 * half].astype(np.int64) * classes + second[: 2 * half]
    together = np.stack([_goes_together(joint[sides == side], classes) for side in (0, 1)])
    p, q, other = _draw_tasks(draw(key, 1), bits, bonus_tasks=bonus_tasks)
    learnt = 1 - sides[p]
    hits = together[learnt, first[p], second[p]]
    penalties = together[learnt, first[q], second[other]]
    return int(hits.sum()), int(penalties.sum())


def _goes_together(joint: NDArray[np.int64], classes: int) -> NDArray[np.bool_]:
    """Return S, bool (classes, classes), as learnt from pairs of labels, each first · classes + second."""
    counts = np.bincount(joint, minlength=classes * classes).reshape(classes, classes)
    return np.asarray(len(joint) * counts > np.outer(counts.sum(axis=1), counts.sum(axis=0)))


def _draw_tasks(
    key: int, bits: NDArray[np.uint64], *, bonus_tasks: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw bonus tasks, and for each of them two others of its side."""
    half, numbers = np.uint64(len(bits)), np.arange(bonus_tasks, dtype=np.uint64)
    low, one, two = np.uint64(0xFFFFFFFF), np.uint64(1), np.uint64(2)
    z, y = draws(key, two * numbers), draws(key, two * numbers + one)
    p = ((numbers << np.uint64(32)) + (z >> np.uint64(32))) * two * half // np.uint64(bonus_tasks << 32)
    at = p >> one
    side = (p & one) ^ bits[at]
    q = (z & low) * (half - one) >> np.uint64(32)
    q += q >= at
    other = (y >> np.uint64(32)) * (half - two) >> np.uint64(32)
    other += other >= np.minimum(at, q)
    other += other >= np.maximum(at, q)
    q, other = two * q + (side ^ bits[q]), two * other + (side ^ bits[other])
    return p.astype(np.int64), q.astype(np.int64), other.astype(np.int64)


def most_bonus_tasks(tasks: int) -> int:
    """Return how many bonus tasks a pair may have: all, up to what the contract can compute in one transaction.

    >>> most_bonus_tasks(2000), most_bonus_tasks(24_575)
    (2000, 3723)
    """
    return min(tasks, (_LONGEST_MATCH - 2 * tasks) // _LABELS_A_BONUS_TASK)


def agreement_deviation(*, bonus_tasks: int, peers: int) -> int:
    """Return the standard deviation of a score that rests on chance, at most.

    Each bonus task adds the difference of two agreements, whose variances are at most 1/4.

    returns: WAD, rounded down; of the mean over bonus tasks and peers

    >>> agreement_deviation(bonus_tasks=50, peers=1) == WAD // 10
    True
    """
    return isqrt(WAD * WAD // (2 * bonus_tasks * peers))


@dataclass(frozen=True, kw_only=True)
class CorrelatedAgreement:
    """Correlated agreement with peers that the round's seed draws, as a scorer: a report is one byte a task.

    The score is the mean over bonus tasks and peers, −1 to 1. Quality is the agreement above that of unrelated tasks, as
    a share of what is possible above it (Cohen's kappa), 0 below. Without calibration items, it cannot tell an honest
    majority from a large coalition that relabels together.

    classes: number of classes K, 2 to 255
    tasks: number of public inputs T, 6 or more
    bonus_tasks: of each pair, from 1 to `most_bonus_tasks`; None for that many
    peers: of each participant, as far as there are so many
    deviations: standard deviations above chance that a report needs on the calibration items

    Source: docs/protocols/peer-prediction.md, "Correlated agreement".
    Choice: kappa as quality, since a score is bounded by how even the classes are, and quality is to be from 0 to 1.
    Fewer than 3 usable reports score 0: two would know of each other.
    """

    classes: int
    tasks: int
    bonus_tasks: int | None = None
    peers: int = 5
    deviations: int = 3

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "CorrelatedAgreementScorer"

    @property
    def arguments(self) -> tuple[int, int, int, int, int]:
        """The twin contract's constructor arguments."""
        return (self.classes, self.tasks, self._bonus, self.peers, self.deviations)

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "CorrelatedAgreement/1"

    @property
    def report_kind(self) -> str:
        """A report is a hard label for each task."""
        return "labels"

    @property
    def chance_deviation(self) -> int:
        """Standard deviation of a score that rests on chance, at most; WAD."""
        return agreement_deviation(bonus_tasks=self._bonus, peers=self.peers)

    @property
    def tasks_wanted(self) -> int:
        """Tasks from which on what goes together is learnt well: 10 in each half for each pair of classes."""
        return 20 * self.classes * self.classes

    @property
    def _bonus(self) -> int:
        return most_bonus_tasks(self.tasks) if self.bonus_tasks is None else self.bonus_tasks

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score reports; an unusable one has score and quality 0 and is nobody's peer.

        Unusable is one of another length, with a label that is no class, or not above chance on the calibration items.
        Scores and qualities are rounded towards 0.
        """
        positions, matrix = usable_labels(
            reports, classes=self.classes, tasks=self.tasks, calibration=facts.calibration, deviations=self.deviations
        )
        notes = pairing_notes(len(positions))
        if self.tasks < self.tasks_wanted:
            few = f"{self.tasks} tasks are few to learn which of {self.classes} classes go together"
            notes.append(("few-tasks", f"{few}: scores are noisy below {self.tasks_wanted}"))
        scored = Scored([0] * len(reports), [0] * len(reports), tuple(notes))
        if len(positions) < FEWEST_PARTICIPANTS:
            return scored
        pairs = draw_pairs(len(positions), facts.seed, peers=self.peers)
        found = agreements(matrix, pairs, facts.seed, classes=self.classes, bonus_tasks=self._bonus)
        most = len(positions) - 1 + len(positions) % 2
        total = self._bonus * min(self.peers, most)
        for position, (hits, penalties) in zip(positions, found, strict=True):
            size = abs(hits - penalties) * WAD
            scored.scores[position] = size // total if hits > penalties else -(size // total)
            scored.qualities[position] = size // (total - penalties) if hits > penalties else 0
        return scored
