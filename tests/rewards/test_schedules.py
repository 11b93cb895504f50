import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards import PayFacts, Proportional, TopK


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


@given(st.integers(0, 2**96), st.integers(0, 2**96), st.lists(st.integers(-5, 5), max_size=9), st.integers(1, 128))
def test_top_k_pays_all_of_the_money_or_nothing(budget: int, slashes: int, scores: list[int], k: int) -> None:
    amounts = TopK(k=k).split(budget, slashes, scores, PayFacts())
    assert sum(amounts) == (budget + slashes if max(scores, default=0) > 0 else 0)
    assert all(amount == 0 for amount, score in zip(amounts, scores, strict=True) if score <= 0)


@pytest.mark.parametrize(
    ("k", "shares"),
    [(1, [1000]), (2, [750, 250]), (3, [500, 333, 167]), (4, [500, 250, 156, 94]), (5, [500, 250, 125, 75, 50]),
     (9, [500, 250, 125, 75, 50])],
)
def test_the_top_k_get_half_of_the_rest_each_and_the_last_two_share_it(k: int, shares: list[int]) -> None:
    assert TopK(k=k).split(1000, 0, [9, 8, 7, 6, 5], PayFacts()) == shares + [0] * (5 - len(shares))


def test_of_equal_scores_the_lower_address_is_first_and_slashes_are_shared_alike() -> None:
    assert TopK(k=2).split(100, 10, [4, 4, 2, -9], PayFacts()) == [79, 29, 2, 0]


@pytest.mark.parametrize("k", [0, -1, 129])
def test_an_impossible_k_is_refused(k: int) -> None:
    with pytest.raises(ConfigError, match=f"k is {k}; it must be 1 to 128"):
        TopK(k=k)
