import numpy as np
import pytest

from flwr_chainfl.errors import ConfigError, ReportShapeError
from flwr_chainfl.labels import mean_soft_labels, reduce_entropy, weighted_soft_labels


def reports(count: int, tasks: int = 30, classes: int = 4) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.dirichlet([0.5] * classes, tasks).astype(np.float32) for _ in range(count)]


def test_weights_count_in_proportion():
    a, b, c = reports(3)
    expected = (3 * a.astype(float) + b) / 4
    assert weighted_soft_labels([a, b, c], [3_000_000, 1_000_000, 0]) == pytest.approx(expected, abs=1e-6)


def test_equal_weights_are_the_mean_and_so_are_none():
    some = reports(5)
    mean = mean_soft_labels(some)
    assert weighted_soft_labels(some, [7] * 5) == pytest.approx(mean, abs=1e-6)
    assert weighted_soft_labels(some, [0] * 5) == pytest.approx(mean, abs=1e-6)


def test_reports_are_taken_one_at_a_time():
    alive = []

    def stream():
        for index in range(50):
            alive.append(index)
            yield reports(1)[0]
            alive.pop()
            assert not alive

    weighted_soft_labels(stream(), [1] * 50)


def test_shapes_that_differ_and_negative_weights_are_refused():
    with pytest.raises(ReportShapeError, match=r"soft labels 1 have shape \(29, 4\)"):
        weighted_soft_labels([reports(1)[0], reports(1, tasks=29)[0]], [1, 1])
    with pytest.raises(ReportShapeError, match="weight -1"):
        weighted_soft_labels(reports(2), [1, -1])
    with pytest.raises(ReportShapeError, match="0 soft label sets"):
        weighted_soft_labels([], [])


def test_a_low_temperature_sharpens_and_one_changes_nothing():
    consensus = reports(1)[0]
    assert reduce_entropy(consensus, temperature=1.0) is consensus
    sharp = reduce_entropy(consensus, temperature=0.5)
    squared = consensus.astype(float) ** 2
    assert sharp == pytest.approx(squared / squared.sum(axis=1, keepdims=True), abs=1e-5)
    with pytest.raises(ConfigError, match="temperature is 0"):
        reduce_entropy(consensus, temperature=0)


def test_weights_may_differ_by_class():
    a, b = (np.array([[0.5, 0.5]], dtype=np.float32), np.array([[0.25, 0.75]], dtype=np.float32))
    found = weighted_soft_labels([a, b], [[2, 0], [0, 1]])
    assert found.tolist() == [[np.float32(1 / 1.75), np.float32(0.75 / 1.75)]]
