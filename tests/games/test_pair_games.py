"""Games of two labels and six tasks, small enough to play every round that there is."""

from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest

from examples.benchmarks.pair_theory import expected_score
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import correlated_agreement, output_agreement

TASKS, HALF = 6, 3
ALL = np.array(list(product(range(2), repeat=TASKS)), dtype=np.uint8)
SEEDS = [bytes(32), bytes(range(32))]
Joint = tuple[tuple[int, int], tuple[int, int]]
"""How many in so many tasks have the labels a and b."""
TRUTHFUL: Joint = ((3, 1), (1, 3))
SKEWED: Joint = ((6, 1), (2, 1))
AGREED: Joint = ((1, 0), (0, 1))


@cache
def score_table(seed: bytes) -> np.ndarray:
    """Scores of the first of a pair, int64 (its report, the other's report)."""
    scores = [
        correlated_agreement(np.stack(pair), [(0, 1)], seed, classes=2, bonus_tasks=TASKS)[0] for pair in product(ALL, ALL)
    ]
    return np.array(scores, dtype=np.int64).reshape(len(ALL), len(ALL))


def mean_score(table: np.ndarray, joint: Joint) -> Fraction:
    """Mean over all reports of a pair whose tasks are drawn independently; exact."""
    likely = np.array(joint, dtype=np.int64)
    weights = likely[ALL[:, None, :], ALL[None, :, :]].prod(axis=2)
    return Fraction(int((weights * table).sum()), int(likely.sum()) ** TASKS)


def closed_form(joint: Joint) -> Fraction:
    """Sum of π(a, b)·Δ(a, b), π by all that can be seen in the half on which S is learnt."""
    total = sum(map(sum, joint))
    chance = {(a, b): Fraction(joint[a][b], total) for a, b in product(range(2), repeat=2)}
    expected = Fraction(0)
    for half in product(chance, repeat=HALF):
        likelihood = np.prod([chance[cell] for cell in half])
        for (a, b), both in chance.items():
            first, second = chance[a, 0] + chance[a, 1], chance[0, b] + chance[1, b]
            seen = half.count((a, b)), sum(cell[0] == a for cell in half), sum(cell[1] == b for cell in half)
            if HALF * seen[0] > seen[1] * seen[2]:
                expected += likelihood * (both - first * second)
    return expected


@pytest.mark.parametrize("seed", SEEDS, ids=["zeros", "digits"])
@pytest.mark.parametrize(("own", "others"), [((1, 1), (1, 1)), ((3, 1), (1, 1)), ((3, 1), (1, 2)), ((7, 2), (5, 3))])
def test_labels_that_do_not_depend_on_the_tasks_earn_exactly_nothing_in_expectation(
    seed: bytes, own: tuple[int, int], others: tuple[int, int]
) -> None:
    independent = tuple(tuple(a * b for b in others) for a in own)
    assert mean_score(score_table(seed), independent) == 0


@pytest.mark.parametrize("seed", SEEDS, ids=["zeros", "digits"])
def test_a_constant_earns_nothing_whatever_the_other_reports(seed: bytes) -> None:
    assert not score_table(seed)[[0, -1]].any()
    assert score_table(seed).any()


@pytest.mark.parametrize("seed", SEEDS, ids=["zeros", "digits"])
@pytest.mark.parametrize("joint", [TRUTHFUL, SKEWED, AGREED])
def test_the_expected_score_is_the_closed_form(seed: bytes, joint: Joint) -> None:
    expected = closed_form(joint)
    assert mean_score(score_table(seed), joint) == TASKS * expected
    assert expected_score(np.array(joint) / np.sum(joint), half=HALF) == pytest.approx(float(expected), abs=1e-9)


def test_an_agreed_random_sequence_earns_more_than_the_truth() -> None:
    # S(a, a) = 1 unless a is all or nothing of the three tasks: 3/4; each of the two has Δ = 1/2 − 1/4.
    assert closed_form(AGREED) == Fraction(3, 8)
    assert mean_score(score_table(SEEDS[0]), AGREED) == TASKS * Fraction(3, 8)
    assert mean_score(score_table(SEEDS[0]), TRUTHFUL) < TASKS * Fraction(3, 8)


@pytest.mark.parametrize("seed", SEEDS, ids=["zeros", "digits"])
def test_two_labels_renamed_by_one_or_by_both_score_like_the_truth(seed: bytes) -> None:
    table = score_table(seed)
    np.testing.assert_array_equal(table[::-1], table)
    np.testing.assert_array_equal(table[::-1, ::-1], table)


def test_a_renaming_by_everybody_scores_like_the_truth() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 10, 400)
    reports = np.where(generator.random((5, 400)) < 0.3, generator.integers(0, 10, (5, 400)), truth).astype(np.uint8)
    renamed = generator.permutation(10).astype(np.uint8)[reports]
    pairs = [(0, 1), (2, 3, 4)]
    truthful = correlated_agreement(reports, pairs, SEEDS[1], classes=10, bonus_tasks=400)
    assert correlated_agreement(renamed, pairs, SEEDS[1], classes=10, bonus_tasks=400) == truthful
    assert min(truthful) > 100
    assert output_agreement(renamed, pairs, classes=10) == output_agreement(reports, pairs, classes=10)


def test_output_agreement_pays_a_constant_nothing_but_for_rounds_in_which_nobody_else_reports_it() -> None:
    reports = [np.array(cells, dtype=np.uint8).reshape(2, 3) for cells in product(range(2), repeat=6)]
    constant = np.zeros((1, 3), dtype=np.uint8)
    scores = [output_agreement(np.concatenate([constant, others]), [(0, 1)], classes=2)[0] for others in reports]
    # In one of the 64 rounds all others report the other label: −1. Over the rest the mean is 0, but for rounding down.
    assert 0 <= -WAD - sum(scores) <= 2 * len(scores)
