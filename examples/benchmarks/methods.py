"""Compare FedSoftLabel with published methods on the same data, partitions, models, seeds and budgets.

Each runs through Flower's own Strategy and ClientApp, all clients in this process. From the project's root:
python -m examples.benchmarks.methods --dataset fashion-mnist --split dirichlet --alpha 0.1
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from examples.benchmarks import report
from examples.benchmarks.data import DATASETS, SPLITS, federate
from examples.benchmarks.measure import Round, measure
from examples.benchmarks.models import MODELS, PRECISIONS, count_parameters
from examples.benchmarks.peer_weights import peer_prediction
from examples.benchmarks.peers.dsfl import dsfl
from examples.benchmarks.peers.fedavg import fedavg, fedprox
from examples.benchmarks.peers.feddf import feddf
from examples.benchmarks.peers.fedmd import fedmd, fedmd_labelled
from examples.benchmarks.peers.local import local
from examples.benchmarks.soft_label import soft_label, soft_label_cvae
from examples.benchmarks.task import Budget, Method, Task
from flwr_chainfl.errors import ConfigError

METHODS: dict[str, Callable[[Task], Method]] = {
    "fedavg": fedavg,
    "fedprox": fedprox,
    "feddf": feddf,
    "fedmd": fedmd,
    "fedmd-labelled": fedmd_labelled,
    "dsfl": dsfl,
    "local": local,
    "soft-label": soft_label,
    "soft-label-cvae": soft_label_cvae,
    "peer-prediction": peer_prediction,
}
_DEFAULT = [name for name in METHODS if name not in ("fedmd-labelled", "soft-label-cvae", "peer-prediction")]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--methods", nargs="+", choices=METHODS, default=_DEFAULT)
    add("--seeds", type=int, nargs="+", default=[7, 8, 9])
    add("--dataset", choices=DATASETS, default="digits")
    add("--data", type=Path, default=Path("data"), help="the folder with a folder of idx files for each data set")
    add("--train", type=int, help="draw so many training images, before the public inputs are taken out of them")
    add("--test", type=int, help="draw so many test images")
    add("--public", type=float, default=400, help="public inputs: a number, or below 1 a share of the training images")
    add("--split", choices=SPLITS, default="dirichlet")
    add("--alpha", type=float, default=0.5, help="of the Dirichlet split: smaller is more skewed")
    add("--clients", type=int, default=10)
    add("--rounds", type=int, default=6)
    add("--local-epochs", type=int, default=1)
    add("--distill-epochs", type=int, default=2, help="a round, of a client on the public inputs")
    add("--student-epochs", type=int, default=5, help="a round, of a server's model on the public inputs")
    add("--batch-size", type=int, default=64)
    add("--lr", type=float, default=1e-3, help="of Adam, in training and in distilling")
    add("--model", choices=MODELS, default="cnn")
    add("--client-models", nargs="+", choices=MODELS, default=[], help="models of the clients, in turn, if not --model")
    add("--proximal-mu", type=float, default=0.01, help="of FedProx")
    add("--free-riders", type=int, default=0, help="clients that do not train; methods in which weights travel")
    add("--free-rider-noise", type=float, default=0.0, help="standard deviation of what they add to the weights they got")
    add("--signals", type=int, default=500, help="parameters that peer prediction looks at")
    add("--softmax-alpha", type=float, default=10.0, help="of its weights from scores; 0: those of FedAvg")
    add("--above-chance", action="store_true", help="its weights: all alike that score above chance, in place of a softmax")
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="FedSoftLabel's `distillation`, values as JSON")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add("--precision", choices=PRECISIONS, default="float32", help="of the models' arithmetic, for every method alike")
    add("--threads", type=int, help="of torch; all cores when left out")
    add("--out", type=Path, metavar="FILE.json", help="write every figure and the settings; rewritten after each run")
    add("--verbose", action="store_true", help="show Flower's log")
    return parser.parse_args(arguments)


def main() -> None:
    """Run everything, print Markdown tables; exit with 1 when a method failed."""
    options = parse()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if not options.verbose:
        logging.getLogger("flwr").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", message="The specified min_partition_size")
    results: dict[str, list[list[Round]]] = {name: [] for name in options.methods}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            try:
                task = make_task(options, seed, Path(scratch))
            except (ConfigError, FileNotFoundError, ValueError) as error:
                sys.exit(f"seed {seed}: {error}")
            for name in options.methods:
                if name in failures:
                    continue
                try:
                    rounds = measure(METHODS[name](task), task)
                except Exception as error:  # noqa: BLE001 - one broken method leaves the others' figures standing
                    traceback.print_exc()
                    failures[name] = f"seed {seed}: {type(error).__name__}: {error}"
                    continue
                results[name].append(rounds)
                print(_progress(seed, name, rounds), file=sys.stderr, flush=True)
                if options.out is not None:
                    write(options.out, options, task, results, failures)
    show(options, task, {name: runs for name, runs in results.items() if runs and name not in failures}, failures)
    if options.out is not None:
        write(options.out, options, task, results, failures)
    sys.exit(1 if failures else 0)


def make_task(options: argparse.Namespace, seed: int, scratch: Path) -> Task:
    """Return a seed's task.

    Raises ConfigError or FileNotFoundError where the options or the data do not allow one.
    """
    data = federate(
        options.dataset, options.data, split=options.split, alpha=options.alpha, clients=options.clients,
        public=options.public, train=options.train, test=options.test, seed=seed,
    )  # fmt: skip
    budget = Budget(
        rounds=options.rounds, local_epochs=options.local_epochs, distill_epochs=options.distill_epochs,
        student_epochs=options.student_epochs, batch_size=options.batch_size, learning_rate=options.lr,
    )  # fmt: skip
    return Task(
        data, budget, model=options.model, client_models=tuple(options.client_models), seed=seed,
        device=_device(options.device), scratch=scratch, proximal_mu=options.proximal_mu,
        distillation=_settings(options.set), precision=options.precision, free_riders=options.free_riders,
        free_rider_noise=options.free_rider_noise, signals=options.signals,
        softmax_alpha=None if options.above_chance else options.softmax_alpha,
    )  # fmt: skip


def show(
    options: argparse.Namespace, task: Task, results: dict[str, list[list[Round]]], failures: dict[str, str]
) -> None:
    """Print the tables."""
    data, split = task.data, options.split + (f"({options.alpha:g})" if options.split == "dirichlet" else "")
    print(
        f"\n{options.dataset}, {split}, {task.clients} clients with {sum(len(p.labels) for p in data.private):,} private "
        f"images, {len(data.public.labels):,} public inputs, {len(data.test.labels):,} test images; {options.model} "
        f"({count_parameters(task.make_model()):,} parameters), {options.rounds} rounds, seeds "
        f"{' '.join(map(str, options.seeds))}, {options.precision}, {task.device}\n"
    )
    if results:
        print(report.summary(results))
        print("\nServer model by round:\n\n" + report.by_round(results, lambda one: one.server))
        print("\nMean of the clients by round:\n\n" + report.by_round(results, lambda one: one.mean_client))
        if len(options.seeds) > 1:
            print("\nServer model / mean of the clients by seed:\n\n" + report.by_seed(results, options.seeds))
    for name, reason in failures.items():
        print(f"\n{name} failed, {reason}")


def write(
    file: Path, options: argparse.Namespace, task: Task, results: dict[str, list[list[Round]]], failures: dict[str, str]
) -> None:
    """Write settings and raw figures as JSON."""
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    runs = [
        {"method": name, "seed": seed, "rounds": [asdict(one) for one in rounds]}
        for name, by_seed in results.items()
        for seed, rounds in zip(options.seeds, by_seed, strict=False)
    ]
    facts = {
        "parameters": count_parameters(task.make_model()),
        "public-inputs": len(task.data.public.labels),
        "device": str(task.device),
        "torch-threads": torch.get_num_threads(),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"settings": settings, "facts": facts, "runs": runs, "failures": failures}, indent=1))


def _settings(pairs: list[str]) -> dict[str, Any]:
    """Return KEY=VALUE pairs as a dict; a value that is no JSON is text.

    Raises ConfigError when a pair has no value.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ConfigError(f"--set got {pair!r}; KEY=VALUE is needed, such as epochs=4")
        try:
            settings[key.replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            settings[key.replace("-", "_")] = value
    return settings


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device is cuda and torch sees no GPU; use --device auto")
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def _progress(seed: int, name: str, rounds: list[Round]) -> str:
    last = rounds[-1]
    server = "–" if last.server is None else f"{last.server:.4f}"
    return (
        f"seed {seed}, {name}: server {server}, clients {last.mean_client:.4f}, "
        f"{sum(one.seconds for one in rounds):.1f} s without testing"
    )


if __name__ == "__main__":
    main()
