import numpy as np
import pytest

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.serverapp.calibration import UNKNOWN, Calibration


def items(opening) -> list[tuple[int, int]]:
    data = opening.items
    return [(int.from_bytes(data[i : i + 2], "big"), data[i + 2]) for i in range(0, len(data), 3)]


def test_no_item_is_drawn_twice_and_each_has_its_label():
    known = (np.arange(100) % 7).astype(np.uint8)
    calibration = Calibration(known, share=0.3, seed=1)
    drawn = [items(calibration.draw()) for _ in range(4)]
    assert [len(one) for one in drawn] == [30, 30, 30, 10]
    positions = [position for one in drawn for position, _ in one]
    assert sorted(positions) == list(range(100))
    assert all(label == known[position] for one in drawn for position, label in one)
    assert calibration.draw().items == b""


def test_only_known_labels_are_drawn():
    known = np.full(50, UNKNOWN, dtype=np.uint8)
    known[[3, 40]] = [1, 2]
    assert items(Calibration(known, share=0.1, seed=1).draw()) == [(3, 1), (40, 2)]


def test_salts_differ_from_round_to_round_and_a_seed_repeats_them():
    known = np.zeros(100, dtype=np.uint8)
    first, second = (Calibration(known, seed=3) for _ in range(2))
    a, b = first.draw(), first.draw()
    assert a.salt != b.salt
    assert len(a.salt) == 32
    assert [a, b] == [second.draw(), second.draw()]
    assert Calibration(known).draw() != Calibration(known).draw()


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (np.zeros((2, 2), dtype=int), r"shape \(2, 2\)"),
        (np.array([0.5]), "float64"),
        (np.array([300]), "300"),
        (np.array([-1]), "-1"),
        (np.full(4, UNKNOWN), "no calibration label is known"),
    ],
)
def test_labels_that_are_none_are_refused(known, message):
    with pytest.raises(ConfigError, match=message):
        Calibration(known)
