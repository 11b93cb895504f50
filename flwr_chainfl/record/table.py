"""The table at the end of a run: who earned what."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table

from flwr_chainfl.fixedpoint import WAD

_WIDTH = 110


def earnings_table(participants: list[dict[str, Any]]) -> str:
    """Return the participants of a run record as a text table, best paid first."""
    table = Table(title="Who earned what (tokens)")
    for column in ("participant", "node", "samples", "quality", "score", "paid", "slashed", "stake", "reputation"):
        table.add_column(column, justify="left" if column == "participant" else "right")
    for row in sorted(participants, key=lambda p: -int(p["paid"])):
        table.add_row(
            f"{row['address'][:8]}…{row['address'][-4:]}",
            str(row["node"])[-6:],
            str(row["samples"]),
            _number(row["quality"], 3),
            _number(row["score"], 2),
            _number(row["paid"], 2),
            _number(row["slashed"], 2),
            _number(row["stake"], 2),
            _number(row["reputation"], 2),
        )
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
    console.print(table)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue().rstrip("\n")


def _number(wad: str | None, digits: int) -> str:
    return "–" if wad is None else f"{int(wad) / WAD:.{digits}f}"
