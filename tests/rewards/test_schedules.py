import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.rewards import PayFacts, Proportional


def test_only_positive_scores_are_paid() -> None:
    assert Proportional().split(60, 40, [-5, 0, 1, 3], PayFacts()) == [0, 0, 25, 75]


def test_a_score_below_the_minimum_earns_nothing_and_one_at_it_is_paid() -> None:
    assert Proportional(minimum_score=4).split(90, 0, [3, 4, 5], PayFacts()) == [0, 40, 50]


def test_nobody_earns_where_all_scores_are_below_the_minimum() -> None:
    assert Proportional(minimum_score=4).split(90, 0, [3, -9], PayFacts()) == [0, 0]


@given(st.integers(0, 10**30), st.lists(st.integers(-(10**20), 10**20), max_size=8), st.integers(0, 10**20))
def test_a_budget_is_spent_in_full_or_not_at_all(budget: int, scores: list[int], minimum: int) -> None:
    amounts = Proportional(minimum_score=minimum).split(budget, 7, scores, PayFacts())
    assert sum(amounts) == (budget + 7 if any(score > 0 and score >= minimum for score in scores) else 0)


def test_a_negative_minimum_is_refused_by_value() -> None:
    with pytest.raises(ValueError, match="minimum_score -1 is negative; it must be 0 or more"):
        Proportional(minimum_score=-1)


def test_the_schedule_names_its_contract() -> None:
    assert (Proportional(minimum_score=3).contract, Proportional(minimum_score=3).arguments) == ("Proportional", (3,))
