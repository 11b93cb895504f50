from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from flwr_chainfl.errors import PublicSetError, RunRecordError
from flwr_chainfl.record import write_sheet


def _pure(picture: np.ndarray, channel: int) -> np.ndarray:
    """Return which pixels are of one pure colour."""
    others = [c for c in range(3) if c != channel]
    return (picture[..., channel] == 1) & (picture[..., others] == 0).all(axis=-1)


def _coloured(colours: list[int], side: int = 8) -> np.ndarray:
    images = np.zeros((len(colours), 3, side, side), dtype=np.uint8)
    images[np.arange(len(colours)), colours] = 255
    return images


def test_each_class_has_its_own_row_in_order(tmp_path: Path) -> None:
    labels = np.array([2, 0, 1, 2, 0, 0])
    file = write_sheet(_coloured([2, 0, 1, 2, 0, 0]), labels, tmp_path / "sheet.png", classes=3, per_class=3)
    assert file == tmp_path / "sheet.png"
    picture = imread(file)
    rows = [np.flatnonzero(_pure(picture, channel).any(axis=1)) for channel in range(3)]
    assert rows[0].max() < rows[1].min()
    assert rows[1].max() < rows[2].min()
    areas = [_pure(picture, channel).sum() for channel in range(3)]
    assert areas[0] / areas[1] == pytest.approx(3, rel=0.05)
    assert areas[2] / areas[1] == pytest.approx(2, rel=0.05)


def test_no_more_than_asked_for_are_drawn(tmp_path: Path) -> None:
    few, many = (
        write_sheet(_coloured([0] * count), np.zeros(count, np.uint8), tmp_path / f"{count}.png", classes=2, per_class=2)
        for count in (2, 9)
    )
    assert _pure(imread(few), 0).sum() == _pure(imread(many), 0).sum() > 0


@pytest.mark.parametrize(("classes", "per_class"), [(2, 1), (40, 3), (2, 30)])
def test_grey_images_fit_any_grid(tmp_path: Path, classes: int, per_class: int) -> None:
    inputs = np.full((5, 1, 12, 9), 100, dtype=np.uint8)
    file = write_sheet(inputs, np.array([0, 1, 0, 1, 1]), tmp_path / "grey.png", classes=classes, per_class=per_class)
    picture = np.rint(imread(file) * 255)
    assert (picture[..., :3] == 100).all(axis=-1).any()


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((2, 64), np.uint8), [0, 1], r"shape \(2, 64\); only images can be drawn"),
        (np.zeros((2, 2, 8, 8), np.uint8), [0, 1], r"\(2, 2, 8, 8\)"),
        (np.zeros((2, 1, 8, 8), np.float32), [0, 1], "float32"),
        (np.zeros((0, 1, 8, 8), np.uint8), [], r"\(0, 1, 8, 8\)"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0, 2], "range from 0 to 2; .* from 0 to 1, is needed"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0], r"labels have shape \(1,\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_value(
    tmp_path: Path, inputs: np.ndarray, labels: list[int], message: str
) -> None:
    with pytest.raises(PublicSetError, match=message):
        write_sheet(inputs, np.array(labels, dtype=np.int64), tmp_path / "x.png", classes=2)


def test_a_row_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PublicSetError, match="0 images a class"):
        write_sheet(_coloured([0]), np.zeros(1, np.uint8), tmp_path / "x.png", classes=2, per_class=0)


def test_a_folder_that_is_not_there_is_an_error_of_the_record(tmp_path: Path) -> None:
    with pytest.raises(RunRecordError, match="cannot be written"):
        write_sheet(_coloured([0]), np.zeros(1, np.uint8), tmp_path / "missing" / "x.png", classes=2)
