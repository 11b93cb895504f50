import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.benchmarks.label_scenarios import CLASSES, TASKS, scenario
from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import pack_calibration, peer_truth_serum, weighted_peer_truth_serum
from flwr_chainfl.scoring import Facts, PeerTruthSerum, WeightedPeerTruthSerum, chance_level, scorer_of

from . import plain


@st.composite
def rounds(draw: st.DrawFn) -> tuple[int, int, list[bytes], bytes]:
    """Classes, tasks, reports (some malformed) and calibration items (some of no task or class)."""
    classes, tasks = draw(st.sampled_from([2, 3, 10, 255])), draw(st.integers(1, 12))
    few = st.integers(0, min(2, classes - 1))  # few labels, so that peers agree
    label = st.integers(0, classes - 1) | few | few
    report = st.lists(label, min_size=tasks, max_size=tasks).map(bytes)
    malformed = st.binary(max_size=14) | st.just(bytes([classes]) * tasks)
    item = st.tuples(st.just(0), st.integers(0, tasks), few | st.integers(0, 255)).map(bytes)
    reports = draw(st.lists(report | report | report | malformed, max_size=9))
    calibration = b"".join(draw(st.lists(item, max_size=9))) + draw(st.sampled_from([b"", b"\0", b"\0\0"]))
    return classes, tasks, reports, calibration


@given(rounds(), st.integers(0, 3))
def test_scores_and_qualities_equal_the_formulas_worked_out_label_by_label(
    game: tuple[int, int, list[bytes], bytes], deviations: int
) -> None:
    classes, tasks, reports, calibration = game
    facts = Facts(samples=[1] * len(reports), calibration=calibration)
    scored = WeightedPeerTruthSerum(classes=classes, tasks=tasks, deviations=deviations).score(reports, facts)
    assert (scored.scores, scored.qualities) == plain.weighted(reports, classes, tasks, calibration, deviations)
    scored = PeerTruthSerum(classes=classes, tasks=tasks).score(reports, facts)
    assert (scored.scores, scored.qualities) == plain.unweighted(reports, classes, tasks)


def test_three_participants_score_as_computed_by_hand() -> None:
    # K = 2, T = 4. Unweighted: 0 and 1 score 0.5 (docs/protocols/soft-label.md), 2 scores 0, so 0 and 1 vote: labels
    # 0101, agreements 4, 4 and 2 of 4, and the weights are 1, 1 and 0. For 0, only peer 1 counts: A(0) = A(1) = 2,
    # C(0) = C(1) = 2, M = 1: 2·6 / (3·4) twice is 2, less 1. Participant 2 has both as peers, M = 2: A(0) = 2 + 2,
    # C(0) = 4, 4·6 / (6·4) = 1, less 1.
    reports = [bytes([0, 1, 0, 1]), bytes([0, 1, 0, 1]), bytes([0, 0, 0, 0])]
    scored = WeightedPeerTruthSerum(classes=2, tasks=4).score(reports, Facts(samples=[1] * 3))
    assert scored.scores == [WAD, WAD, 0]
    assert scored.qualities == [WAD, WAD, WAD // 2]


def test_a_peer_s_weight_is_rounded_down_before_it_counts() -> None:
    # Twice 0 and 1 agree throughout, 2 differs on 1 of 7 tasks: (3·6 − 7) / (2·7) = 11/14 = 0.785714 in MICRO.
    labels = bytes([0, 1, 2, 0, 1, 2, 0])
    reports = [labels, labels, bytes([0, 1, 2, 0, 1, 2, 1])]
    weights = [10**6, 10**6, 785_714]
    matrix = np.array([list(report) for report in reports], dtype=np.uint8)
    expected = weighted_peer_truth_serum(matrix, weights, classes=3)
    assert WeightedPeerTruthSerum(classes=3, tasks=7).score(reports, Facts(samples=[1] * 3)).scores == expected
    assert weighted_peer_truth_serum(matrix, [10**6, 10**6, 785_715], classes=3)[0] != expected[0]


@given(rounds(), st.integers(1, 10**6))
def test_equal_weights_give_the_unweighted_serum(game: tuple[int, int, list[bytes], bytes], weight: int) -> None:
    classes, tasks, reports, _ = game
    rows = [list(report) for report in reports if plain.is_usable(report, classes, tasks)]
    if rows:
        matrix = np.array(rows, dtype=np.uint8)
        weighted = weighted_peer_truth_serum(matrix, [weight] * len(rows), classes=classes)
        assert weighted == peer_truth_serum(matrix, classes=classes)


@given(rounds(), st.randoms(use_true_random=False))
def test_permuting_participants_permutes_scores_and_qualities(
    game: tuple[int, int, list[bytes], bytes], random: object
) -> None:
    classes, tasks, reports, calibration = game
    order = list(range(len(reports)))
    random.shuffle(order)  # type: ignore[attr-defined]
    scorer = WeightedPeerTruthSerum(classes=classes, tasks=tasks)
    scored = scorer.score(reports, Facts(samples=[1] * len(reports), calibration=calibration))
    permuted = scorer.score([reports[i] for i in order], Facts(samples=[1] * len(reports), calibration=calibration))
    assert permuted.scores == [scored.scores[i] for i in order]
    assert permuted.qualities == [scored.qualities[i] for i in order]


@given(rounds())
def test_no_score_is_below_minus_one_and_no_quality_outside_0_and_1(game: tuple[int, int, list[bytes], bytes]) -> None:
    classes, tasks, reports, calibration = game
    facts = Facts(samples=[1] * len(reports), calibration=calibration)
    scored = WeightedPeerTruthSerum(classes=classes, tasks=tasks).score(reports, facts)
    assert all(score >= -WAD for score in scored.scores)
    assert all(0 <= quality <= WAD for quality in scored.qualities)


def test_more_tasks_than_are_counted_at_once_make_no_difference() -> None:
    generator = np.random.default_rng(0)
    reports = [generator.integers(0, 4, 24_575).astype(np.uint8).tobytes() for _ in range(25)]
    matrix = np.array([list(report) for report in reports], dtype=np.uint8)
    one_hot = matrix[:, :, None] == np.arange(4)
    votes, counts = one_hot.sum(axis=0), one_hot.sum(axis=1)
    expected = []
    for own, count in zip(one_hot, counts, strict=True):
        agreed, others = ((votes - 1) * own).sum(axis=0), counts.sum(axis=0) - count
        terms = zip(agreed.tolist(), others.tolist(), strict=True)
        expected.append(sum(a * (24_575 + 4) * WAD // ((c + 24) * 24_575) for a, c in terms) - WAD)
    assert peer_truth_serum(matrix, classes=4) == expected


def _of(name: str, *, calibrated: bool = False, seeds: int = 6) -> tuple[list[float], list[float]]:
    """Return the scores of the honest and of the others."""
    honest, others = [], []
    for seed in range(seeds):
        made = scenario(name, seed)
        positions = np.random.default_rng(seed).choice(len(made.truth), 40, replace=False)
        items = pack_calibration(positions, made.truth[positions]) if calibrated else b""
        scorer = WeightedPeerTruthSerum(classes=CLASSES, tasks=len(made.truth))
        facts = Facts(samples=[1] * 10, calibration=items)
        scores = [s / WAD for s in scorer.score([r.tobytes() for r in made.reports], facts).scores]
        honest += scores[: made.honest]
        others += scores[made.honest :]
    return honest, others


def test_constant_reporters_get_nothing_and_take_nothing_from_the_honest() -> None:
    honest, others = _of("6 honest, 4 constant")
    assert 3.0 <= statistics.fmean(honest) <= 5.2
    assert max(map(abs, others)) < 0.005


def test_random_reporters_get_about_nothing() -> None:
    honest, others = _of("6 honest, 4 random")
    assert 3.0 <= statistics.fmean(honest) <= 5.2
    assert statistics.fmean(map(abs, others)) < 0.04
    assert max(others) * WAD < chance_level(tasks=TASKS, classes=CLASSES)


def test_a_small_coalition_that_relabels_earns_far_less_than_the_honest() -> None:
    honest, others = _of("7 honest, 3 relabelling")
    assert 2.9 <= statistics.fmean(honest) <= 5.2
    assert statistics.fmean(others) < statistics.fmean(honest) / 5


def test_a_large_coalition_is_paid_more_than_the_honest_until_there_is_a_calibration() -> None:
    # The limit that docs/protocols/README.md states, and its remedy.
    honest, others = _of("6 honest, 4 one relabelled truth")
    assert statistics.fmean(others) > statistics.fmean(honest)
    honest, others = _of("6 honest, 4 one relabelled truth", calibrated=True)
    assert statistics.fmean(honest) >= 3.0
    assert max(others) <= 0


def test_a_coalition_that_renames_half_of_the_classes_passes_the_calibration() -> None:
    # It is right about the other half, far more often than chance: what calibration cannot do.
    honest, others = _of("6 honest, 4 one half relabelled truth", calibrated=True)
    assert min(others) > statistics.fmean(honest)


def test_who_is_not_above_chance_on_the_calibration_is_nobody_s_peer() -> None:
    truth = bytes(range(5)) * 8
    wrong = bytes((label + 1) % 5 for label in truth)
    scorer = WeightedPeerTruthSerum(classes=5, tasks=40)
    items = pack_calibration(range(20), list(truth[:20]))
    with_wrong = scorer.score([truth, wrong, truth, wrong, truth], Facts(samples=[1] * 5, calibration=items))
    without = scorer.score([truth] * 3, Facts(samples=[1] * 3))
    assert with_wrong.scores == [without.scores[0], 0, without.scores[1], 0, without.scores[2]]
    assert with_wrong.qualities == [WAD, 0, WAD, 0, WAD]


def test_a_calibration_on_which_nobody_is_above_chance_is_ignored() -> None:
    truth = bytes(range(5)) * 8
    scorer = WeightedPeerTruthSerum(classes=5, tasks=40)
    items = pack_calibration(range(20), [(label + 1) % 5 for label in truth[:20]])
    with_items = scorer.score([truth] * 4, Facts(samples=[1] * 4, calibration=items))
    assert with_items == scorer.score([truth] * 4, Facts(samples=[1] * 4))


@pytest.mark.parametrize("participants", [1, 2])
def test_fewer_than_three_participants_score_nothing_but_have_a_quality(participants: int) -> None:
    facts = Facts(samples=[1] * participants)
    scored = WeightedPeerTruthSerum(classes=2, tasks=3).score([bytes([0, 1, 1])] * participants, facts)
    assert scored.scores == [0] * participants
    assert scored.qualities == [WAD] * participants


def test_nobody_at_all_is_scored() -> None:
    scored = WeightedPeerTruthSerum(classes=3, tasks=2).score([], Facts(samples=[]))
    assert (scored.scores, scored.qualities) == ([], [])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 1], "2 weights for 3 participants"),
        ([1, -2, 1], "participant 1 has the weight -2; 0 is the least"),
        ([2**52, 1, 1], r"2\*\*53 is too much"),
    ],
)
def test_weights_that_cannot_be_are_refused_by_value(weights: list[int], message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        weighted_peer_truth_serum(np.zeros((3, 4), dtype=np.uint8), weights, classes=2)


def test_the_scorer_names_its_contract_and_formula() -> None:
    scorer = WeightedPeerTruthSerum(classes=3, tasks=2)
    assert (scorer.contract, scorer.arguments) == ("WeightedPeerTruthSerumScorer", (3, 2, 3))
    assert (scorer.formula, scorer.report_kind) == ("WeightedPeerTruthSerum/1", "labels")
    assert scorer_of(scorer.contract, [str(argument) for argument in scorer.arguments]) == scorer
