from hypothesis import example, given, settings
from hypothesis import strategies as st

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.rewards import PayFacts, Proportional

from .conftest import Twin

MOST = 2**256 - 1
BOUND = 2**127 - 1  # of a score that can be posted


@settings(max_examples=100)
@given(
    st.integers(0, MOST) | st.integers(0, 1000),
    st.lists(st.integers(-BOUND, BOUND) | st.integers(-2, 9), max_size=12),
    st.sampled_from([0, 1, WAD]),
)
@example(MOST, [BOUND] * 12, 0)
@example(MOST, [1, BOUND, 1], 0)
@example(100, [WAD, WAD, WAD], WAD)
def test_a_budget_splits_alike_on_chain(twin: Twin, budget: int, scores: list[int], minimum: int) -> None:
    schedule = Proportional(minimum_score=minimum)
    slashes = min(budget // 3, MOST - budget)
    amounts = twin(schedule.contract, schedule.arguments, "split", budget, slashes, scores, PayFacts().as_tuple(len(scores)))
    assert list(amounts) == schedule.split(budget, slashes, scores, PayFacts())
