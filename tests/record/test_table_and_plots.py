from pathlib import Path
from typing import Any

import pytest

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.record import earnings_table, write_plots

A, B = "0x" + "aa" * 20, "0x" + "bb" * 20


def _participant(address: str, paid: int, **changes: Any) -> dict[str, Any]:
    return {
        "address": address, "node": "1234567890", "samples": 50, "quality": "875000000000000000", "score": str(2 * WAD),
        "paid": str(paid * WAD), "slashed": "0", "stake": str(100 * WAD), "reputation": None, **changes,
    }


def _record(participants: list[dict[str, Any]]) -> dict[str, Any]:
    rounds = [
        {"number": n, "accuracy": accuracy, "contributions": [{"address": A, "paid": str(WAD)}]}
        for n, accuracy in ((1, 0.5), (2, None), (3, 0.75))
    ]
    return {"protocol": "soft labels", "participants": participants, "rounds": rounds}


def test_the_best_paid_come_first_in_tokens() -> None:
    rows = earnings_table([_participant(A, 3), _participant(B, 7)]).splitlines()
    (first,) = (index for index, row in enumerate(rows) if "0xbbbbbb…bbbb" in row)
    (second,) = (index for index, row in enumerate(rows) if "0xaaaaaa…aaaa" in row)
    assert first < second
    assert [cell.strip() for cell in rows[first].strip("│").split("│")][1:] == [
        "567890", "50", "0.875", "2.00", "7.00", "0.00", "100.00", "–"
    ]


def test_who_was_never_scored_has_no_number() -> None:
    row = next(line for line in earnings_table([_participant(A, 0, quality=None, score=None)]).splitlines() if "0xaa" in line)
    assert row.count("–") == 3


@pytest.mark.parametrize("count", [0, 2])
def test_the_plots_are_pictures(tmp_path: Path, count: int) -> None:
    files = write_plots(_record([_participant(A, 3), _participant(B, 7)][:count]), tmp_path)
    assert [file.name for file in files] == ["accuracy.png", "rewards.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
