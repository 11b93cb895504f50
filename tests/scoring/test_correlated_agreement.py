import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from flwr_chainfl.draws import draw, key_of
from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import CorrelatedAgreement, Facts, correlated_agreement, draw_pairs, scorer_of

SEEDS = st.binary(min_size=32, max_size=32)


def _plain(reports: list[list[int]], pairs: list[tuple[int, ...]], seed: bytes, classes: int, bonus: int) -> list[int]:
    """Score task by task, as docs/protocols/peer-prediction.md puts it."""
    scores = [0] * len(reports)
    played = [m for i, j, *rest in pairs for m in [(i, j, (i, j)), *((k, i, (k,)) for k in rest)]]
    for number, (i, j, scored) in enumerate(played):
        x, y = reports[i], reports[j]
        half = len(x) // 2
        key = draw(key_of(seed), number + 1)
        bits = [draw(draw(key, 0), u // 64) >> (u % 64) & 1 for u in range(half)]
        side = [(t & 1) ^ bits[t // 2] for t in range(2 * half)]

        def together(a: int, b: int, learnt: int, x: list[int] = x, y: list[int] = y, side: list[int] = side) -> int:
            on = [t for t in range(len(side)) if side[t] == learnt]
            joint = sum(x[t] == a and y[t] == b for t in on)
            return int(len(on) * joint > sum(x[t] == a for t in on) * sum(y[t] == b for t in on))

        for b in range(bonus):
            z, w = draw(draw(key, 1), 2 * b), draw(draw(key, 1), 2 * b + 1)
            p = ((b << 32) + (z >> 32)) * 2 * half // (bonus << 32)
            same = [t for t in range(2 * half) if side[t] == side[p] and t != p]
            q = same[(z & 0xFFFFFFFF) * len(same) >> 32]
            same.remove(q)
            other = same[(w >> 32) * len(same) >> 32]
            learnt = 1 - side[p]
            for one in scored:
                scores[one] += together(x[p], y[p], learnt) - together(x[q], y[other], learnt)
    return scores


@st.composite
def games(draw: st.DrawFn) -> tuple[int, NDArray[np.uint8], bytes, int, int]:
    classes, tasks = draw(st.sampled_from([2, 3, 255])), draw(st.integers(6, 20))
    label = st.integers(0, classes - 1) | st.integers(0, 1)
    rows = draw(st.lists(st.lists(label, min_size=tasks, max_size=tasks), min_size=2, max_size=6))
    return classes, np.array(rows, dtype=np.uint8), draw(SEEDS), draw(st.integers(1, tasks)), draw(st.integers(1, 3))


@settings(max_examples=60)
@given(games())
def test_scores_equal_the_formula_worked_out_task_by_task(game: tuple[int, NDArray[np.uint8], bytes, int, int]) -> None:
    classes, reports, seed, bonus, peers = game
    pairs = draw_pairs(len(reports), seed, peers=peers)
    expected = _plain(reports.tolist(), pairs, seed, classes, bonus)
    assert correlated_agreement(reports, pairs, seed, classes=classes, bonus_tasks=bonus) == expected


@given(games(), st.integers(0, 5))
def test_a_constant_scores_exactly_0(game: tuple[int, NDArray[np.uint8], bytes, int, int], who: int) -> None:
    classes, reports, seed, bonus, _ = game
    reports[who % len(reports)] = classes - 1
    pairs = draw_pairs(len(reports), seed, peers=1)
    scores = correlated_agreement(reports, pairs, seed, classes=classes, bonus_tasks=bonus)
    assert scores[who % len(reports)] == 0


@given(games(), st.integers(0, 99))
def test_renaming_the_classes_changes_nothing(game: tuple[int, NDArray[np.uint8], bytes, int, int], names: int) -> None:
    classes, reports, seed, bonus, peers = game
    renamed = np.random.default_rng(names).permutation(classes).astype(np.uint8)[reports]
    pairs = draw_pairs(len(reports), seed, peers=peers)
    before, after = (
        correlated_agreement(r, pairs, seed, classes=classes, bonus_tasks=bonus) for r in (reports, renamed)
    )
    assert before == after


def _simulated(accuracy: float, classes: int, tasks: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return 10 reports: a random one, one that draws from how common the classes are, and 8 honest ones."""
    shares = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    truth = generator.choice(classes, tasks, p=shares)
    noise = generator.integers(0, classes, (10, tasks))
    reports = np.where(generator.random((10, tasks)) < accuracy, truth, noise)
    reports[0] = noise[0]
    reports[1] = generator.choice(classes, tasks, p=shares)
    return reports.astype(np.uint8)


@pytest.mark.parametrize(("classes", "tasks"), [(2, 200), (10, 500)])
def test_uninformed_reports_score_0_in_expectation_and_honest_ones_above(classes: int, tasks: int) -> None:
    generator = np.random.default_rng(classes)
    scorer = CorrelatedAgreement(classes=classes, tasks=tasks)
    scores = np.array([
        scorer.score(
            [r.tobytes() for r in _simulated(0.7, classes, tasks, generator)],
            Facts(samples=[1] * 10, seed=generator.bytes(32)),
        ).scores
        for _ in range(150)
    ]) / WAD
    mean, error = scores.mean(axis=0), scores.std(axis=0) / 150**0.5
    assert (np.abs(mean[:2]) < 3.5 * error[:2]).all()
    assert (np.abs(mean[:2]) < 0.01).all()
    assert mean[2:].min() > 0.1
    assert scores[:, :2].std() < scorer.chance_deviation / WAD * 1.5


def test_scores_are_the_mean_over_bonus_tasks_and_peers_and_qualities_are_kappa() -> None:
    truth = np.tile(np.array([0, 1, 2], dtype=np.uint8), 20).tobytes()
    seed = bytes(range(32))
    scorer = CorrelatedAgreement(classes=3, tasks=60, bonus_tasks=50, peers=2)
    scored = scorer.score([truth] * 3, Facts(samples=[1] * 3, seed=seed))
    matrix = np.frombuffer(truth * 3, dtype=np.uint8).reshape(3, 60)
    raw = correlated_agreement(matrix, draw_pairs(3, seed, peers=2), seed, classes=3, bonus_tasks=50)
    assert scored.scores == [one * WAD // 100 for one in raw]
    assert scored.qualities == [WAD] * 3  # whatever is possible above unrelated tasks


@pytest.mark.parametrize("bad", [b"", bytes([0, 1, 3] * 20), bytes([0, 1, 2] * 21)])
def test_a_malformed_report_scores_0_and_is_nobodys_peer(bad: bytes) -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, 60).astype(np.uint8).tobytes()
    scorer, seed = CorrelatedAgreement(classes=3, tasks=60), bytes(31) + b"\1"
    alone = scorer.score([truth] * 4, Facts(samples=[1] * 4, seed=seed))
    scored = scorer.score([truth, bad, truth, truth, truth], Facts(samples=[1] * 5, seed=seed))
    assert (scored.scores.pop(1), scored.qualities.pop(1)) == (0, 0)
    assert scored == alone
    assert min(alone.scores) > WAD // 3


def test_a_calibration_puts_a_relabelling_majority_out() -> None:
    generator = np.random.default_rng(6)
    truth = generator.integers(0, 4, 80).astype(np.uint8)
    reports = [truth.tobytes()] * 3 + [((truth + 1) % 4).tobytes()] * 5
    items = b"".join(t.to_bytes(2, "big") + bytes([truth[t]]) for t in range(20))
    scorer = CorrelatedAgreement(classes=4, tasks=80)
    without = scorer.score(reports, Facts(samples=[1] * 8, seed=bytes(32)))
    scored = scorer.score(reports, Facts(samples=[1] * 8, seed=bytes(32), calibration=items))
    assert min(without.scores) > 0
    assert scored.scores[3:] == [0] * 5
    assert min(scored.scores[:3]) > 0


@pytest.mark.parametrize("participants", [0, 1, 2])
def test_fewer_than_three_score_0(participants: int) -> None:
    scored = CorrelatedAgreement(classes=2, tasks=6).score([bytes(6)] * participants, Facts(samples=[1] * participants))
    assert scored.scores == scored.qualities == [0] * participants


@pytest.mark.parametrize(
    ("tasks", "bonus", "message"), [(5, 1, "5 tasks; .* 6 or more"), (8, 9, "9 bonus tasks of 8"), (8, 0, "0 bonus")]
)
def test_too_few_tasks_are_refused(tasks: int, bonus: int, message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        correlated_agreement(np.zeros((2, tasks), np.uint8), [(0, 1)], bytes(32), classes=2, bonus_tasks=bonus)


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(ReportShapeError, match="participant 1 labels task 3 with 2"):
        correlated_agreement(
            np.array([[0] * 6, [0, 1, 0, 2, 0, 0]], np.uint8), [(0, 1)], bytes(32), classes=2, bonus_tasks=1
        )


def test_the_scorer_is_found_by_its_contract() -> None:
    scorer = CorrelatedAgreement(classes=10, tasks=500, bonus_tasks=64, peers=1)
    assert scorer_of(scorer.contract, [str(a) for a in scorer.arguments]) == scorer
    assert scorer.tasks_wanted == 2000
    assert (scorer.formula, scorer.report_kind) == ("CorrelatedAgreement/1", "labels")
