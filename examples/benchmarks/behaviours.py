"""Who earns what: FedSoftLabel with clients that do no work or work against it, through the ordinary messages.

From the project's root: python -m examples.benchmarks.behaviours [--counts 1 2 3 4] [--seeds 7 8 9]
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from flwr.app import Context
from numpy.typing import NDArray
from torch import nn

from examples.benchmarks import methods
from examples.benchmarks.measure import measure
from examples.benchmarks.report import spread
from examples.benchmarks.soft_label import Predict, soft_label
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import LabelFormat

CLASSES = 10


def constant(model: nn.Module, inputs: NDArray[Any], context: Context) -> NDArray[np.float32]:
    """Report one class for everything."""
    return np.eye(CLASSES, dtype=np.float32)[np.full(len(inputs), 3)]


def at_random(model: nn.Module, inputs: NDArray[Any], context: Context) -> NDArray[np.float32]:
    """Report a random class for each input."""
    return np.eye(CLASSES, dtype=np.float32)[torch.randint(CLASSES, (len(inputs),)).numpy()]


def relabelling(model: nn.Module, inputs: NDArray[Any], context: Context) -> NDArray[np.float32]:
    """Report honest predictions with each class called the next one; all that do so agree with each other."""
    from flwr_chainfl.distillation import predict

    return np.roll(predict(model, inputs), 1, axis=1)


def copying(model: nn.Module, inputs: NDArray[Any], context: Context) -> NDArray[np.float32]:
    """Report the last consensus, which the server sent; at random before there is one."""
    state = context.state.config_records.get("chainfl.consensus")
    if state is None:
        return at_random(model, inputs, context)
    stored = state["consensus"]
    assert isinstance(stored, bytes)
    return LabelFormat(len(inputs), CLASSES, 8).unpack(stored)


BEHAVIOURS: dict[str, Predict] = {
    "constant": constant,
    "random": at_random,
    "relabelling": relabelling,
    "copying": copying,
}


def run(options: argparse.Namespace, seed: int, behaviour: str, count: int, calibrated: bool) -> dict[str, float]:
    """Return accuracy and mean pay a round of the honest and of the others, in tokens, with what they counted."""
    with tempfile.TemporaryDirectory() as scratch:
        task = methods.make_task(options, seed, Path(scratch))
        known = task.data.public.labels.astype(np.uint8) if calibrated else None
        method = soft_label(
            task, predict={partition: BEHAVIOURS[behaviour] for partition in range(count)}, known_labels=known,
            calibration_share=options.calibration,
        )  # fmt: skip
        rounds = measure(method, task)
        directory = method.strategy.run_directory  # type: ignore[attr-defined]
        record = json.loads((directory / "run.json").read_text())
    bad = {str(1000 + partition) for partition in range(count)}
    paid: dict[bool, list[float]] = {True: [], False: []}
    repute: dict[bool, list[float]] = {True: [], False: []}
    for participant in record["participants"]:
        honest = participant["node"] not in bad
        paid[honest].append(int(participant["paid"]) / WAD / len(record["rounds"]))
        repute[honest].append(int(participant["reputation"]) / WAD)
    return {
        "server": rounds[-1].server or 0.0,
        "honest": fmean(paid[True]),
        "others": fmean(paid[False]) if paid[False] else 0.0,
        "honest-reputation": fmean(repute[True]),
        "others-reputation": fmean(repute[False]) if repute[False] else 0.0,
    }


def main() -> None:
    """Run all and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--behaviours", nargs="+", choices=BEHAVIOURS, default=list(BEHAVIOURS))
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--calibration", type=float, default=0.05, help="share of the public inputs, where it is on")
    own, rest = parser.parse_known_args()
    options = methods.parse(rest)
    options.calibration = own.calibration
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="The specified min_partition_size")
    print("| behaviour | of 10 | calibration | server model | pay, honest | pay, these | reputation, honest | these |")
    print("|---|---|---|---|---|---|---|---|")
    cases: list[tuple[str, int]] = [(own.behaviours[0], 0)]
    cases += [(name, count) for name in own.behaviours for count in own.counts]
    for behaviour, count in cases:
        for calibrated in (False, True):
            found = [run(options, seed, behaviour, count, calibrated) for seed in options.seeds]
            print(_row("none" if count == 0 else behaviour, count, calibrated, found), flush=True)


def _row(name: str, count: int, calibrated: bool, found: list[dict[str, float]]) -> str:
    cell: Callable[[str, int], str] = lambda key, digits: spread([one[key] for one in found], digits)
    others = (cell("others", 1), cell("others-reputation", 2)) if count else ("–", "–")
    return (
        f"| {name} | {count} | {'on' if calibrated else 'off'} | {cell('server', 4)} | {cell('honest', 1)} | {others[0]} "
        f"| {cell('honest-reputation', 2)} | {others[1]} |"
    )


if __name__ == "__main__":
    sys.exit(main())
