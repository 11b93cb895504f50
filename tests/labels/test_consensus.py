import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flwr_chainfl.errors import ReportShapeError, SoftLabelError
from flwr_chainfl.labels import hard_labels, majority_vote, mean_soft_labels, validate_soft_labels
from flwr_chainfl.labels.consensus import validate_reports

HALVES = np.full((2, 2), 0.5, dtype=np.float32)


def test_the_majority_wins_task_by_task() -> None:
    reports = np.array([[0, 2, 1], [0, 1, 1], [1, 1, 2]], dtype=np.uint8)
    assert majority_vote(reports, classes=3).tolist() == [0, 1, 1]


def test_a_tied_majority_goes_to_the_lowest_class() -> None:
    assert majority_vote(np.array([[2, 1], [1, 2]], dtype=np.uint8), classes=3).tolist() == [1, 1]


@given(st.data())
def test_the_majority_does_not_depend_on_the_order_of_participants(data: st.DataObject) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=6))
    reports = data.draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, 3)))
    order = data.draw(st.permutations(range(shape[0])))
    assert (majority_vote(reports, classes=4) == majority_vote(reports[order], classes=4)).all()


def test_the_mean_of_soft_labels_is_taken_class_by_class() -> None:
    first = np.array([[1, 0, 0], [0.5, 0.25, 0.25]], dtype=np.float32)
    second = np.array([[0, 1, 0], [0.5, 0.25, 0.25]], dtype=np.float32)
    mean = mean_soft_labels([first, second])
    assert mean.dtype == np.float32
    assert mean.tolist() == [[0.5, 0.5, 0], [0.5, 0.25, 0.25]]


def test_the_mean_of_inexact_rows_is_a_distribution() -> None:
    rough = np.array([[0.5005, 0.5], [0.2, 0.7995]], dtype=np.float32)
    assert np.abs(mean_soft_labels([rough, rough, rough]).sum(axis=1) - 1).max() < 1e-6


def test_no_soft_labels_have_no_mean() -> None:
    with pytest.raises(ReportShapeError, match="0 soft label sets to average; at least 1"):
        mean_soft_labels([])


def test_soft_labels_of_another_shape_are_named() -> None:
    with pytest.raises(ReportShapeError, match=r"soft labels 1 have shape \(2, 3\), the first have \(2, 2\)"):
        mean_soft_labels([HALVES, np.zeros((2, 3), dtype=np.float32)])


def test_hard_labels_take_the_lowest_of_equally_probable_classes() -> None:
    labels = hard_labels(np.array([[0.2, 0.4, 0.4], [0, 0, 1]], dtype=np.float32))
    assert labels.dtype == np.uint8
    assert labels.tolist() == [1, 2]


def test_a_distribution_for_each_task_is_valid() -> None:
    validate_soft_labels(HALVES, tasks=2, classes=2)
    validate_soft_labels(HALVES + np.float32(0.0004), tasks=2, classes=2)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (np.zeros((3, 2)), r"shape \(3, 2\).*\(2, 2\) is needed"),
        (np.array([[0.5, 0.5], [np.nan, 0.5]]), "public input 1 is not finite"),
        (np.array([[0.5, 0.5], [np.inf, 0.5]]), "public input 1 is not finite"),
        (np.array([[0.5, 0.5], [-0.25, 1.25]]), "public input 1 holds -0.25, below 0"),
        (np.array([[0.5, 0.502], [0.5, 0.5]]), "public input 0 sums to 1.002, not 1"),
    ],
)
def test_what_is_no_distribution_is_refused_by_value(broken: np.ndarray, message: str) -> None:
    with pytest.raises(SoftLabelError, match=message):
        validate_soft_labels(broken.astype(np.float32), tasks=2, classes=2)


@pytest.mark.parametrize(
    ("reports", "classes", "message"),
    [
        (np.zeros(3, dtype=np.uint8), 3, r"shape \(3,\)"),
        (np.zeros((0, 3), dtype=np.uint8), 3, r"shape \(0, 3\)"),
        (np.zeros((2, 3), dtype=np.uint8), 1, "1 classes; between 2 and 255"),
        (np.zeros((2, 3), dtype=np.uint8), 256, "256 classes; between 2 and 255"),
        (np.array([[0, 0], [0, 3]], dtype=np.uint8), 3, "participant 1 labels task 1 with 3; .* below the 3 classes"),
    ],
)
def test_what_is_no_matrix_of_labels_is_refused_by_value(reports: np.ndarray, classes: int, message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        validate_reports(reports, classes=classes)
    with pytest.raises(ReportShapeError, match=message):
        majority_vote(reports, classes=classes)
