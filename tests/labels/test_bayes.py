from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.benchmarks.label_scenarios import CLASSES, scenario
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import (
    MICRO,
    NO_REPORT,
    Evidence,
    bayes_one_pass,
    bayes_two_pass,
    confusion,
    peer_truth_serum,
)

from .test_aggregation import matrices


def _plain(
    reports: np.ndarray, classes: int, block: int, before: list[tuple[int, int]], start: list[tuple[int, int]]
) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Labels of the first and of the second pass and (correct, total), label by label; before, start: MICRO."""

    def winner(task: int, weights: list[int]) -> int:
        votes: dict[int, int] = {}
        for weight, label in zip(weights, reports[:, task].tolist(), strict=True):
            if label != NO_REPORT:
                votes[label] = votes.get(label, 0) + weight
        tied = [k for k in votes if votes[k] == max(votes.values())]
        return min(tied, key=lambda k: (k - task) % classes) if tied else NO_REPORT

    counts = [[b[0] * 9 // 10 + s[0], b[1] * 9 // 10 + s[1]] for b, s in zip(before, start, strict=True)]
    first: list[int] = []
    for begin in range(0, reports.shape[1], block):
        tasks = range(begin, min(begin + block, reports.shape[1]))
        weights = [c * MICRO // t for c, t in counts]
        first += [winner(task, weights) for task in tasks]
        for own, count in zip(reports, counts, strict=True):
            for task in tasks:
                count[0] += MICRO * int(own[task] == first[task] != NO_REPORT)
                count[1] += MICRO * int(own[task] != NO_REPORT)
    second = [winner(t, [classes * (c * MICRO // n) - MICRO for c, n in counts]) for t in range(reports.shape[1])]
    return first, second, [(c, n) for c, n in counts]


@given(matrices(gaps=True), st.integers(1, 9), st.data())
def test_labels_and_evidence_equal_those_worked_out_label_by_label(
    matrix: tuple[np.ndarray, int], block: int, data: st.DataObject
) -> None:
    reports, classes = matrix
    total = st.integers(0, 9 * MICRO)
    before = [(min(c, t), t) for c, t in data.draw(
        st.lists(st.tuples(total, total), min_size=len(reports), max_size=len(reports)))]
    state = Evidence(np.array([c for c, _ in before]), np.array([t for _, t in before]))
    start = [(MICRO, 2 * MICRO)] * len(reports)
    first, second, counts = _plain(reports, classes, block, before, start)
    one = bayes_one_pass(reports, classes=classes, state=state, prior="plain", block=block)
    two = bayes_two_pass(reports, classes=classes, state=state, prior="plain", block=block)
    assert one.labels.tolist() == first
    assert two.labels.tolist() == second
    assert one.qualities == two.qualities == [c * WAD // t for c, t in counts]
    assert isinstance(two.state, Evidence)
    assert two.state.correct.tolist() == [c - MICRO for c, _ in counts]
    assert two.state.total.tolist() == [t - 2 * MICRO for _, t in counts]


def test_the_prior_is_each_one_s_share_of_the_best_peer_truth_serum() -> None:
    made = scenario("7 honest, 3 constant", 1, tasks=300)
    scores = peer_truth_serum(made.reports, classes=CLASSES)
    shares = [min(max(Fraction(score, max(scores)), Fraction(2, 100)), Fraction(98, 100)) for score in scores]
    start = [(200 * int(share * MICRO), 200 * MICRO) for share in shares]
    _, second, counts = _plain(made.reports, CLASSES, 64, [(0, 0)] * 10, start)
    found = bayes_two_pass(made.reports, classes=CLASSES)
    assert found.labels.tolist() == second
    assert found.qualities == [c * WAD // t for c, t in counts]


def test_the_prior_is_plain_where_no_peer_truth_serum_is_positive() -> None:
    reports = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]], dtype=np.uint8)
    assert max(peer_truth_serum(reports, classes=3)) <= 0
    by_peers, plain = (bayes_two_pass(reports, classes=3, prior=p) for p in ("peer-truth-serum", "plain"))
    assert by_peers.qualities == plain.qualities
    assert by_peers.labels.tolist() == plain.labels.tolist()


def test_one_task_as_computed_by_hand() -> None:
    # All start at 1/2: 0 wins with 2 votes of 3; then accuracies are 2/3, 2/3 and 1/3.
    found = bayes_two_pass(np.array([[0], [0], [1]], dtype=np.uint8), classes=2, prior="plain")
    assert found.labels.tolist() == [0]
    assert found.qualities == [2 * WAD // 3, 2 * WAD // 3, WAD // 3]
    assert found.weights == [333_333, 333_333, 0]


def test_one_that_is_wrong_more_often_than_chance_counts_against_its_label() -> None:
    # After three tasks the last is right 1 in 5 times, so K·a − 1 = −0.6; on the fourth, a tie, its label loses.
    reports = np.array([[0, 1, 0, 0], [0, 1, 0, NO_REPORT], [1, 0, 1, 1]], dtype=np.uint8)
    state = Evidence(np.array([0, 0, 0]), np.array([0, 0, 0]))
    found = bayes_two_pass(reports[[0, 1, 2]], classes=2, prior="plain", state=state)
    assert found.labels.tolist() == [0, 1, 0, 0]
    assert found.qualities[2] < WAD // 2


def test_evidence_fades_by_a_tenth_a_round() -> None:
    reports = np.zeros((3, 10), dtype=np.uint8)
    first = bayes_two_pass(reports, classes=2).state
    second = bayes_two_pass(reports, classes=2, state=first).state
    assert isinstance(first, Evidence)
    assert isinstance(second, Evidence)
    assert first.correct.tolist() == [10 * MICRO] * 3
    assert second.correct.tolist() == [19 * MICRO] * 3


def test_evidence_follows_its_participants() -> None:
    evidence = Evidence(np.array([1, 2, 3]), np.array([4, 5, 6]))
    chosen = evidence.select([2, None, 0])
    assert (chosen.correct.tolist(), chosen.total.tolist()) == ([3, 0, 1], [6, 0, 4])


def test_evidence_from_earlier_rounds_outweighs_a_majority_of_newcomers() -> None:
    truth = np.random.default_rng(0).integers(0, 4, 200).astype(np.uint8)
    wrong = ((truth + 1) % 4).astype(np.uint8)
    seen = bayes_two_pass(np.array([truth] * 3), classes=4, prior="plain").state
    assert isinstance(seen, Evidence)
    mixed = np.array([truth] * 3 + [wrong] * 4)
    new = bayes_two_pass(mixed, classes=4, prior="plain")
    known = bayes_two_pass(mixed, classes=4, prior="plain", state=seen.select([0, 1, 2, None, None, None, None]))
    assert (new.labels == truth).mean() < 0.5
    assert (known.labels == truth).all()


def test_a_third_that_reports_one_class_locks_the_plain_prior_in_and_not_the_peers_one() -> None:
    plain, by_peers = [], []
    for seed in range(6):
        made = scenario("6 honest, 4 constant", seed)
        for prior, accuracies in (("plain", plain), ("peer-truth-serum", by_peers)):
            found = bayes_two_pass(made.reports, classes=CLASSES, prior=prior)
            accuracies.append(float((found.labels == made.truth).mean()))
    assert min(plain) < 0.2
    assert min(by_peers) > 0.85


def test_blocks_cost_no_accuracy() -> None:
    made = scenario("3 at .8, 7 at .15", 0)
    whole, one = (bayes_two_pass(made.reports, classes=CLASSES, block=block).labels for block in (2000, 1))
    assert abs((whole == made.truth).mean() - (one == made.truth).mean()) < 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prior": "flat"}, "prior is 'flat'; 'peer-truth-serum' and 'plain' are possible"),
        ({"block": 0}, "block is 0; it must be 1 task or more"),
        ({"state": Evidence(np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64))}, "of 2 participants, 3 reported"),
        ({"state": confusion(np.zeros((3, 2), dtype=np.uint8), classes=2).state}, "the state is a Confusion"),
    ],
)
def test_what_cannot_be_is_refused_by_value(changes: dict[str, object], message: str) -> None:
    for aggregate in (bayes_one_pass, bayes_two_pass):
        with pytest.raises(ConfigError, match=message):
            aggregate(np.zeros((3, 2), dtype=np.uint8), classes=2, **changes)  # type: ignore[arg-type]
