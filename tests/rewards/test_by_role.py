import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards import ByRole, PayFacts, schedule_of

SCORES = st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 10**20)), max_size=12)


def test_each_role_has_its_pool_whatever_its_scores_are() -> None:
    facts = PayFacts(roles=[0, 0, 1, 2])
    assert ByRole().split(180, 20, [10**18, 3 * 10**18, 7, 1], facts) == [30, 90, 50, 30]


def test_the_pool_of_a_role_that_earned_nothing_goes_to_the_others_in_proportion() -> None:
    assert ByRole(workers=6, validators=3, miners=1).split(90, 0, [1, 1, 5, 0], PayFacts(roles=[0, 0, 1, 2])) == [30, 30, 30, 0]


def test_the_minimum_is_of_workers_alone() -> None:
    assert ByRole(minimum_score=4).split(85, 0, [3, 3, 2], PayFacts(roles=[0, 1, 2])) == [0, 53, 32]


def test_without_roles_everybody_is_a_worker() -> None:
    assert ByRole().split(100, 0, [1, 3], PayFacts()) == [25, 75]


@given(st.integers(0, 10**25), st.integers(0, 10**20), SCORES, st.tuples(*[st.integers(0, 9)] * 3))
def test_all_is_paid_or_nothing(budget: int, slashes: int, scored: list[tuple[int, int]], shares: tuple[int, int, int]) -> None:
    schedule = ByRole(workers=shares[0], validators=shares[1], miners=shares[2])
    amounts = schedule.split(budget, slashes, [s for _, s in scored], PayFacts(roles=[r for r, _ in scored]))
    earned = any(score > 0 and shares[role] for role, score in scored)
    assert sum(amounts) == (budget + slashes if earned else 0)
    assert all(amount == 0 for amount, (_, score) in zip(amounts, scored, strict=True) if score <= 0)


def test_a_share_out_of_range_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="the miners' share of the money is -1"):
        ByRole(miners=-1)
    with pytest.raises(ConfigError, match="minimum_score -1 is negative"):
        ByRole(minimum_score=-1)


def test_it_is_found_again_by_its_contract() -> None:
    schedule = ByRole(workers=1, validators=2, miners=3, minimum_score=4)
    assert schedule_of(schedule.contract, [str(a) for a in schedule.arguments]) == schedule
