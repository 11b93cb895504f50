"""Two pictures of a run: accuracy by round, and rewards by participant."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

from flwr_chainfl.fixedpoint import WAD


def write_plots(record: dict[str, Any], directory: Path) -> list[Path]:
    """Write accuracy.png and rewards.png of a run record and return their paths."""
    return [_accuracy(record, directory / "accuracy.png"), _rewards(record, directory / "rewards.png")]


def _figure(title: str, x: str, y: str) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _accuracy(record: dict[str, Any], file: Path) -> Path:
    figure, axes = _figure(f"{record['protocol']}: accuracy of the clients", "round", "accuracy")
    rounds = [r for r in record["rounds"] if r["accuracy"] is not None]
    axes.plot([r["number"] for r in rounds], [r["accuracy"] for r in rounds], marker="o", color="tab:blue")
    axes.set_ylim(0, 1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(file, dpi=120)
    return file


def _rewards(record: dict[str, Any], file: Path) -> Path:
    figure, axes = _figure(f"{record['protocol']}: rewards", "round", "tokens earned so far")
    numbers = [0, *(r["number"] for r in record["rounds"])]
    by_pay = sorted(record["participants"], key=lambda p: -int(p["paid"]))
    colours = _colours(len(by_pay))
    for participant, colour in zip(by_pay, colours, strict=True):
        pays = [
            sum(int(c["paid"]) for c in r["contributions"] if c["address"] == participant["address"]) / WAD
            for r in record["rounds"]
        ]
        axes.plot(numbers, [0.0, *accumulate(pays)], color=colour, label=f"{participant['address'][:8]}…")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if 0 < len(by_pay) <= 20:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")
    figure.savefig(file, dpi=120)
    return file


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["viridis"](index / max(count, 1)) for index in range(count)]
