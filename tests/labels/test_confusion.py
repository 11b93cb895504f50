import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.benchmarks.label_scenarios import CLASSES, scenario, skilled_reports
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import (
    NO_REPORT,
    Confusion,
    bayes_two_pass,
    class_competence,
    confusion,
    majority,
    peer_weighted,
)
from flwr_chainfl.labels.binary_log import LOG_UNIT, POWER_UNIT, log2, power_of_minus
from flwr_chainfl.labels.votes import MICRO

from .test_aggregation import matrices

UNIT = 1024


def _plain(reports: np.ndarray, classes: int, passes: int) -> tuple[np.ndarray, np.ndarray]:
    """The same in floating point, participant by participant: log-likelihoods (tasks, classes) and counts."""
    n, tasks = reports.shape
    votes = np.stack([(reports == k).sum(axis=0) for k in range(classes)], axis=1).astype(float)
    votes[votes.sum(axis=1) == 0] = 1
    posterior = votes / votes.sum(axis=1, keepdims=True)
    for _ in range(passes):
        posterior = np.floor(posterior * UNIT + 0.5) / UNIT
        likelihood, counts = np.zeros((tasks, classes)), np.zeros((n, classes, classes))
        for i in range(n):
            for label in range(classes):
                counts[i, :, label] = posterior[reports[i] == label].sum(axis=0)
            rows = _smooth(counts[i], classes)
            for task in range(tasks):
                if reports[i, task] != NO_REPORT:
                    likelihood[task] += np.log(rows[:, reports[i, task]])
        posterior = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
    return likelihood, counts


def _smooth(counts: np.ndarray, classes: int) -> np.ndarray:
    given, observed = counts.sum(axis=0) + 0.5, counts.sum()
    right = (np.trace(counts) + 1) / (observed + classes)
    coin = np.full((classes, classes), (1 - right) / (classes - 1))
    np.fill_diagonal(coin, right)
    expected = counts.sum(axis=1, keepdims=True) * coin
    filled = expected > 0
    statistic = ((counts - expected)[filled] ** 2 / expected[filled]).sum()
    degrees = classes * (classes - 1)
    ratio = statistic / degrees
    alpha = 10_000 if ratio <= 1 else min(max((observed / classes - ratio) / (ratio - 1), 0), 10_000)
    rows = counts + 3 * given / given.sum() + alpha * coin
    return rows / rows.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["10 honest, class skill Dirichlet(0.1)", "6 honest, 4 relabelling", "3 at .8, 7 at .15"])
def test_integers_give_what_floating_point_gives(name: str) -> None:
    made = scenario(name, 3, tasks=400)
    found = confusion(made.reports, classes=CLASSES, passes=3)
    likelihood, counts = _plain(made.reports, CLASSES, 3)
    assert (found.labels == likelihood.argmax(axis=1)).mean() > 0.99
    assert isinstance(found.state, Confusion)
    assert np.abs(found.state.counts / UNIT - counts).max() < 1.5  # labels, of some 40 a row
    qualities = np.trace(counts, axis1=1, axis2=2) / 400
    assert np.abs(np.array(found.qualities) / WAD - qualities).max() < 0.005


def test_two_that_agree_and_one_that_does_not_as_computed_by_hand() -> None:
    # One pass: posteriors are vote shares, 683 and 341 of 1024. Counts of the first: 0 was right in 683 + 341 of its
    # 0s and 1s alike, so each row has 683 + 341 = 1024 in all; on the diagonal 683.
    reports = np.array([[0, 1], [0, 1], [1, 0]], dtype=np.uint8)
    found = confusion(reports, classes=2, passes=1)
    assert isinstance(found.state, Confusion)
    assert found.state.counts.tolist() == [[[683, 341], [341, 683]]] * 2 + [[[341, 683], [683, 341]]]
    assert found.qualities == [683 * WAD // 1024] * 2 + [341 * WAD // 1024]
    assert found.labels.tolist() == [0, 1]


@given(matrices(gaps=True), st.randoms(use_true_random=False))
def test_renaming_the_classes_renames_the_counts(matrix: tuple[np.ndarray, int], random: object) -> None:
    reports, classes = matrix
    names = list(range(classes))
    random.shuffle(names)  # type: ignore[attr-defined]
    renamed = np.array([*names, *[NO_REPORT] * (256 - classes)], dtype=np.uint8)[reports]
    counts, expected = (confusion(rows, classes=classes, passes=2).state.counts for rows in (renamed, reports))
    assert (counts[:, names][:, :, names] == expected).all()


def test_a_participant_with_half_of_its_reports_missing_is_counted_by_the_others() -> None:
    made = scenario("10 honest, accuracy .35 to .9", 0)
    reports = made.reports.copy()
    reports[0, 1000:] = NO_REPORT
    found = confusion(reports, classes=CLASSES)
    assert isinstance(found.state, Confusion)
    totals = found.state.counts.sum(axis=(1, 2)) / UNIT
    assert abs(totals[0] - 1000) < 5
    assert abs(totals[1] - 2000) < 10
    assert (found.labels == made.truth).mean() > 0.95


def test_counts_fade_by_a_tenth_a_round() -> None:
    reports = np.tile(np.arange(4, dtype=np.uint8), (3, 5))
    first = confusion(reports, classes=4).state
    second = confusion(reports, classes=4, state=first).state
    assert isinstance(first, Confusion)
    assert isinstance(second, Confusion)
    assert (first.counts == 5 * UNIT * np.eye(4, dtype=np.int64)).all()
    assert (second.counts == (5 * UNIT * 9 // 10 + 5 * UNIT) * np.eye(4, dtype=np.int64)).all()


def test_counts_follow_their_participants() -> None:
    state = Confusion(np.arange(12, dtype=np.int64).reshape(3, 2, 2))
    assert state.select([2, None]).counts.tolist() == [[[8, 9], [10, 11]], [[0, 0], [0, 0]]]


def test_what_was_learnt_in_earlier_rounds_helps_where_a_round_has_few_tasks() -> None:
    fresh, informed = [], []
    for seed in range(4):
        generator = np.random.default_rng(seed)
        truth = generator.integers(0, CLASSES, 800).astype(np.uint8)
        reports = skilled_reports(generator, truth, participants=10, alpha=0.1)
        state = None
        for start in range(0, 800, 100):
            some = slice(start, start + 100)
            found = confusion(reports[:, some], classes=CLASSES, state=state)
            state = found.state
        fresh.append((confusion(reports[:, some], classes=CLASSES).labels == truth[some]).mean())
        informed.append((found.labels == truth[some]).mean())
    assert statistics.fmean(informed) > statistics.fmean(fresh) + 0.03


def _gains(name: str, other, seeds: int = 6) -> list[float]:  # type: ignore[no-untyped-def]
    gains = []
    for seed in range(seeds):
        made = scenario(name, seed)
        ours, theirs = (f(made.reports, classes=CLASSES).labels for f in (confusion, other))
        gains.append(float((ours == made.truth).mean() - (theirs == made.truth).mean()))
    return gains


def test_where_participants_know_different_classes_it_beats_one_accuracy_each_and_the_majority() -> None:
    skew = "10 honest, class skill Dirichlet(0.1)"
    assert statistics.fmean(_gains(skew, majority)) > 0.1
    assert min(_gains(skew, majority)) > 0
    assert statistics.fmean(_gains(skew, bayes_two_pass)) > 0.2
    assert statistics.fmean(_gains("10 honest, class skill Dirichlet(0.5)", majority)) > 0.04


def test_labels_renamed_by_a_coalition_count_for_what_they_stand_for() -> None:
    assert statistics.fmean(_gains("6 honest, 4 relabelling", bayes_two_pass)) > 0.01
    assert statistics.fmean(_gains("6 honest, 4 relabelling", peer_weighted)) > 0.04


@pytest.mark.parametrize(
    "name", ["10 honest, accuracy .35 to .9", "3 at .8, 7 at .15", "6 honest, 4 random", "6 honest, 4 constant"]
)
def test_where_one_accuracy_each_is_all_there_is_to_know_it_loses_nothing(name: str) -> None:
    assert statistics.fmean(_gains(name, bayes_two_pass)) > -0.003


def test_a_class_that_nobody_reported_can_be_told_of_nobody_s_reports() -> None:
    found = confusion(np.full((3, 2), NO_REPORT, dtype=np.uint8), classes=3)
    assert found.labels.tolist() == [NO_REPORT] * 2
    assert found.qualities == [0] * 3


@pytest.mark.parametrize("classes", [2, 16, 17, 255])
def test_any_number_of_classes_is_counted(classes: int) -> None:
    truth = np.tile(np.arange(classes, dtype=np.uint8), 8)
    found = confusion(np.array([truth, truth, np.roll(truth, 1), truth]), classes=classes)
    assert (found.labels == truth).all()
    assert isinstance(found.state, Confusion)
    assert np.trace(found.state.counts[0]) > 0.99 * UNIT * len(truth)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"passes": 0}, "passes is 0; it must be 1 or more"),
        ({"state": Confusion(np.zeros((2, 2, 2), dtype=np.int64))}, r"shape \(2, 2, 2\), \(3, 2, 2\) is needed"),
        ({"state": bayes_two_pass(np.zeros((3, 2), dtype=np.uint8), classes=2).state}, "the state is a Evidence"),
    ],
)
def test_what_cannot_be_is_refused_by_value(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        confusion(np.zeros((3, 2), dtype=np.uint8), classes=2, **changes)  # type: ignore[arg-type]


@given(st.integers(1, 2**53))
def test_logarithms_are_right_to_the_unit(value: int) -> None:
    exact = math.log2(value) * LOG_UNIT
    # Cutting to 13 digits loses up to log2(1 + 2⁻¹²), rounding down one unit.
    assert exact - 1 - 0.4 <= int(log2(np.array([value]))[0]) <= exact + 1e-6


@given(st.integers(0, 40 * LOG_UNIT))
def test_powers_of_two_are_right_to_the_unit(log: int) -> None:
    exact = 2 ** (-log / LOG_UNIT) * POWER_UNIT
    assert exact - 2 < int(power_of_minus(np.array([log]))[0]) <= exact + 1e-6


def test_who_knows_a_class_counts_in_it():
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 4, 800).astype(np.uint8)
    low, high = truth.copy(), truth.copy()
    low[truth >= 2] = generator.integers(0, 2, int((truth >= 2).sum()))
    high[truth < 2] = generator.integers(2, 4, int((truth < 2).sum()))
    found = class_competence(np.stack([low, low, high, high]), classes=4)
    competences = np.array(found.competences)
    assert competences.shape == (4, 4)
    assert (competences >= 0).all()
    assert (competences <= MICRO).all()
    assert (competences[:2, :2] > 3 * competences[:2, 2:]).all()
    assert (competences[2:, 2:] > 3 * competences[2:, :2]).all()
    assert found.labels.tolist() == confusion(np.stack([low, low, high, high]), classes=4).labels.tolist()
