import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.benchmarks.label_scenarios import CLASSES, scenario
from flwr_chainfl.errors import ConfigError, ReportShapeError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import (
    AGGREGATIONS,
    MICRO,
    NO_REPORT,
    aggregate,
    agreement_weights,
    consensus_weights,
    majority,
    peer_truth_serum,
    peer_weighted,
)
from flwr_chainfl.labels.peer_truth_serum import peer_truth_serum_with_gaps
from flwr_chainfl.labels.single_vote import peer_weights
from flwr_chainfl.labels.votes import agreements, tally, weighted_vote, winners

SEEDS = 4


@st.composite
def matrices(draw: st.DrawFn, *, gaps: bool = False) -> tuple[np.ndarray, int]:
    classes, participants, tasks = draw(st.integers(2, 5)), draw(st.integers(1, 6)), draw(st.integers(1, 8))
    label = st.integers(0, classes - 1)
    cell = label | st.just(NO_REPORT) if gaps else label
    cells = draw(st.lists(cell, min_size=participants * tasks, max_size=participants * tasks))
    return np.array(cells, dtype=np.uint8).reshape(participants, tasks), classes


def _accuracies(name: str, aggregation: str) -> list[float]:
    accuracies = []
    for seed in range(SEEDS):
        made = scenario(name, seed)
        accuracies.append(float((aggregate(aggregation, made.reports, classes=CLASSES).labels == made.truth).mean()))
    return accuracies


def test_ties_go_to_the_first_tied_class_at_or_after_the_task_s_number() -> None:
    votes = np.array([[3, 0, 3, 0], [3, 0, 3, 0], [3, 0, 3, 0], [3, 0, 3, 0], [3, 0, 3, 0]])
    assert winners(votes).tolist() == [0, 2, 2, 0, 0]
    assert winners(votes, first_task=1).tolist() == [2, 2, 0, 0, 2]


def test_a_class_that_nobody_gave_cannot_win_where_all_votes_are_negative() -> None:
    reports = np.array([[0, 1], [1, NO_REPORT]], dtype=np.uint8)
    assert weighted_vote(reports, np.array([-3, -5]), classes=3).tolist() == [0, 1]


def test_nobody_s_label_is_no_label_and_agrees_with_nobody() -> None:
    reports = np.array([[NO_REPORT, 1], [NO_REPORT, 0]], dtype=np.uint8)
    labels = weighted_vote(reports, np.array([1, 2]), classes=2)
    assert labels.tolist() == [NO_REPORT, 0]
    assert agreements(reports, labels).tolist() == [0, 1]


@given(matrices(gaps=True), st.data())
def test_votes_are_the_weights_of_those_who_gave_the_label(matrix: tuple[np.ndarray, int], data: st.DataObject) -> None:
    reports, classes = matrix
    weights = data.draw(st.lists(st.integers(-9, 10**9), min_size=len(reports), max_size=len(reports)))
    expected = [[sum(w for w, x in zip(weights, column, strict=True) if x == k) for k in range(classes)]
                for column in reports.T]
    assert tally(reports, classes=classes, weights=np.array(weights)).tolist() == expected


def test_more_labels_than_are_counted_at_once_make_no_difference() -> None:
    reports = np.random.default_rng(0).integers(0, 3, (40, 20_000)).astype(np.uint8)
    reports[:, 5] = NO_REPORT
    expected = np.stack([(reports == k).sum(axis=0) for k in range(3)], axis=1)
    assert (tally(reports, classes=3) == expected).all()


@pytest.mark.parametrize("name", AGGREGATIONS)
@given(matrices(gaps=True), st.randoms(use_true_random=False))
def test_permuting_participants_permutes_qualities_and_changes_no_label(
    name: str, matrix: tuple[np.ndarray, int], random: object
) -> None:
    reports, classes = matrix
    order = list(range(len(reports)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = aggregate(name, reports, classes=classes)
    permuted = aggregate(name, reports[order], classes=classes)
    assert (permuted.labels == found.labels).all()
    assert permuted.qualities == [found.qualities[i] for i in order]
    assert permuted.weights == [found.weights[i] for i in order]


@pytest.mark.parametrize("name", AGGREGATIONS)
@given(matrices(gaps=True))
def test_labels_are_classes_and_qualities_and_weights_are_shares(name: str, matrix: tuple[np.ndarray, int]) -> None:
    reports, classes = matrix
    found = aggregate(name, reports, classes=classes)
    reported = (reports != NO_REPORT).any(axis=0)
    assert (found.labels[reported] < classes).all()
    assert (found.labels[~reported] == NO_REPORT).all()
    assert all(0 <= quality <= WAD for quality in found.qualities)
    assert all(0 <= weight <= MICRO for weight in found.weights)
    assert any(found.weights)


@given(matrices(), st.randoms(use_true_random=False))
def test_the_order_of_tasks_changes_no_label_of_the_peer_weighted_vote_but_at_ties(
    matrix: tuple[np.ndarray, int], random: object
) -> None:
    reports, classes = matrix
    order = list(range(reports.shape[1]))
    random.shuffle(order)  # type: ignore[attr-defined]
    scores = peer_truth_serum(reports, classes=classes)
    assert peer_truth_serum(reports[:, order], classes=classes) == scores
    weights = np.array([max(0, score) // 10**12 for score in scores])
    weights = weights if weights.any() else np.ones_like(weights)
    votes = np.sort(tally(reports, classes=classes, weights=weights), axis=1)
    decided = votes[:, -1] > votes[:, -2]
    found, reordered = (peer_weighted(rows, classes=classes).labels for rows in (reports, reports[:, order]))
    assert (reordered == found[order])[decided[order]].all()


def test_the_peer_weighted_vote_counts_labels_and_agreement_as_computed_by_hand() -> None:
    # Unweighted scores 0.5, 0.5 and 0 (docs/protocols/soft-label.md), so the third has no vote: labels 0101, of which it
    # has half; K = 2, so that counts nothing.
    reports = np.array([[0, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=np.uint8)
    assert peer_weights(reports, classes=2).tolist() == [MICRO // 2, MICRO // 2, 0]
    found = peer_weighted(reports, classes=2)
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.qualities == [WAD, WAD, WAD // 2]
    assert found.weights == [MICRO, MICRO, 0]


def test_the_majority_s_qualities_count_what_was_reported_only() -> None:
    reports = np.array([[0, 0, NO_REPORT], [0, 1, 1], [0, 0, 1], [NO_REPORT] * 3], dtype=np.uint8)
    assert majority(reports, classes=2).qualities == [WAD, WAD * 2 // 3, WAD, 0]


@given(matrices())
def test_without_gaps_the_peer_truth_serum_with_gaps_is_the_peer_truth_serum(matrix: tuple[np.ndarray, int]) -> None:
    reports, classes = matrix
    assert peer_truth_serum_with_gaps(reports, classes=classes) == peer_truth_serum(reports, classes=classes)


@given(matrices())
def test_a_task_on_which_only_one_reported_changes_no_score_by_more_than_rounding(matrix: tuple[np.ndarray, int]) -> None:
    reports, classes = matrix
    alone = np.full((len(reports), 1), NO_REPORT, dtype=np.uint8)
    alone[0] = 1
    scores = peer_truth_serum_with_gaps(np.hstack([reports, alone]), classes=classes)
    expected = peer_truth_serum(reports, classes=classes)
    # A share is rounded down to MICRO, and is raised at most K-fold and T-fold.
    slack = classes * (reports.shape[1] + classes) * 10**12 + classes
    assert all(0 <= e - s <= slack for s, e in zip(scores, expected, strict=True))


def test_the_serum_tells_the_honest_from_the_constant_where_half_of_all_reports_are_missing() -> None:
    generator = np.random.default_rng(0)
    made = scenario("6 honest, 4 constant", 0)
    reports = np.where(generator.random(made.reports.shape) < 0.5, made.reports, NO_REPORT).astype(np.uint8)
    scores = peer_truth_serum_with_gaps(reports, classes=CLASSES)
    assert min(scores[:6]) > WAD
    assert all(abs(score) < WAD // 20 for score in scores[6:])


def test_weights_are_the_qualities_above_chance() -> None:
    assert consensus_weights([WAD, 6 * WAD // 10, WAD // 4, 0], classes=4) == [MICRO, 466_666, 0, 0]
    assert agreement_weights([8, 5, 2, 0], tasks=8, classes=4) == [MICRO, MICRO // 2, 0, 0]
    assert agreement_weights([2], tasks=3, classes=3) == [MICRO // 2]  # rounded once: 2/3 is not rounded before


def test_everybody_counts_the_same_where_nobody_is_right_half_of_the_time() -> None:
    assert consensus_weights([WAD // 2 - 1, WAD // 10], classes=10) == [MICRO] * 2
    assert consensus_weights([WAD // 2, WAD // 10], classes=10) == [444_444, 0]
    assert consensus_weights([WAD // 4, 0], classes=10, fallback_below=WAD // 5) == [166_666, 0]


def test_everybody_counts_the_same_where_nobody_is_above_chance() -> None:
    assert consensus_weights([WAD // 2, WAD // 4], classes=2) == [MICRO] * 2
    assert consensus_weights([], classes=2) == []


def test_an_unknown_aggregation_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="'mode'; 'majority', 'bayes-one-pass', 'bayes-two-pass', 'peer-weighted', 'conf"):
        aggregate("mode", np.zeros((3, 2), dtype=np.uint8), classes=2)


@pytest.mark.parametrize("name", AGGREGATIONS)
@pytest.mark.parametrize(
    ("reports", "message"),
    [
        (np.zeros((0, 3), dtype=np.uint8), r"shape \(0, 3\)"),
        (np.zeros((2, 3), dtype=np.int64), "int64; uint8 is needed"),
        (np.full((2, 3), 7, dtype=np.uint8), "labels task 0 with 7; labels must be below the 3 classes"),
        (np.broadcast_to(np.uint8(0), (1, 2**19 + 1)), "524289 tasks; aggregate at most 524288"),
    ],
)
def test_what_is_no_matrix_of_labels_is_refused_by_value(name: str, reports: np.ndarray, message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        aggregate(name, reports, classes=3)


@pytest.mark.parametrize("name", [name for name in AGGREGATIONS if name != "majority"])
@pytest.mark.parametrize("weak", ["3 at .8, 7 at .15", "7 honest, 3 constant", "6 honest, 4 constant"])
def test_where_the_majority_is_weak_all_others_are_ten_points_better(name: str, weak: str) -> None:
    gain = statistics.fmean(_accuracies(weak, name)) - statistics.fmean(_accuracies(weak, "majority"))
    assert gain >= 0.1


@pytest.mark.parametrize("name", ["bayes-two-pass", "peer-weighted", "confusion"])
def test_four_constant_reporters_of_ten_are_seen_through(name: str) -> None:
    assert statistics.fmean(_accuracies("6 honest, 4 constant", name)) >= 0.97


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_nobody_falls_behind_the_majority_among_the_honest(name: str) -> None:
    honest = "10 honest, accuracy .35 to .9"
    assert statistics.fmean(_accuracies(honest, name)) >= statistics.fmean(_accuracies(honest, "majority")) - 0.005
