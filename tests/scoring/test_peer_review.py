from fractions import Fraction
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import Facts, PeerReviewScore, Scored, marks_of, peer_review, scorer_of


def marks(*rows: str) -> list[list[int]]:
    """Return rows of marks in tenths, the reference's last; a dot for none, an empty row for no review."""
    return [[0 if c == "." else 1 + int(c) * WAD // 10 for c in row.ljust(len(rows) + 1, ".")] if row else [] for row in rows]


def scored(rows: list[list[int]], **parameters: int) -> Scored:
    facts = Facts(samples=[1] * len(rows), marks=rows)
    return PeerReviewScore(**parameters).score([b""] * len(rows), facts)


def tenths(values: list[int]) -> list[float]:
    return [round(value / WAD, 3) for value in values]


def test_honest_reviewers_with_good_models_all_score_1_and_a_bad_model_is_slashed() -> None:
    found = scored(marks(".9991", "9.991", "99.91", "999.1", "9999."))
    assert found.scores == [WAD] * 4 + [-WAD]
    assert found.qualities[4] == WAD // 9


def test_the_scores_are_those_of_a_hand_computed_round() -> None:
    # medians: of 1: .8, .6 → .7; of 2: .9, .5 → .7; of 3: .4, .6 → .5. Distances: 1: .2, .1; 2: .1, .1; 3: .1, .2.
    # nearness of .1: .4/.6; of .2: .3/.7; so the reviewers' are 3/7, 2/3, 3/7, and relative to the best 9/14, 1, 9/14.
    found = peer_review(marks(".94", "8.6", "65."))
    assert tenths(found.overalls) == [0.643, 1.0, 0.643]


def test_a_reviewer_far_from_the_median_loses_although_its_model_is_the_best() -> None:
    found = scored(marks(".0009", "9.999", "99.99", "999.9", "9999."))
    assert tenths(found.qualities) == [0.0, 1.0, 1.0, 1.0, 1.0]
    assert found.scores[0] == -WAD


def test_with_a_floor_what_is_slashed_is_worse_by_far_than_what_the_round_began_with() -> None:
    rows = marks(".99918", "9.9918", "99.918", "999.18", "9999.8")
    rows[3][4], rows[2][4] = 1 + 3 * WAD // 10, 1 + 4 * WAD // 10  # the last one's worth is .2 of the best .9, and .25 of .8
    assert scored(rows, threshold=3 * WAD // 10, floor=2 * WAD // 10).scores == [WAD] * 4 + [0]
    assert scored(rows, threshold=3 * WAD // 10, floor=3 * WAD // 10).scores == [WAD] * 4 + [-WAD]


def test_with_a_floor_and_no_mark_of_the_reference_nobody_is_slashed_for_its_contribution() -> None:
    rows = marks(".9991", "9.991", "99.91", "999.1", "9999.")
    assert scored(rows, floor=WAD).scores == [WAD] * 4 + [0]


def test_with_a_floor_a_reviewer_that_is_alone_with_what_it_sees_is_not_slashed() -> None:
    rows = marks(".2229", "9.999", "99.99", "999.9", "9999.")
    assert scored(rows).scores[0] == -WAD
    assert scored(rows, floor=WAD // 2).scores[0] == 0
    assert scored(marks(".2999", "9.999", "99.99", "999.9", "9999."), floor=WAD // 2).scores[0] == WAD


def test_with_a_floor_who_did_not_review_is_slashed_all_the_same() -> None:
    assert scored(marks("", "9.9998", "99.998", "999.98", "9999.8"), floor=WAD // 2).scores[0] == -WAD


def test_who_contributed_and_did_not_review_is_slashed_and_its_silence_costs_nobody_else() -> None:
    found = scored(marks("", "9.999", "99.99", "999.9", "9999."))
    assert found.scores == [-WAD, *[WAD] * 4]
    assert found.qualities[0] == 0


def test_marks_for_less_than_half_of_the_others_are_no_review() -> None:
    assert scored(marks(".9...", "9.999", "99.99", "999.9", "9999.")).scores[0] == -WAD
    assert scored(marks(".99..", "9.999", "99.99", "999.9", "9999.")).scores[0] == WAD


def test_a_contribution_that_its_owner_hid_from_most_is_worth_nothing_and_no_reviewer_loses() -> None:
    found = scored(marks(".9999", "..999", ".9.99", ".99.9", "9999."))
    assert found.scores == [-WAD, *[WAD] * 4]  # one of four reviewers could open it


WHOLE = 1 + WAD


@pytest.mark.parametrize(
    "rows",
    [[], [[]] * 4, marks(".00", "0.0", "00."), [[0, WHOLE, 1, 0], [1, 0, WHOLE, 0], [WHOLE, 1, 0, 0]]],
    ids=["nobody", "no reviews", "no contribution of worth", "each a half from the median"],
)
def test_where_no_contribution_or_no_review_is_worth_anything_nobody_is_slashed(rows: list[list[int]]) -> None:
    found = scored(rows)
    assert found.scores == found.qualities == [0] * len(rows)
    assert [kind for kind, _ in found.notes] == ["undecided-reviews"]


def test_up_to_3_reviewers_are_noted_since_one_of_them_can_decide() -> None:
    assert [kind for kind, _ in scored(marks(".9", "9.")).notes] == ["few-reviewers"]
    assert [kind for kind, _ in scored(marks(".99", "9.9", "99.")).notes] == ["few-reviewers"]
    assert scored(marks(".999", "9.99", "99.9", "999.")).notes == ()


def test_of_three_workers_a_single_liar_decides_and_of_five_it_does_not() -> None:
    assert scored(marks(".99", "9.9", "00.")).scores == [-WAD, -WAD, WAD]
    assert scored(marks(".9999", "9.999", "99.99", "999.9", "0000.")).scores == [WAD] * 4 + [-WAD]


def test_only_workers_take_part() -> None:
    rows = marks(".999", "9.99", "99.9", "000.")
    facts = Facts(samples=[1] * 4, roles=[0, 0, 0, 1], marks=rows)
    assert PeerReviewScore().score([b""] * 4, facts) == Scored([WAD] * 3 + [0], [WAD] * 3 + [0])


rounds = st.integers(0, 6).flatmap(
    lambda n: st.lists(
        st.just([]) | st.lists(st.just(0) | st.integers(1, WAD + 1), min_size=n + 1, max_size=n + 1), min_size=n, max_size=n
    )
)


@given(rounds, st.booleans())
def test_overall_scores_are_those_of_the_formulas_in_fractions(rows: list[list[int]], tolerant: bool) -> None:
    n = len(rows)
    middle = median if tolerant else min
    given_to = {i: [j for j in range(n) if j != i and row and row[j]] for i, row in enumerate(rows)}
    who = [i for i, given in given_to.items() if given and 2 * len(given) >= n - 1]
    opinions = [[Fraction(rows[i][j] - 1, WAD) for i in who if i != j and rows[i][j]] for j in range(n)]
    missing = [sum(1 for i in who if i != j and not rows[i][j]) for j in range(n)]
    worth = [median([*opinions[j], *[0] * missing[j]] or [0]) for j in range(n)]
    m = [median(opinions[j] or [0]) for j in range(n)]
    half = Fraction(1, 2)
    d = {
        i: middle([max(Fraction(0), (half - x) / (half + x)) for j in given_to[i] if (x := abs(Fraction(rows[i][j] - 1, WAD) - m[j])) >= 0])
        for i in who
    }
    found = peer_review(rows, tolerant=tolerant)
    if max(worth, default=0) < Fraction(1, 10**6) or max(d.values(), default=0) < Fraction(1, 10**6):
        return  # rounding to 10⁻¹⁸ may decide there
    for i in range(n):
        exact = min(worth[i] / max(worth), d[i] / max(d.values())) if i in who else 0
        assert abs(found.overalls[i] - exact * WAD) <= 10**7


@given(rounds, st.data())
def test_the_order_of_the_workers_does_not_matter(rows: list[list[int]], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    moved = [[rows[i][j] for j in [*order, len(rows)]] if rows[i] else [] for i in order]
    assert peer_review(moved).overalls == [peer_review(rows).overalls[i] for i in order]


@pytest.mark.parametrize(("name", "value"), [("threshold", 0), ("threshold", WAD + 1), ("floor", -1), ("floor", WAD + 1)])
def test_a_parameter_out_of_range_is_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        PeerReviewScore(**{name: value})


def test_the_scorer_is_found_again_by_what_the_terms_say() -> None:
    scorer = PeerReviewScore(threshold=3, floor=4)
    assert scorer_of(scorer.contract, [str(a) for a in scorer.arguments]) == scorer
    assert (scorer.formula, scorer.report_kind) == ("PeerReview/1", "samples")


def test_marks_are_listed_by_participant_with_the_reference_last() -> None:
    assert marks_of(["a", "b"], {"b": {"a": 0, "t": 5}}, reference="t") == [[], [1, 0, 6]]
