"""Markdown tables of measured methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, stdev

from examples.benchmarks.measure import Round

Runs = Sequence[Sequence[Round]]
"""A method's rounds, by seed."""


def spread(values: Sequence[float], digits: int) -> str:
    """Return mean ± sample standard deviation, the mean alone of one value.

    >>> spread([0.5, 0.7], 2), spread([3], 1)
    ('0.60 ± 0.14', '3.0')
    """
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{fmean(values):.{digits}f} ± {stdev(values):.{digits}f}"


def summary(results: dict[str, Runs]) -> str:
    """Return one row a method: accuracies after the last round, bytes and seconds of a round after the first.

    Bytes down are of the training messages and of the evaluation messages; either may bring what is to be learnt.
    Where there is one round only, its bytes and seconds are told.
    """
    lines = [
        "| method | server model | clients, mean | bytes up | bytes down, training | evaluation | seconds a round |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, runs in results.items():
        later = [one for rounds in runs for one in (rounds[1:] or rounds)]
        lines.append(
            f"| {method} | {_accuracy([rounds[-1].server for rounds in runs])} "
            f"| {_accuracy([rounds[-1].mean_client for rounds in runs])} "
            f"| {fmean(one.up for one in later):,.0f} | {fmean(one.down for one in later):,.0f} "
            f"| {fmean(one.evaluate_down for one in later):,.0f} | {fmean(one.seconds for one in later):.1f} |"
        )
    return "\n".join(lines)


def by_round(results: dict[str, Runs], value: Callable[[Round], float | None]) -> str:
    """Return one row a method, one column a round."""
    rounds = len(next(iter(results.values()))[0])
    lines = ["| method | " + " | ".join(str(i + 1) for i in range(rounds)) + " |", "|---" * (rounds + 1) + "|"]
    for method, runs in results.items():
        cells = [_accuracy([value(run[i]) for run in runs]) for i in range(rounds)]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_seed(results: dict[str, Runs], seeds: Sequence[int]) -> str:
    """Return one row a method, one column a seed: the last round's server and mean client accuracy."""
    lines = ["| method | " + " | ".join(f"seed {seed}" for seed in seeds) + " |", "|---" * (len(seeds) + 1) + "|"]
    for method, runs in results.items():
        cells = [f"{_accuracy([run[-1].server])} / {run[-1].mean_client:.4f}" for run in runs]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _accuracy(values: Sequence[float | None]) -> str:
    found = [value for value in values if value is not None]
    return spread(found, 4) if found else "–"
