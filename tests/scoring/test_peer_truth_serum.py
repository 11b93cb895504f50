from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import Facts, PeerTruthSerum, Scored, chance_level, peer_truth_serum


@st.composite
def games(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    classes, participants, tasks = draw(st.integers(2, 5)), draw(st.integers(1, 6)), draw(st.integers(1, 8))
    cells = draw(st.lists(st.integers(0, classes - 1), min_size=participants * tasks, max_size=participants * tasks))
    return np.array(cells, dtype=np.uint8).reshape(participants, tasks), classes


def test_three_participants_score_as_computed_by_hand() -> None:
    # Peers m = 2, T = 2, K = 2. Participants 0 and 1: label 0 agrees twice and peers report it 3 times,
    # 2·4 / ((3 + 2)·2) = 0.8; label 1 agrees once, reported once: 4 / ((1 + 2)·2) = 2/3. Participant 2: label 0
    # agrees twice, reported twice: 2·4 / ((2 + 2)·2) = 1.
    reports = np.array([[0, 1], [0, 1], [0, 0]], dtype=np.uint8)
    expected = 8 * WAD // 10 + 2 * WAD // 3 - WAD
    assert peer_truth_serum(reports, classes=2) == [expected, expected, 0]


def test_each_class_is_rounded_down_by_itself() -> None:
    # Each of 7 classes is reported once by all of 4: 3·14 / ((3 + 3)·7) = 1 exactly; without class 6 on the last
    # task, participant 3 has 6 such terms and one of agreement 0.
    reports = np.tile(np.arange(7, dtype=np.uint8), (4, 1))
    assert peer_truth_serum(reports, classes=7) == [6 * WAD] * 4
    reports[3, 6] = 0
    honest = 5 * WAD + 3 * 14 * WAD // (7 * 7) + 2 * 14 * WAD // (5 * 7) - WAD
    assert peer_truth_serum(reports, classes=7) == [honest, honest, honest, 5 * WAD]


@pytest.mark.parametrize("participants", [1, 2])
def test_fewer_than_three_participants_score_nothing(participants: int) -> None:
    assert peer_truth_serum(np.zeros((participants, 5), dtype=np.uint8), classes=2) == [0] * participants


@given(st.integers(2, 10), st.integers(1, 8), st.integers(3, 8))
def test_unanimous_balanced_labels_score_the_number_of_other_classes(classes: int, share: int, participants: int) -> None:
    labels = np.tile(np.arange(classes, dtype=np.uint8), share)
    assert peer_truth_serum(np.tile(labels, (participants, 1)), classes=classes) == [(classes - 1) * WAD] * participants


@given(st.integers(2, 10), st.integers(1, 8), st.integers(2, 8), st.data())
def test_a_constant_report_scores_exactly_0_among_balanced_peers(
    classes: int, share: int, peers: int, data: st.DataObject
) -> None:
    balanced = list(range(classes)) * share
    rows = [data.draw(st.permutations(balanced)) for _ in range(peers)]
    constant = [data.draw(st.integers(0, classes - 1))] * len(balanced)
    assert peer_truth_serum(np.array([constant, *rows], dtype=np.uint8), classes=classes)[0] == 0


@given(games())
def test_a_constant_report_scores_what_its_label_s_frequency_gives_and_no_more(game: tuple[np.ndarray, int]) -> None:
    # a(k) = c(k) for a constant k, so with f = c(k) / mT the score is (f·K − 1) / (f·T + 1): 0 at f = 1/K, at
    # most (K − 1) / (T + 1) where all peers report k only, −1 where none does.
    peers, classes = game
    if len(peers) < 2:
        return
    tasks = peers.shape[1]
    for label in range(classes):
        constant = np.full((1, tasks), label, dtype=np.uint8)
        score = peer_truth_serum(np.concatenate([constant, peers]), classes=classes)[0]
        frequency = Fraction(int((peers == label).sum()), peers.size)
        exact = (frequency * classes - 1) / (frequency * tasks + 1)
        assert 0 <= exact * WAD - score < 1
        assert -WAD <= score <= Fraction(classes - 1, tasks + 1) * WAD


def test_all_possible_reports_score_0_on_average_among_balanced_peers() -> None:
    peers = [[0, 1, 2], [2, 0, 1], [0, 2, 1]]
    scores = [
        peer_truth_serum(np.array([guess, *peers], dtype=np.uint8), classes=3)[0] for guess in product(range(3), repeat=3)
    ]
    assert -3 < Fraction(sum(scores), len(scores)) <= 0  # each class is rounded down by less than one unit


def test_agreement_beats_guessing_beats_disagreement() -> None:
    truth = np.arange(300) % 5
    generator = np.random.default_rng(0)
    honest = [np.where(generator.random(300) < 0.8, truth, generator.integers(0, 5, 300)) for _ in range(6)]
    reports = np.array([*honest, generator.integers(0, 5, 300), (truth + 1) % 5], dtype=np.uint8)
    *agreeing, guessing, contrary = peer_truth_serum(reports, classes=5)
    chance = chance_level(tasks=300, classes=5)
    assert min(agreeing) > chance
    assert abs(guessing) < chance
    assert contrary < -WAD // 2


def test_a_relabelling_by_everybody_scores_like_the_truth() -> None:
    # The limit that docs/protocols/README.md states: agreement cannot tell the truth from a shared permutation.
    reports = np.array([[0, 1, 2, 0], [0, 1, 2, 1], [0, 1, 1, 2]], dtype=np.uint8)
    relabelled = np.array([2, 0, 1], dtype=np.uint8)[reports]
    assert peer_truth_serum(relabelled, classes=3) == peer_truth_serum(reports, classes=3)


@given(games(), st.randoms(use_true_random=False))
def test_permuting_participants_permutes_scores(game: tuple[np.ndarray, int], random: object) -> None:
    reports, classes = game
    order = list(range(len(reports)))
    random.shuffle(order)  # type: ignore[attr-defined]
    scores = peer_truth_serum(reports, classes=classes)
    assert peer_truth_serum(reports[order], classes=classes) == [scores[i] for i in order]


@given(games())
def test_no_score_is_below_minus_one(game: tuple[np.ndarray, int]) -> None:
    reports, classes = game
    assert all(score >= -WAD for score in peer_truth_serum(reports, classes=classes))


def test_a_label_that_is_no_class_is_refused_by_value_and_bound() -> None:
    with pytest.raises(ReportShapeError, match="participant 2 labels task 1 with 4; labels must be below the 4 classes"):
        peer_truth_serum(np.array([[0, 1], [0, 1], [0, 4]], dtype=np.uint8), classes=4)


def test_chance_is_four_deviations_of_a_guess() -> None:
    assert chance_level(tasks=400, classes=4) == 4 * WAD // 10
    assert chance_level(tasks=400, classes=4, deviations=1) == WAD // 10


@given(games(), st.lists(st.binary(max_size=9), max_size=3), st.data())
def test_malformed_reports_score_0_and_are_nobody_s_peer(
    game: tuple[np.ndarray, int], noise: list[bytes], data: st.DataObject
) -> None:
    matrix, classes = game
    tasks = matrix.shape[1]
    scorer = PeerTruthSerum(classes=classes, tasks=tasks)
    reports = [(row.tobytes(), True) for row in matrix]
    malformed = [report for report in noise if len(report) != tasks] + [bytes([classes]) * tasks, b""]
    mixed = data.draw(st.permutations(reports + [(report, False) for report in malformed]))
    scored = scorer.score([report for report, _ in mixed], Facts(samples=[1] * len(mixed)))
    valid = [report for report, good in mixed if good]
    alone = scorer.score(valid, Facts(samples=[1] * len(valid)))
    for values, expected in ((scored.scores, alone.scores), (scored.qualities, alone.qualities)):
        assert [value for value, (_, good) in zip(values, mixed, strict=True) if good] == expected
        assert not any(value for value, (_, good) in zip(values, mixed, strict=True) if not good)


def test_quality_is_the_share_of_tasks_on_which_one_agrees_with_the_majority() -> None:
    # Majority 0 1, and on the last task a tie of 0, 1 and 2, which goes to the first class at or after 2 mod 3.
    reports = [bytes([0, 1, 0]), bytes([0, 1, 1]), bytes([2, 1, 2])]
    assert PeerTruthSerum(classes=3, tasks=3).score(reports, Facts(samples=[1] * 3)).qualities == [WAD * 2 // 3] * 3


def test_calibration_items_are_ignored() -> None:
    scorer = PeerTruthSerum(classes=3, tasks=3)
    reports = [bytes([0, 1, 2])] * 3 + [bytes([2, 1, 2])]
    items = bytes([0, 0, 0]) * 9
    assert scorer.score(reports, Facts(samples=[1] * 4, calibration=items)) == scorer.score(reports, Facts(samples=[1] * 4))


def test_nobody_at_all_is_scored() -> None:
    assert PeerTruthSerum(classes=3, tasks=2).score([], Facts(samples=[])) == Scored([], [])


def test_the_scorer_names_its_contract_and_formula() -> None:
    scorer = PeerTruthSerum(classes=3, tasks=2)
    assert (scorer.contract, scorer.arguments) == ("PeerTruthSerumScorer", (3, 2))
    assert (scorer.formula, scorer.report_kind) == ("PeerTruthSerum/1", "labels")
