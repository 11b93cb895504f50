"""Measure the quickstart against plain FedAvg and local training: accuracy, bytes, seconds, gas, memory.

Run from the project's root: python -m examples.benchmarks.quickstart [--seeds 7 8 9] [--dataset fashion-mnist]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import psutil

from tools.flower_run import Flower, run, superlink

ROOT = Path(__file__).resolve().parent.parent.parent
APP = ROOT / "examples" / "quickstart"
CLIENTS = 10


@dataclass(frozen=True)
class Measured:
    """One run: accuracy of the global model by round, wall seconds, peak MiB of server and client, run record."""

    accuracy: list[float]
    seconds: float
    server_mib: float
    client_mib: float
    record: dict | None

    @property
    def final(self) -> float:
        """Accuracy after the last round."""
        return self.accuracy[-1]


class MemoryWatch(threading.Thread):
    """Samples the resident memory of a SuperLink's descendants: the simulation's own process, and Ray's workers."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._done = threading.Event()
        self.server = 0
        self.client = 0

    def run(self) -> None:
        """Sample until stopped."""
        while not self._done.wait(0.25):
            for process in self._root.children(recursive=True):
                try:
                    resident, command = process.memory_info().rss, " ".join(process.cmdline())
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
                if command.startswith("ray::ClientAppActor"):
                    self.client = max(self.client, resident)
                elif "flwr-simulation" in command:
                    self.server = max(self.server, resident)

    def stop(self) -> None:
        """Stop sampling."""
        self._done.set()
        self.join()


def measure(flower: Flower, directory: Path, config: dict[str, object]) -> Measured:
    """Run the quickstart app once."""
    watch = MemoryWatch(flower.process.pid)
    watch.start()
    outcome = run(flower, APP, run_config={"run-directory": str(directory), **config}, nodes=CLIENTS)
    watch.stop()
    if not outcome.ok:
        sys.exit(f"a run ended as {outcome.status}:\n{outcome.log[-3000:]}")
    chained = config["strategy"] != "fedavg"
    folder = directory / "latest" if chained else directory
    accuracy = json.loads((folder / "global-model.json").read_text())["accuracy"]
    record = json.loads((folder / "run.json").read_text()) if chained else None
    mib = 1 << 20
    return Measured(list(accuracy.values())[1:], outcome.seconds, watch.server / mib, watch.client / mib, record)


def local_only(config: dict[str, object], seed: int) -> float:
    """Return the mean accuracy of clients that train alone, for as many epochs in all."""
    sys.path.insert(0, str(APP))
    import tomllib

    import torch
    from quickstart import task
    from quickstart.settings import Settings

    with (APP / "pyproject.toml").open("rb") as file:
        defaults = tomllib.load(file)["tool"]["flwr"]["app"]["config"]
    merged = {key.replace("-", "_"): value for key, value in {**defaults, **config, "seed": seed}.items()}
    settings = Settings(**merged)
    test = task.load_splits(settings.dataset, settings.data_folder, settings.public_inputs).test
    accuracies = []
    for partition in range(settings.num_clients):
        torch.manual_seed(seed + partition)
        model = task.Net(task.SIDE[settings.dataset])
        epochs = settings.local_epochs * settings.num_rounds
        task.train(model, task.load_partition(settings, partition), settings, epochs=epochs)
        accuracies.append(task.test(model, test)[1])
    return statistics.fmean(accuracies)


def spread(values: list[float], digits: int) -> str:
    """Return mean ± standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.{digits}f} ± {deviation:.{digits}f}"


def main() -> None:
    """Run everything and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--run-config", nargs="*", default=[], help="KEY=VALUE, as JSON values")
    arguments = parser.parse_args()
    config: dict[str, object] = {}
    if arguments.dataset != "digits":
        config = {"dataset": arguments.dataset, "data-folder": str(ROOT / "data" / arguments.dataset)}
    config.update({key: json.loads(value) for key, value in (pair.split("=", 1) for pair in arguments.run_config)})

    results: defaultdict[str, list[Measured]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, superlink(Path(folder) / "flwr") as flower:
        for seed in arguments.seeds:
            for strategy in ("fedavg", "weights", "soft-labels"):
                directory = Path(folder) / f"{strategy}-{seed}"
                one = measure(flower, directory, {**config, "strategy": strategy, "seed": seed})
                results[strategy].append(one)
                print(f"seed {seed}, {strategy}: {one.final:.4f} in {one.seconds:.1f} s", file=sys.stderr, flush=True)
    alone = [local_only(config, seed) for seed in arguments.seeds]
    report(results, alone)


def report(results: dict[str, list[Measured]], alone: list[float]) -> None:
    """Print the tables."""
    plain = results["fedavg"]
    print("\n| strategy | accuracy of the global model | wall seconds | of plain FedAvg | server peak MiB | client peak MiB |")
    print("|---|---|---|---|---|---|")
    for strategy, runs in results.items():
        ratio = statistics.fmean([r.seconds for r in runs]) / statistics.fmean([r.seconds for r in plain])
        print(f"| {strategy} | {spread([r.final for r in runs], 4)} | {spread([r.seconds for r in runs], 1)} | {ratio:.2f} "
              f"| {max(r.server_mib for r in runs):.0f} | {max(r.client_mib for r in runs):.0f} |")
    print(f"| local only (mean of the clients) | {spread(alone, 4)} | – | – | – | – |")
    gap = [soft.final - avg.final for soft, avg in zip(results["soft-labels"], plain, strict=True)]
    print(f"\nSoft labels minus FedAvg, by seed: {', '.join(f'{100 * g:+.2f}' for g in gap)} points")

    print("\n| strategy | bytes up a client and round | bytes down a client and round (after the first) |\n|---|---|---|")
    for strategy in ("weights", "soft-labels"):
        rounds = results[strategy][0].record["rounds"]
        up, down = rounds[-1]["uplink_bytes"] / CLIENTS, rounds[-1]["downlink_bytes"] / CLIENTS
        print(f"| {strategy} | {up:,.0f} | {down:,.0f} |")

    print("\n| seconds a round (after the first, median) | weights | soft-labels |\n|---|---|---|")
    for phase in ("train", "reveal", "ledger", "aggregate", "evaluate"):
        cells = [statistics.median(r["seconds"].get(phase, 0.0) for run in results[s] for r in run.record["rounds"][1:])
                 for s in ("weights", "soft-labels")]
        print(f"| {phase} | {cells[0]:.3f} | {cells[1]:.3f} |")

    print(f"\n| gas, {CLIENTS} participants | weights | soft-labels |\n|---|---|---|")
    first, last = ([results[s][0].record["rounds"][i]["gas"] for s in ("weights", "soft-labels")] for i in (0, -1))
    for operation in first[1]:
        cells = [(b if operation in b else a).get(operation) for a, b in zip(first, last, strict=True)]
        print(f"| {operation} | " + " | ".join("–" if gas is None else f"{gas:,}" for gas in cells) + " |")


if __name__ == "__main__":
    main()
