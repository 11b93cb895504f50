import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError, PublicSetError, ReportShapeError
from flwr_chainfl.labels import class_histogram, label_distribution, laplace_histogram


def noise(epsilon: float, draws: int, seed: int = 0) -> np.ndarray:
    """Return the noise alone: the counts are so high that none is clipped."""
    counts = np.full(draws, 10**6, dtype=np.int64)
    return laplace_histogram(counts, epsilon=epsilon, generator=np.random.default_rng(seed)) - counts


def test_each_class_is_counted() -> None:
    counts = class_histogram(np.array([3, 0, 3, 3], dtype=np.uint8), 5)
    assert counts.dtype == np.int64
    assert counts.tolist() == [1, 0, 0, 3, 0]


def test_no_samples_are_counted_as_none() -> None:
    assert class_histogram(np.zeros(0, dtype=np.int64), 3).tolist() == [0, 0, 0]


@given(st.lists(st.integers(0, 6), max_size=40), st.lists(st.integers(0, 6), max_size=40))
def test_the_histograms_of_two_parts_add_up_to_the_whole(first: list[int], second: list[int]) -> None:
    one, two, whole = (class_histogram(np.array(part, dtype=np.int64), 7) for part in (first, second, first + second))
    assert (one + two == whole).all()


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (np.array([0, 3]), 3, "sample 1 has label 3; labels must be from 0 to 2"),
        (np.array([-1, 0]), 3, "sample 0 has label -1"),
        (np.array([0.0]), 3, "float64"),
        (np.zeros((2, 2), dtype=np.int64), 3, r"shape \(2, 2\)"),
        (np.array([0]), 1, "1 classes; between 2 and 255"),
    ],
)
def test_labels_that_are_no_classes_are_named(labels: np.ndarray, classes: int, message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        class_histogram(labels, classes)


@pytest.mark.parametrize("epsilon", [None, math.inf])
def test_without_epsilon_there_is_no_noise(epsilon: float | None) -> None:
    counts = np.array([3, 0, 7])
    assert (laplace_histogram(counts, epsilon=epsilon, generator=np.random.default_rng(0)) == counts).all()


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 2.5])
def test_the_noise_is_two_sided_geometric(epsilon: float) -> None:
    drawn = noise(epsilon, 6000)
    decay = math.exp(-epsilon)
    assert drawn.var() == pytest.approx(2 * decay / (1 - decay) ** 2, rel=0.15)
    for value in range(-2, 3):
        expected = (1 - decay) / (1 + decay) * decay ** abs(value)
        # Four standard deviations of a binomial share.
        tolerance = 4 * math.sqrt(expected * (1 - expected) / len(drawn))
        assert (drawn == value).mean() == pytest.approx(expected, abs=tolerance)


def test_epsilon_counts_in_millionths_rounded_down() -> None:
    assert (noise(0.3000009, 200) == noise(0.3, 200)).all()
    assert (noise(0.300001, 2000) != noise(0.3, 2000)).sum() < 2000
    assert np.abs(noise(1e-6, 20)).max() > 10**5


def test_noisy_counts_are_whole_and_not_negative() -> None:
    counts = laplace_histogram(np.zeros(500, dtype=np.int64), epsilon=0.5, generator=np.random.default_rng(0))
    assert counts.dtype == np.int64
    assert counts.min() == 0
    # A negative half is clipped; the positive half has the mean d / (1 − d²), with d = exp(−0.5).
    decay = math.exp(-0.5)
    assert counts.mean() == pytest.approx(decay / (1 - decay**2), rel=0.3)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 1e-7, 1e9, math.nan, -math.inf])
def test_an_epsilon_out_of_range_is_named(epsilon: float) -> None:
    with pytest.raises(ConfigError, match=f"epsilon {epsilon} is not from"):
        laplace_histogram(np.array([1]), epsilon=epsilon, generator=np.random.default_rng(0))


@pytest.mark.parametrize("counts", [np.array([1, -1]), np.array([0.5]), np.zeros((1, 2), dtype=np.int64)])
def test_noise_is_added_to_histograms_only(counts: np.ndarray) -> None:
    with pytest.raises(ReportShapeError, match="integers \\(classes,\\) of 0 or more"):
        laplace_histogram(counts, epsilon=1.0, generator=np.random.default_rng(0))


def test_the_label_distribution_is_that_of_all_samples() -> None:
    shares = label_distribution(np.array([[1, 0, 2], [3, 0, 2]]))
    assert shares.tolist() == [0.5, 0, 0.5]


def test_huge_counts_do_not_overflow() -> None:
    huge = np.full((4, 2), 2**62, dtype=np.int64)
    assert label_distribution(huge).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("histograms", "message"),
    [
        (np.zeros((2, 3)), "all histograms are 0"),
        (np.array([[1.0, 2.0], [np.nan, 1.0]]), "participant 1 has nan samples of class 0"),
        (np.array([[1, -2]]), "participant 0 has -2 samples of class 1"),
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
    ],
)
def test_histograms_that_give_no_distribution_are_named(histograms: np.ndarray, message: str) -> None:
    with pytest.raises(PublicSetError, match=message):
        label_distribution(histograms)
