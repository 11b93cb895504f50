from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.rewards import split

BUDGETS = st.integers(0, 2**256)
WEIGHTS = st.lists(st.integers(0, 2**130), max_size=12)


@pytest.mark.parametrize(
    ("budget", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (10, [1, 2, 3, 4], [1, 2, 3, 4]),
        (7, [3, 5, 2], [2, 4, 1]),  # exactly 2.1, 3.5, 1.4: the unit left over goes to the second
        (1, [0, 0, 9, 9], [0, 0, 1, 0]),
        (2, [1, 1, 1, 1], [1, 1, 0, 0]),
        (5, [0, 0], [0, 0]),
        (5, [], []),
        (0, [1, 2], [0, 0]),
    ],
)
def test_a_budget_splits_as_computed_by_hand(budget: int, weights: list[int], parts: list[int]) -> None:
    assert split(budget, weights) == parts


@given(BUDGETS, WEIGHTS)
def test_the_parts_add_up_to_the_budget(budget: int, weights: list[int]) -> None:
    assert sum(split(budget, weights)) == (budget if any(weights) else 0)


@given(BUDGETS, WEIGHTS.filter(any))
def test_each_part_differs_from_the_exact_share_by_less_than_one(budget: int, weights: list[int]) -> None:
    for part, weight in zip(split(budget, weights), weights, strict=True):
        assert abs(part - Fraction(budget * weight, sum(weights))) < 1


@given(st.integers(0, 100), st.integers(1, 10), st.integers(1, 10**6))
def test_ties_go_to_the_lowest_indices(budget: int, participants: int, weight: int) -> None:
    each, left = divmod(budget, participants)
    assert split(budget, [weight] * participants) == [each + 1] * left + [each] * (participants - left)


@given(BUDGETS, WEIGHTS.filter(any))
def test_no_weight_earns_nothing(budget: int, weights: list[int]) -> None:
    assert all(part == 0 for part, weight in zip(split(budget, weights), weights, strict=True) if weight == 0)


def test_a_negative_budget_is_refused_by_value() -> None:
    with pytest.raises(ValueError, match="budget -1 is negative; a split needs 0 or more"):
        split(-1, [1])


def test_a_negative_weight_is_refused_by_value_and_place() -> None:
    with pytest.raises(ValueError, match="weight -3 at index 1 is negative"):
        split(1, [1, -3])
