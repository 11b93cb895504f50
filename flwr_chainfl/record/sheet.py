"""A picture of generated inputs: one row a class, to see at a glance what the public set shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import PublicSetError, RunRecordError

_GAP = 2
_WHITE = 255


def write_sheet(
    inputs: NDArray[np.uint8],
    labels: NDArray[np.integer],
    file: Path,
    *,
    classes: int,
    per_class: int = 10,
) -> Path:
    """Write the first images of each class as a PNG grid, one row a class, and return its path.

    A row names its class and how many images of it there are; where there are fewer than `per_class`, it ends in
    white.

    inputs: uint8 (images, channels, height, width), 1 channel (grey) or 3 (red, green, blue)
    labels: integers (images,), below `classes`

    Raises PublicSetError when inputs are no such images or labels do not fit them, RunRecordError when the file
    cannot be written.
    """
    _check(inputs, labels, classes, per_class)
    _, _, height, width = inputs.shape
    grid = np.full((classes * (height + _GAP), per_class * (width + _GAP), 3), _WHITE, dtype=np.uint8)
    for label in range(classes):
        top = label * (height + _GAP)
        for column, index in enumerate(np.flatnonzero(labels == label)[:per_class]):
            left = column * (width + _GAP)
            grid[top : top + height, left : left + width] = inputs[index].transpose(1, 2, 0)
    figure, axes = _figure(grid.shape[0] / grid.shape[1], classes)
    counts = np.bincount(labels.astype(np.int64), minlength=classes)
    axes.set_title(f"{len(inputs)} inputs of {classes} classes")
    axes.set_xlabel("sample")
    axes.set_ylabel("class (count)")
    axes.imshow(grid, interpolation="nearest")
    axes.set_yticks(
        [label * (height + _GAP) + height / 2 for label in range(classes)],
        [f"{label} ({counts[label]})" for label in range(classes)],
    )
    axes.set_xticks(
        [column * (width + _GAP) + width / 2 for column in range(per_class)],
        [str(column + 1) for column in range(per_class)],
    )
    try:
        figure.savefig(file, format="png", dpi=120)
    except OSError as error:
        raise RunRecordError(f"{file} cannot be written ({error.strerror}); choose another folder") from error
    return file


def _check(inputs: NDArray[np.uint8], labels: NDArray[np.integer], classes: int, per_class: int) -> None:
    if inputs.ndim != 4 or inputs.dtype != np.uint8 or inputs.shape[1] not in (1, 3) or inputs.size == 0:
        raise PublicSetError(
            f"inputs are {inputs.dtype} of shape {inputs.shape}; only images can be drawn, uint8 (images, 1 or 3, height, "
            f"width)"
        )
    if labels.shape != (len(inputs),) or int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise PublicSetError(
            f"labels have shape {labels.shape} and range from {labels.min(initial=0)} to {labels.max(initial=0)}; one for "
            f"each of the {len(inputs)} inputs, from 0 to {classes - 1}, is needed"
        )
    if per_class < 1:
        raise PublicSetError(f"{per_class} images a class; draw at least 1")


def _figure(aspect: float, rows: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = min(max(0.6 * rows, 2.0), 100.0)
    figure = Figure(figsize=(max(height / aspect, 3.0) + 1, height + 1), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure, axes
