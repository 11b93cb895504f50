import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.labels import above_chance, pack_calibration, unpack_calibration, usable


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 254))))
def test_items_come_back_as_they_were_packed(items: list[tuple[int, int]]) -> None:
    positions, labels = [p for p, _ in items], [label for _, label in items]
    packed = pack_calibration(positions, labels)
    assert packed == b"".join(p.to_bytes(2, "big") + bytes([label]) for p, label in items)
    unpacked = unpack_calibration(packed, tasks=2**16, classes=255)
    assert [found.tolist() for found in unpacked] == [positions, labels]


def test_items_of_no_task_or_no_class_and_bytes_left_over_are_left_out() -> None:
    packed = pack_calibration([4, 5, 1, 2], [0, 0, 3, 2]) + b"\0\1"
    positions, labels = unpack_calibration(packed, tasks=5, classes=3)
    assert (positions.tolist(), labels.tolist()) == ([4, 2], [0, 2])


@pytest.mark.parametrize(
    ("positions", "labels", "message"),
    [
        ([2**16], [0], "position 65536; 0 to 65535"),
        ([0, -1], [0, 0], "position -1; 0 to 65535"),
        ([0], [255], "label 255; 0 to 254"),
        ([0, 1], [0], r"\(2,\) and labels \(1,\)"),
        ([0.5], [0], "position is of type float64"),
    ],
)
def test_items_that_cannot_be_are_refused_by_value(positions: list[float], labels: list[int], message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        pack_calibration(positions, labels)


def test_chance_ends_three_deviations_above_its_mean() -> None:
    # 36 items of 10 classes: 3.6 ± 1.8 hits; three deviations above is 9 exactly, which is not more.
    assert [above_chance(hits, items=36, classes=10) for hits in (0, 9, 10)] == [False, False, True]
    assert [above_chance(hits, items=36, classes=10, deviations=2) for hits in (7, 8)] == [False, True]
    assert not above_chance(0, items=0, classes=10)
    assert not above_chance(0, items=36, classes=10, deviations=0)


TRUTH = np.tile(np.arange(5, dtype=np.uint8), 4)


def test_those_above_chance_count_and_nobody_else() -> None:
    reports = np.array([TRUTH, (TRUTH + 1) % 5, TRUTH], dtype=np.uint8)
    items = pack_calibration(range(20), TRUTH)
    assert usable(reports, classes=5, calibration=items).tolist() == [True, False, True]
    assert usable(reports, classes=5).tolist() == [True] * 3


def test_a_label_that_is_no_class_is_not_saved_by_the_calibration() -> None:
    reports = np.array([TRUTH, TRUTH], dtype=np.uint8)
    reports[1, 19] = 5
    items = pack_calibration(range(19), TRUTH[:19])
    assert usable(reports, classes=5, calibration=items).tolist() == [True, False]


def test_where_nobody_of_the_right_form_is_above_chance_the_calibration_is_ignored() -> None:
    reports = np.array([(TRUTH + 1) % 5, (TRUTH + 2) % 5, TRUTH], dtype=np.uint8)
    reports[2, 19] = 5
    items = pack_calibration(range(19), TRUTH[:19])
    assert usable(reports, classes=5, calibration=items).tolist() == [True, True, False]


def test_the_reports_must_be_a_matrix() -> None:
    with pytest.raises(ReportShapeError, match=r"shape \(20,\)"):
        usable(TRUTH, classes=5)


def test_nobody_is_usable_where_there_is_nobody() -> None:
    assert usable(np.empty((0, 4), dtype=np.uint8), classes=5, calibration=b"\0\0\0").tolist() == []
