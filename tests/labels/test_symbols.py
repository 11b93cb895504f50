import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.labels import NO_REPORT
from flwr_chainfl.labels.symbols import SHARE_UNIT, Symbols

from .test_aggregation import matrices


def _added(reports: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The same label by label."""
    sums = np.zeros((rows.shape[1], reports.shape[1]), dtype=np.int64)
    for labels, own in zip(reports, rows, strict=True):
        given = labels != NO_REPORT
        sums[:, given] += own[:, labels[given]]
    return sums


def _counted(reports: np.ndarray, shares: np.ndarray, classes: int) -> np.ndarray:
    """The same label by label."""
    return np.array([[shares[:, row == label].sum(axis=1) for label in range(classes)] for row in reports]).transpose(0, 2, 1)


@given(matrices(gaps=True), st.integers(1, 7), st.integers(0, 2**32), st.sampled_from([1, 7, 5000, 2**40]))
def test_sums_are_those_of_adding_label_by_label(
    matrix: tuple[np.ndarray, int], rows: int, seed: int, most: int
) -> None:
    reports, classes = matrix
    generator = np.random.default_rng(seed)
    table = generator.integers(0, most, (len(reports), rows, classes), endpoint=True)
    shares = generator.integers(0, SHARE_UNIT, (rows, reports.shape[1]), endpoint=True).astype(np.float64)
    shares[:, generator.random(reports.shape[1]) < 0.5] = 0
    symbols = Symbols(reports, classes=classes)
    assert (symbols.add_up(table) == _added(reports, table)).all()
    assert (symbols.count(shares) == _counted(reports, shares, classes)).all()
    weights = table[:, 0, 0]
    votes = np.array([(weights[:, None] * (reports == label)).sum(axis=0) for label in range(classes)])
    assert (symbols.votes(weights) == votes).all()


@pytest.mark.parametrize(("participants", "tasks", "classes"), [(230, 400, 3), (7, 140_000, 2), (5, 600, 255)])
def test_blocks_of_participants_and_of_tasks_add_up(participants: int, tasks: int, classes: int) -> None:
    generator = np.random.default_rng(0)
    reports = generator.integers(0, classes, (participants, tasks)).astype(np.uint8)
    reports[:, ::7] = NO_REPORT
    shares = np.full((3, tasks), float(SHARE_UNIT))
    symbols = Symbols(reports, classes=classes)
    rows = generator.integers(0, 50_000, (participants, 4, classes))
    assert (symbols.add_up(rows) == _added(reports, rows)).all()
    assert (symbols.count(shares) == _counted(reports, shares, classes)).all()
