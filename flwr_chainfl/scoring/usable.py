"""Which reports of hard labels count; twin of contracts/scorers/CheckedReports.sol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.labels import usable

FEWEST_PARTICIPANTS = 3
"""Two would know of each other whom they are scored against."""


def usable_labels(
    reports: Sequence[bytes], *, classes: int, tasks: int, calibration: bytes = b"", deviations: int = 0
) -> tuple[list[int], NDArray[np.uint8]]:
    """Return the positions of the reports that count, and their labels, uint8 (those, tasks)."""
    whole = [index for index, report in enumerate(reports) if len(report) == tasks]
    labels = np.empty((len(whole), tasks), dtype=np.uint8)
    for row, index in enumerate(whole):
        labels[row] = np.frombuffer(reports[index], dtype=np.uint8)
    counted = usable(labels, classes=classes, calibration=calibration, deviations=deviations)
    return [index for index, counts in zip(whole, counted, strict=True) if counts], labels[counted]


def pairing_notes(participants: int) -> list[tuple[str, str]]:
    """Return what there is to tell of pairing that many usable reports."""
    if participants < FEWEST_PARTICIPANTS:
        return [(
            "few-participants",
            f"{participants} usable reports; {FEWEST_PARTICIPANTS} are needed for pairs, so all score 0 and nobody is paid",
        )]
    if participants % 2:
        return [("odd-participants", f"{participants} usable reports: one is scored against the first of another pair")]
    return []
