"""A picture of each worker by round: accuracy, precision and recall on its held-out data."""

from pathlib import Path
from typing import Any

METRICS = ("accuracy", "precision", "recall")


def write_workers(record: dict[str, Any], names: dict[str, str], file: Path) -> None:
    """Write the plots of a run record.

    names: of the workers, by their nodes
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, metric in zip(figure.subplots(1, len(METRICS), sharey=True), METRICS, strict=True):
        for node, name in names.items():
            points = [
                (entry["number"], one["metrics"][metric])
                for entry in record["rounds"]
                for one in entry["evaluations"]
                if one["node"] == node
            ]
            axes.plot(*zip(*points, strict=True), marker="o", label=name) if points else None
        axes.set_title(metric)
        axes.set_xlabel("round")
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(file, dpi=120)
