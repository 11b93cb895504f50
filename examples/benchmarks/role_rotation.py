"""Measure role rotation: accuracy under attack against FedAvg, who is accepted and paid, false rejections, wall time.

Run from the project's root, each prints a Markdown table (and `threshold` writes a plot):

    python -m examples.benchmarks.role_rotation accuracy --data-folder data/mnist --rounds 100
    python -m examples.benchmarks.role_rotation malicious
    python -m examples.benchmarks.role_rotation threshold --data-folder data/mnist --plot docs/figures/role-rotation-threshold.png
    python -m examples.benchmarks.role_rotation seconds
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord, Context, MetricRecord, RecordDict

from examples.benchmarks.grid import RUN_ID, LocalGrid, Node, act_as_server
from flwr_chainfl.fixedpoint import WAD

APP = Path(__file__).resolve().parent.parent / "role_rotation"
sys.path.insert(0, str(APP))

import itertools

from role_rotation.client_app import app as client_app
from role_rotation.server_app import make_strategy
from role_rotation.settings import Settings
from role_rotation.task import SIDE, Net, load, test

from flwr_chainfl import Wallet

MNIST: dict[str, Any] = {
    "dataset": "mnist", "local-epochs": 1, "learning-rate": 0.001, "batch-size": 10, "threshold": 0.08,
}


@dataclass(frozen=True)
class Measured:
    """One run: accuracy of the global model by round, from round 0; wall seconds of each round; the run record."""

    accuracy: list[float]
    seconds: list[float]
    record: dict[str, Any] | None
    settings: Settings = field(repr=False)

    @property
    def names(self) -> dict[str, int]:
        """Client by address."""
        count = self.settings.num_clients
        return {Wallet.derived(self.settings.seed, f"participant {i}").address: i for i in range(count)}


def measure(**changes: Any) -> Measured:
    """Run the example's app in this process, with its defaults but for the changes (keys as in the run-config)."""
    with (APP / "pyproject.toml").open("rb") as file:
        config = {**tomllib.load(file)["tool"]["flwr"]["app"]["config"], **changes}
    act_as_server()
    with tempfile.TemporaryDirectory() as folder:
        config["run-directory"] = folder
        settings = Settings(**{key.replace("-", "_"): value for key, value in config.items()})
        grid = LocalGrid.of(_node(i, settings.num_clients, config) for i in range(settings.num_clients))
        _, test_data = load(settings.dataset, settings.data_folder)
        torch.manual_seed(settings.seed)
        model = Net(SIDE[settings.dataset])
        strategy = make_strategy(settings)
        accuracy: list[float] = []
        ends: list[float] = []

        def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
            began = time.perf_counter()
            net = Net(SIDE[settings.dataset])
            net.load_state_dict(arrays.to_torch_state_dict())
            accuracy.append(test(net, test_data)[1])
            ends.append(began)
            return MetricRecord({"accuracy": accuracy[-1]})

        strategy.start(
            grid, ArrayRecord(model.state_dict()), num_rounds=settings.num_rounds, evaluate_fn=evaluate
        )
        directory = getattr(strategy, "run_directory", None)
        record = json.loads((directory / "run.json").read_text()) if directory is not None else None
    return Measured(accuracy, [b - a for a, b in itertools.pairwise(ends)], record, settings)


def _node(partition: int, partitions: int, config: dict[str, Any]) -> Node:
    context = Context(
        run_id=RUN_ID, node_id=1000 + partition, state=RecordDict(), run_config=dict(config),
        node_config={"partition-id": partition, "num-partitions": partitions},
    )  # fmt: skip
    return Node(client_app, context)


@dataclass(frozen=True)
class Judged:
    """What became of workers, by kind: accepted of all rounds as a worker; tokens a participant earned in the mean; votes
    of malicious validators that went against what the round decided, of all that they cast.
    """

    malicious: tuple[int, int]
    honest: tuple[int, int]
    malicious_income: float
    honest_income: float
    against: tuple[int, int]
    unsealed: int


def judged(one: Measured) -> Judged:
    """Count over a run's rounds; the first one, in which all models are alike, is left out."""
    assert one.record is not None
    names, bad = one.names, one.settings.malicious
    counts = {True: [0, 0], False: [0, 0]}
    against = [0, 0]
    threshold = int(one.settings.threshold * WAD)
    for entry in one.record["rounds"][1:]:
        accepted = set(entry["accepted"] or [])
        task = one.record["ledger"]["task"]
        workers = [c["address"] for c in entry["contributions"] if entry["roles"].get(c["address"]) == "worker"]
        for worker in workers:
            kind = counts[names[worker] < bad]
            kind[0] += worker in accepted
            kind[1] += 1
        for validator, marks in entry["marks"].items():
            if names[validator] >= bad or task not in marks:
                continue
            for worker in workers:
                if worker in marks:
                    negative = int(marks[task]) - int(marks[worker]) > threshold
                    against[0] += negative == (worker in accepted)
                    against[1] += 1
    income = {True: [0.0], False: [0.0]}
    for person in one.record["participants"]:
        income[names[person["address"]] < bad].append(int(person["paid"]) / WAD)
    means = {kind: sum(paid) / max(1, len(paid) - 1) for kind, paid in income.items()}
    return Judged(
        (counts[True][0], counts[True][1]), (counts[False][0], counts[False][1]), means[True], means[False],
        (against[0], against[1]), sum(entry["seal"] is None for entry in one.record["rounds"]),
    )  # fmt: skip


def _share(pair: tuple[int, int]) -> str:
    return f"{100 * pair[0] / pair[1]:.0f} % of {pair[1]}" if pair[1] else "–"


def compare_accuracy(data_folder: str, rounds: int, changes: dict[str, Any]) -> None:
    """Print accuracy by round of role rotation and FedAvg under the same attack, and of FedAvg without one."""
    base = {**MNIST, "data-folder": data_folder, "num-rounds": rounds, "keep-content": False, **changes}
    runs = {}
    for strategy, malicious in (("role-rotation", 3), ("fedavg", 3), ("fedavg", 0)):
        runs[strategy, malicious] = one = measure(**base, strategy=strategy, malicious=malicious)
        print(f"{strategy}, {malicious} malicious: {one.accuracy[-1]:.4f}, {statistics.median(one.seconds):.1f} s a round",
              file=sys.stderr, flush=True)
    shown = sorted({r for r in (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, rounds) if r <= rounds})
    print("| strategy | malicious | " + " | ".join(f"round {r}" for r in shown) + " |")
    print("|---|---|" + "---|" * len(shown))
    for (strategy, malicious), one in runs.items():
        print(f"| {strategy} | {malicious} | " + " | ".join(f"{one.accuracy[r]:.3f}" for r in shown) + " |")
    outcome = judged(runs["role-rotation", 3])
    print(f"\nmalicious workers accepted: {_share(outcome.malicious)}; honest rejected: "
          f"{_share((outcome.honest[1] - outcome.honest[0], outcome.honest[1]))}; rounds without a seal: {outcome.unsealed}")


def compare_malicious(rounds: int, changes: dict[str, Any]) -> None:
    """Print who was accepted and paid, by number of malicious clients."""
    print("| malicious | accuracy | malicious accepted | honest rejected | a malicious one's income | an honest one's | "
          "malicious votes against the outcome |\n|---|---|---|---|---|---|---|")
    for malicious in range(10):
        one = measure(**{"num-rounds": rounds, "malicious": malicious, "behaviour": "noise-flip", "keep-content": False, **changes})
        found = judged(one)
        rejected = (found.honest[1] - found.honest[0], found.honest[1])
        print(f"| {malicious} | {one.accuracy[-1]:.3f} | {_share(found.malicious)} | {_share(rejected)} | "
              f"{found.malicious_income:.0f} | {found.honest_income:.0f} | {_share(found.against)} |", flush=True)


def compare_thresholds(data_folder: str, rounds: int, plot: Path | None, changes: dict[str, Any]) -> None:
    """Print, and plot, how many honest workers the votes reject over the threshold, by reference and held-out data.

    All clients are honest and all are accepted, whatever the votes say; the votes are then counted at each threshold from the
    marks in the run record, so that all thresholds see the same models.
    """
    thresholds = [0.0, 0.02, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5]
    lines: dict[str, list[float]] = {}
    print("| reference | judged on | " + " | ".join(f"δ {t:g}" for t in thresholds) + " | accuracy, last round |")
    print("|---|---|" + "---|" * (len(thresholds) + 1))
    for retrained, held_out in ((True, "shared"), (False, "shared"), (False, "own")):
        one = measure(**{
            **MNIST, "data-folder": data_folder, "num-rounds": rounds, "threshold": 1.0, "retrained": retrained,
            "held-out": held_out, "malicious": 0, "keep-content": False, "exclude-after": 0, **changes,
        })  # fmt: skip
        reference = "retrained" if retrained else "last global model"
        judged_on = "all classes" if held_out == "shared" else "its own two classes"
        rejected = [_rejected(one, threshold) for threshold in thresholds]
        lines[f"{reference}, {judged_on}"] = rejected
        print(f"| {reference} | {judged_on} | " + " | ".join(f"{100 * share:.0f} %" for share in rejected)
              + f" | {one.accuracy[-1]:.3f} |", flush=True)
    if plot is not None:
        _plot(thresholds, lines, plot)


def _rejected(one: Measured, threshold: float) -> float:
    """Return the share of workers that the votes reject at a threshold, from the second round on."""
    assert one.record is not None
    task = one.record["ledger"]["task"]
    rejected = workers = 0
    for entry in one.record["rounds"][1:]:
        for worker, role in entry["roles"].items():
            votes = [
                int(marks[task]) - int(marks[worker]) > threshold * WAD
                for marks in entry["marks"].values() if worker in marks
            ]  # fmt: skip
            if role == "worker" and votes:
                workers += 1
                rejected += 2 * sum(votes) > len(votes)
    return rejected / max(1, workers)


def _plot(thresholds: Sequence[float], lines: dict[str, list[float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, values in lines.items():
        axes.plot(thresholds, [100 * value for value in values], marker="o", label=name)
    axes.set(title="Honest workers rejected", xlabel="threshold δ", ylabel="%", ylim=(-3, 103))
    axes.legend(title="reference, judged on")
    figure.savefig(path, dpi=110)


def compare_seconds(rounds: int, changes: dict[str, Any]) -> None:
    """Print the wall time of a round by strategy, one process, the same local epochs."""
    print("| strategy | seconds a round (median) | of plain FedAvg |\n|---|---|---|")
    plain = 0.0
    for strategy, retrained in (("fedavg", False), ("role-rotation", False), ("role-rotation", True)):
        one = measure(**{"num-rounds": rounds, "strategy": strategy, "retrained": retrained, "malicious": 0, **changes})
        seconds = statistics.median(one.seconds[1:])
        plain = plain or seconds
        name = strategy + (", retrained reference" if retrained else "")
        print(f"| {name} | {seconds:.2f} | {seconds / plain:.2f} |", flush=True)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["accuracy", "malicious", "threshold", "seconds"])
    parser.add_argument("--data-folder", default="data/mnist")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--run-config", nargs="*", default=[], help="KEY=VALUE, as JSON values")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    changes = {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in arguments.run_config)}
    if arguments.what == "accuracy":
        compare_accuracy(arguments.data_folder, arguments.rounds, changes)
    elif arguments.what == "malicious":
        compare_malicious(arguments.rounds, changes)
    elif arguments.what == "threshold":
        compare_thresholds(arguments.data_folder, arguments.rounds, arguments.plot, changes)
    else:
        compare_seconds(arguments.rounds, changes)


if __name__ == "__main__":
    main()
