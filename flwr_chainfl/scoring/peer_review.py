"""Scores contributions by what their peers found on data of their own; twin of contracts/scorers/PeerReviewScorer.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring.scorer import Facts, Scored

_HALF = WAD // 2
_FEWEST_REVIEWS = 3
"""Opinions of a contribution that make a median which one of them cannot decide."""


@dataclass(frozen=True)
class Reviewed:
    """What reviews came to; workers in the order of the marks.

    worths: WAD, the median of the others' marks; reference: the same of the model that the round began with, 0 where nobody
    judged it; overalls: WAD, 0 to 1, 0 of who did not review; reviewers: whether each reviewed, that is, gave half of the
    others or more a mark; decided: whether anybody's contribution and anybody's reviews are worth something
    """

    worths: list[int]
    reference: int
    overalls: list[int]
    reviewers: list[bool]
    decided: bool


def peer_review(marks: Sequence[Sequence[int]], *, tolerant: bool = False) -> Reviewed:
    """Return each worker's overall score: the worse of its contribution's worth and the nearness of its own marks.

    Worth is the median of the others' marks, nearness how close its marks are to such medians; each relative to the best.

    marks: as in `Facts`, of n workers and the reference: 1 more than each mark in WAD, 0 for none; the diagonal is ignored
    tolerant: a reviewer is as near as half of its marks are, rather than as its farthest mark

    A missing mark of who did review counts as 0 in what the contribution is worth. How near a reviewer's marks are is
    measured against those that were given. For an owner can keep a reviewer from opening its content, which neither can
    prove; so it would otherwise choose who judges it, or who is slashed.

    Source: docs/protocols/collateral.md, "Scoring"; BlockFlow, arXiv 2007.03856.
    Choice: a median of an even number is the mean of the middle two, rounded down. What makes a review complete enough, and
    what a missing mark counts, are ours.

    >>> good, bad = 1 + 9 * WAD // 10, 1 + WAD // 10
    >>> [o / WAD for o in peer_review([[0, good, bad, 0], [good, 0, bad, 0], [good, good, 0, 0]]).overalls]
    [1.0, 1.0, 0.111111111111111111]
    """
    n = len(marks)
    reviewers = [_reviewed(row, i, n) for i, row in enumerate(marks)]
    given = [[marks[i][j] for i in range(n) if i != j and reviewers[i]] for j in range(n)]
    worths = [_median([max(mark - 1, 0) for mark in opinions]) for opinions in given]
    medians = [_median([mark - 1 for mark in opinions if mark]) for opinions in given]
    reference = _median([row[n] - 1 for row, reviewed in zip(marks, reviewers, strict=True) if reviewed and row[n]])
    nearness = [
        _nearness([_near(row[j] - 1, medians[j]) for j in range(n) if j != i and row[j]], tolerant) if reviewers[i] else 0
        for i, row in enumerate(marks)
    ]
    best, nearest = max(worths, default=0), max(nearness, default=0)
    if best == 0 or nearest == 0:
        return Reviewed(worths, reference, [0] * n, reviewers, decided=False)
    overalls = [
        min(worth * WAD // best, near * WAD // nearest) if reviewed else 0
        for worth, near, reviewed in zip(worths, nearness, reviewers, strict=True)
    ]
    return Reviewed(worths, reference, overalls, reviewers, decided=True)


@dataclass(frozen=True, kw_only=True)
class PeerReviewScore:
    """Score by peers' reviews: an overall score from the threshold on is paid for, one below it is slashed.

    A report's own bytes count for nothing. Who contributed and did not review is slashed as well. Where no contribution or
    nobody's reviews are worth anything, all score 0 and nobody is slashed. Only workers take part.

    With a `floor`, what is slashed is measured in another way, for workers that have different classes. Then an honest model
    can look bad to others, above all early, and an honest reviewer can be alone with what it sees. But a model that was
    trained at all is not far worse than the one that it was trained from. So reviewers judge that one, too, and only a
    contribution below this share of it is slashed. False marks cost no more than the pay then.

    What it cannot do: a majority of a contribution's reviewers that agreed on their marks decides what it is worth. Of
    three workers, each is reviewed by two, so that one that lies can cost the honest their pay and more; five stand one
    liar. Equally, half of the reviewers that leave a mark out. Nobody sees on which data somebody evaluated: who copies
    its neighbour's marks scores like its neighbour.

    threshold: WAD, above 0 and up to 1, of the overall score
    floor: WAD, up to 1, of what the model is worth that the round began with; 0: every score below the threshold is slashed

    Source: docs/protocols/collateral.md, "Scoring" and "Different data".
    Choice: 0.7 as threshold, which a reviewer falls below whose mark is 0.1 from the median. So what is held out has to be
    some hundred examples, or the threshold lower: the accuracy on 50 examples is off by 0.1 now and then. A slash is a score of −1, which is a tenth of the task's smallest stake. The floor is ours.
    """

    threshold: int = 7 * WAD // 10
    floor: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= WAD:
            raise ConfigError(f"threshold is {self.threshold}; it must be above 0 and at most {WAD} (1.0)")
        if not 0 <= self.floor <= WAD:
            raise ConfigError(f"floor is {self.floor}; it must be 0 to {WAD} (1.0)")

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "PeerReviewScorer"

    @property
    def arguments(self) -> tuple[int, int]:
        """The twin contract's constructor arguments."""
        return (self.threshold, self.floor)

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "PeerReview/1"

    @property
    def report_kind(self) -> str:
        """A report is a sample count, which is not looked at."""
        return "samples"

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score workers by the marks in `facts`; quality is the overall score. Others have 0 of both.

        >>> mark = 9 * WAD // 10 + 1
        >>> PeerReviewScore().score([b"", b""], Facts(samples=[1, 1], marks=[[0, mark, 0], [mark, 0, 0]])).scores
        [1000000000000000000, 1000000000000000000]
        """
        n = len(reports)
        workers = [i for i in range(n) if not facts.roles or facts.roles[i] == 0]
        rows = [facts.marks[i] if facts.marks else [] for i in workers]
        reviewed = peer_review([[row[j] for j in [*workers, n]] if row else [] for row in rows], tolerant=self.floor > 0)
        scores, qualities = [0] * n, [0] * n
        for w, position in enumerate(workers):
            qualities[position] = reviewed.overalls[w]
            scores[position] = self._score(reviewed, w)
        return Scored(scores, qualities, tuple(_notes(reviewed)))

    def _score(self, reviewed: Reviewed, worker: int) -> int:
        if not reviewed.decided:
            return 0
        if reviewed.overalls[worker] >= self.threshold:
            return reviewed.overalls[worker]
        if not reviewed.reviewers[worker] or self.floor == 0:
            return -WAD
        return -WAD if reviewed.worths[worker] < reviewed.reference * self.floor // WAD else 0


def _notes(reviewed: Reviewed) -> list[tuple[str, str]]:
    """Return what there is to tell of a round's reviews."""
    reviewers = sum(reviewed.reviewers)
    if not reviewed.decided:
        return [("undecided-reviews", f"{reviewers} reviewers, and no contribution or no review is worth anything; all score 0")]
    if reviewers <= _FEWEST_REVIEWS:
        text = f"{reviewers} reviewers: each contribution has {reviewers - 1} or fewer of others, so that one can decide it"
        return [("few-reviewers", text)]
    return []


def _reviewed(row: Sequence[int], own: int, workers: int) -> bool:
    """Say whether a row has marks for half of the other workers or more."""
    given = sum(1 for j in range(workers) if j != own and row[j]) if row else 0
    return given > 0 and 2 * given >= workers - 1


def _median(values: list[int]) -> int:
    """Return the median, of an even number the mean of the middle two, rounded down; 0 of none."""
    if not values:
        return 0
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def _near(mark: int, median: int) -> int:
    """Return how near a mark is to the median: 1 at it, 0 from a half away on; WAD."""
    distance = abs(mark - median)
    return max(0, _HALF - distance) * WAD // (_HALF + distance)


def _nearness(near: list[int], tolerant: bool) -> int:
    """Return how near a reviewer's marks are, all of them or half of them."""
    return _median(near) if tolerant else min(near)
