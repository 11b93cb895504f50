"""Reputation: quality, activity and stability over rounds and tasks, in integers; twin of contracts/Reputation.sol."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from flwr_chainfl.errors import ReportError
from flwr_chainfl.fixedpoint import WAD

UNIT = 10**9
"""One, as the unit of everything that is kept here."""

HISTORY = 5
"""Rounds whose qualities are kept, to see how much they vary."""

LONGEST_GAP = 64
"""Rounds of absence that are reckoned with at most."""

_HISTORY_UNIT = 10_000
_PER_HISTORY_UNIT = UNIT // _HISTORY_UNIT


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What is remembered of a participant; the older, the less it counts.

    agreements, disagreements: with the consensus, `UNIT` a round, disagreements double where the score was negative
    present, possible: rounds taken part in and rounds there were, `UNIT` each
    task: the one that was recorded last; last_round: its round
    history: up to `HISTORY` qualities, oldest first, in 1/10,000

    Source: docs/protocols/soft-label.md, "Reputation"; Jøsang, "Subjective Logic", Springer 2016.
    """

    agreements: int
    disagreements: int
    present: int
    possible: int
    task: int | str
    last_round: int
    history: tuple[int, ...]


def record(
    opinion: Opinion | None, *, task: int | str, round_number: int, score: int, quality: int
) -> Opinion:
    """Return what is remembered after one more round.

    opinion: None for a newcomer
    task: of the round, by address or index; rounds of a task between two that were recorded count as absence
    score: WAD; a negative one makes disagreement count double
    quality: WAD, 0 to 1; more counts as 1

    Raises ReportError when the round is not after the last one of this task, or the quality is negative.
    Source: docs/protocols/soft-label.md, "Reputation".
    Choice: each round counts 9/10 of the next; absence from a whole task is not held against anybody.

    >>> first = record(None, task="a", round_number=1, score=WAD, quality=WAD * 9 // 10)
    >>> first.agreements, first.disagreements, first.present, first.possible, first.history
    (900000000, 100000000, 1000000000, 1000000000, (9000,))
    >>> third = record(first, task="a", round_number=3, score=-WAD, quality=WAD // 4)
    >>> third.agreements, third.disagreements, third.present, third.possible, third.history
    (1060000000, 1590000000, 1810000000, 2710000000, (9000, 2500))
    """
    if quality < 0:
        raise ReportError(f"quality {quality} is negative; qualities are 0 to {WAD}")
    known = opinion is not None and opinion.task == task
    gap = round_number - opinion.last_round if opinion is not None and known else 1
    if opinion is not None and gap < 1:
        raise ReportError(
            f"round {round_number} of task {task} is not after round {opinion.last_round}, which was recorded already; "
            f"record the rounds of a task in order"
        )
    before = opinion or Opinion(
        agreements=0, disagreements=0, present=0, possible=0, task=task, last_round=0, history=()
    )
    agreed = min(quality, WAD) * UNIT // WAD
    disagreed = (UNIT - agreed) * (2 if score < 0 else 1)
    present, possible = before.present, before.possible
    for _ in range(min(gap, LONGEST_GAP)):
        present, possible = present * 9 // 10, possible * 9 // 10 + UNIT
    return Opinion(
        agreements=before.agreements * 9 // 10 + agreed,
        disagreements=before.disagreements * 9 // 10 + disagreed,
        present=present + UNIT,
        possible=possible,
        task=task,
        last_round=round_number,
        history=(*before.history, agreed // _PER_HISTORY_UNIT)[-HISTORY:],
    )


def reputation(opinion: Opinion | None) -> int:
    """Return expectation · (0.6 + 0.2 · activity + 0.2 · stability).

    Expectation is that of the opinion with base rate one half and weight 2, activity the share of rounds taken part in,
    stability 1 less twice the standard deviation of the last qualities, one half with fewer than two.

    returns: WAD, 0 to 1; 0.35 for a newcomer

    Source: docs/protocols/soft-label.md, "Reputation"; Jøsang, "Subjective Logic", Springer 2016 (expectation of a
    binomial opinion); Ying, Yan, Gao et al., "IMFLKD", Sci Rep 16:10567 (2026) (quality, activity, stability, decay).
    Choice: the weights, and the forms of activity and stability. These two scale the expectation, and are not added to
    it: added, whoever always sends the same nonsense would have 0.4 for being there and being steady.

    >>> reputation(None)
    350000000000000000
    >>> good = record(None, task="a", round_number=1, score=WAD, quality=WAD)
    >>> reputation(good)
    599999999000000000
    >>> bad = record(good, task="a", round_number=2, score=-WAD, quality=0)
    >>> reputation(bad)
    310204081000000000
    """
    agreements, disagreements = (opinion.agreements, opinion.disagreements) if opinion is not None else (0, 0)
    expectation = (agreements + UNIT) * UNIT // (agreements + disagreements + 2 * UNIT)
    activity = opinion.present * UNIT // opinion.possible if opinion is not None and opinion.possible else 0
    stability = _stability(opinion.history if opinion is not None else ())
    return expectation * (6 * UNIT + 2 * activity + 2 * stability) // (10 * UNIT) * (WAD // UNIT)


def _stability(history: tuple[int, ...]) -> int:
    """Return 1 less twice the standard deviation of the qualities, at least 0, in `UNIT`."""
    count = len(history)
    if count < 2:
        return UNIT // 2
    spread = isqrt(count * sum(h * h for h in history) - sum(history) ** 2) // count
    return max(0, _HISTORY_UNIT // 2 - spread) * UNIT // (_HISTORY_UNIT // 2)
