from dataclasses import replace
from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ReportError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.reputation import UNIT, Opinion, record, reputation

rounds = st.lists(st.tuples(st.integers(1, 4), st.integers(-1, 1), st.integers(0, WAD)), max_size=9)


def _after(history: list[tuple[int, int, int]]) -> Opinion | None:
    """Record rounds of one task: gap, score, quality."""
    opinion, number = None, 0
    for gap, score, quality in history:
        number += gap
        opinion = record(opinion, task="a", round_number=number, score=score, quality=quality)
    return opinion


def test_a_newcomer_has_0_35() -> None:
    assert reputation(None) == 35 * WAD // 100


def test_two_rounds_give_what_is_computed_by_hand() -> None:
    # Quality 0.8, then 0.6 with a negative score, a round missed in between.
    # P = 0.9·0.8 + 0.6 = 1.32; N = 0.9·0.2 + 2·0.4 = 0.98; E = 2.32 / 4.3 = 0.539534883.
    # Present 0.9·0.9·1 + 1 = 1.81, possible 0.9·(0.9·1 + 1) + 1 = 2.71; A = 0.667896678.
    # Standard deviation 0.1: S = 0.8. In all 0.539534883 · (0.6 + 0.2 · 0.667896678 + 0.2 · 0.8) = 0.482117222….
    opinion = _after([(1, 1, 8 * WAD // 10), (2, -1, 6 * WAD // 10)])
    assert opinion == Opinion(
        agreements=1_320_000_000, disagreements=980_000_000, present=1_810_000_000, possible=2_710_000_000, task="a",
        last_round=3, history=(8000, 6000),
    )
    assert reputation(opinion) == 482_117_222 * UNIT


def _plain(history: list[tuple[int, int, int]]) -> float:
    """The page's equations, in exact fractions but for the root."""
    gamma = Fraction(9, 10)
    agreed = disagreed = present = possible = Fraction(0)
    for gap, score, quality in history:
        q = Fraction(quality, WAD)
        agreed, disagreed = gamma * agreed + q, gamma * disagreed + (1 - q) * (2 if score < 0 else 1)
        for _ in range(gap):
            present, possible = gamma * present, gamma * possible + 1
        present += 1
    # A participant's first round counts as one, however late it is.
    if history:
        possible -= sum(gamma**k for k in range(history[0][0])) * gamma ** sum(g for g, _, _ in history[1:])
        possible += gamma ** sum(g for g, _, _ in history[1:])
    expectation = (agreed + 1) / (agreed + disagreed + 2)
    activity = present / possible if possible else Fraction(0)
    newest = [Fraction(quality, WAD) for _, _, quality in history[-5:]]
    stability = 0.5
    if len(newest) > 1:
        mean = sum(newest) / len(newest)
        stability = max(0.0, 1 - 2 * float(sum((q - mean) ** 2 for q in newest) / len(newest)) ** 0.5)
    return float(expectation) * (0.6 + 0.2 * float(activity) + 0.2 * stability)


@given(rounds)
def test_integers_give_what_the_equations_give(history: list[tuple[int, int, int]]) -> None:
    # Qualities are kept to 1/10,000 for the standard deviation, which is a root.
    assert abs(reputation(_after(history)) / WAD - _plain(history)) < 1e-3


@given(rounds)
def test_a_reputation_is_a_share(history: list[tuple[int, int, int]]) -> None:
    assert 0 <= reputation(_after(history)) <= WAD


@given(rounds, st.integers(0, WAD), st.integers(0, WAD))
def test_a_better_round_never_makes_agreement_less_or_disagreement_more(
    history: list[tuple[int, int, int]], one: int, other: int
) -> None:
    worse, better = sorted((one, other))
    low, high = (_after([*history, (1, 1, quality)]) for quality in (worse, better))
    assert low is not None
    assert high is not None
    assert low.agreements <= high.agreements
    assert low.disagreements >= high.disagreements


def test_being_there_and_steady_is_worth_nothing_without_agreement() -> None:
    constant = _after([(1, -1, WAD // 10)] * 20)
    assert reputation(constant) < reputation(None) / 3


def test_a_negative_score_doubles_disagreement_and_leaves_agreement() -> None:
    good, bad = (record(None, task=1, round_number=1, score=score, quality=WAD * 7 // 10) for score in (0, -1))
    assert (bad.agreements, bad.disagreements) == (good.agreements, 2 * good.disagreements)
    assert reputation(bad) < reputation(good)


def test_old_rounds_are_forgotten() -> None:
    reformed = _after([(1, -1, 0)] * 5 + [(1, 1, WAD)] * 60)
    assert reputation(reformed) > 98 * reputation(_after([(1, 1, WAD)] * 65)) // 100


def test_absence_costs_activity_alone() -> None:
    present, absent = _after([(1, 1, WAD), (1, 1, WAD)]), _after([(1, 1, WAD), (9, 1, WAD)])
    assert present is not None
    assert absent is not None
    assert reputation(absent) < reputation(present)
    assert (absent.agreements, absent.disagreements) == (present.agreements, present.disagreements)


def test_only_so_many_rounds_of_absence_are_reckoned_with() -> None:
    assert _after([(1, 1, WAD), (65, 1, WAD)]) == replace(_after([(1, 1, WAD), (10**6, 1, WAD)]), last_round=66)
    assert _after([(1, 1, WAD), (63, 1, WAD)]).possible != _after([(1, 1, WAD), (64, 1, WAD)]).possible


def test_another_task_is_no_absence_and_starts_at_any_round() -> None:
    first = record(None, task="a", round_number=7, score=1, quality=WAD)
    second = record(first, task="b", round_number=2, score=1, quality=WAD)
    assert second.present == second.possible == UNIT * 9 // 10 + UNIT
    assert (second.task, second.last_round) == ("b", 2)


def test_stability_looks_at_the_newest_five_rounds() -> None:
    opinion = _after([(1, 1, 0), *[(1, 1, WAD)] * 5])
    assert opinion is not None
    assert opinion.history == (10_000,) * 5
    swinging = _after([(1, 1, WAD * (n % 2)) for n in range(6)])
    assert swinging is not None
    spread = isqrt(5 * 3 * 10**8 - (3 * 10**4) ** 2) // 5
    assert spread == 4898
    assert reputation(swinging) % 10**12 != 0  # 0.0204 of stability is left


def test_quality_above_one_counts_as_one() -> None:
    one, more = (record(None, task=1, round_number=1, score=1, quality=quality) for quality in (WAD, 3 * WAD))
    assert one == more


def test_a_round_that_was_recorded_or_passed_is_refused() -> None:
    opinion = record(None, task="a", round_number=5, score=1, quality=WAD)
    for number in (5, 4):
        with pytest.raises(ReportError, match=f"round {number} of task a is not after round 5"):
            record(opinion, task="a", round_number=number, score=1, quality=WAD)


def test_a_negative_quality_is_refused() -> None:
    with pytest.raises(ReportError, match=f"quality -1 is negative; qualities are 0 to {WAD}"):
        record(None, task="a", round_number=1, score=1, quality=-1)
