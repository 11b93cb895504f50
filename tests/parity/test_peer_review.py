from hypothesis import example, given, settings
from hypothesis import strategies as st

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.rewards import PayFacts, TopK
from flwr_chainfl.scoring import Facts, PeerReviewScore, Scored

from .conftest import Twin

MOST = 2**96 - 1
BOUND = 2**127 - 1


@st.composite
def rounds(draw: st.DrawFn) -> Facts:
    n = draw(st.integers(0, 7))
    mark = st.sampled_from([0, 1, WAD + 1, WAD // 2, WAD // 2 + 1]) | st.integers(1, WAD + 1)
    row = st.lists(mark, min_size=n + 1, max_size=n + 1)
    return Facts(
        samples=[1] * n,
        roles=draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=n, max_size=n)),
        marks=draw(st.lists(row | row | row | st.just([]), min_size=n, max_size=n)),
    )


@settings(max_examples=200)
@given(rounds(), st.sampled_from([1, 3 * WAD // 10, 7 * WAD // 10, WAD]), st.sampled_from([0, 1, 4 * WAD // 10, WAD]))
def test_reviews_score_alike_on_chain(twin: Twin, facts: Facts, threshold: int, floor: int) -> None:
    scorer = PeerReviewScore(threshold=threshold, floor=floor)
    reports = [b""] * len(facts.samples)
    scores, qualities = twin(scorer.contract, scorer.arguments, "score", reports, facts.as_tuple())
    assert Scored(list(scores), list(qualities)) == scorer.score(reports, facts)


def test_the_formula_on_chain_is_the_one_that_python_names(twin: Twin) -> None:
    scorer = PeerReviewScore()
    assert twin(scorer.contract, scorer.arguments, "version").rstrip(b"\0").decode() == scorer.formula


@settings(max_examples=100)
@given(
    st.integers(0, MOST), st.integers(0, MOST),
    st.lists(st.integers(-BOUND, BOUND) | st.integers(-3, 3), max_size=12), st.sampled_from([1, 2, 3, 5, 128]),
)  # fmt: skip
@example(100, 7, [WAD, WAD, WAD], 2)
@example(MOST, MOST, list(range(1, 131)), 128)
def test_the_top_k_split_alike_on_chain(twin: Twin, budget: int, slashes: int, scores: list[int], k: int) -> None:
    schedule = TopK(k=k)
    amounts = twin(schedule.contract, schedule.arguments, "split", budget, slashes, scores, PayFacts().as_tuple(len(scores)))
    assert list(amounts) == schedule.split(budget, slashes, scores, PayFacts())
