"""Measure label aggregations and peer truth serums: accuracy on simulated and real labels, pay, run time.

Run from the project's root:

    python -m examples.benchmarks.label_aggregation [--seeds 20] [--tasks 2000]   simulated participants, and their pay
    python -m examples.benchmarks.label_aggregation --real digits                 labels that small classifiers give
    python -m examples.benchmarks.label_aggregation --timing                      against crowd-kit's Dawid-Skene

Crowd-kit is no dependency. It runs with: pip install --no-deps crowd-kit nltk defusedxml
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.benchmarks.data import CLASSES, DATASETS, Data, federate
from examples.benchmarks.label_scenarios import (
    SCENARIOS,
    TASKS,
    Scenario,
    honest_reports,
    scenario,
    skilled_reports,
)
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import AGGREGATIONS, Aggregation, bayes_two_pass, pack_calibration, usable
from flwr_chainfl.rewards import PayFacts, Proportional
from flwr_chainfl.scoring import Facts, PeerTruthSerum, Scorer, WeightedPeerTruthSerum, chance_level

ROOT = Path(__file__).resolve().parent.parent.parent
CALIBRATION_SHARE = 0.02
METHODS: Mapping[str, Callable[..., Aggregation]] = {
    **AGGREGATIONS,
    "bayes-two-pass, plain prior": partial(bayes_two_pass, prior="plain"),
}


def accuracy(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Return the share of labels that are true."""
    return float((found == truth).mean())


def table(title: str, rows: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Print a Markdown table of mean and worst by row and column."""
    columns = list(next(iter(rows.values())))
    print(f"\n| {title} | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(f'{statistics.fmean(c):.3f} ({min(c):.2f})' for c in cells.values())} |", flush=True)


def calibration_items(generator: np.random.Generator, truth: NDArray[np.uint8]) -> bytes:
    """Return calibration items for a share of the tasks."""
    positions = generator.choice(len(truth), round(CALIBRATION_SHARE * len(truth)), replace=False)
    return pack_calibration(positions, truth[positions])


def simulated(seeds: int, tasks: int) -> None:
    """Print the accuracy of each aggregation in each scenario, and with calibration where participants relabel."""
    rows: dict[str, dict[str, list[float]]] = {}
    for name in SCENARIOS:
        cells: dict[str, list[float]] = {method: [] for method in METHODS}
        calibrated: dict[str, list[float]] = {method: [] for method in METHODS}
        for seed in range(seeds):
            made = scenario(name, seed, tasks=tasks)
            items = calibration_items(np.random.default_rng([seed, 1]), made.truth)
            counted = made.reports[usable(made.reports, classes=CLASSES, calibration=items)]
            for method, aggregate in METHODS.items():
                cells[method].append(accuracy(aggregate(made.reports, classes=CLASSES).labels, made.truth))
                if "relabel" in name:
                    calibrated[method].append(accuracy(aggregate(counted, classes=CLASSES).labels, made.truth))
        rows[name] = cells
        if "relabel" in name:
            rows[f"{name}, calibrated"] = calibrated
    table(f"mean (worst) of {seeds} seeds, {tasks} tasks", rows)


def pay(seeds: int, tasks: int) -> None:
    """Print scores and pay of the honest and of the others, by formula, with calibration and without."""
    scorers: dict[str, Scorer] = {
        "unweighted": PeerTruthSerum(classes=CLASSES, tasks=tasks),
        "weighted": WeightedPeerTruthSerum(classes=CLASSES, tasks=tasks),
    }
    print(f"\n| of {seeds} seeds | formula | calibration | honest: score, mean (least) | others: score, mean (most) "
          f"| share of the pay to the others |\n|{'---|' * 6}")
    for name in SCENARIOS:
        for formula, scorer in scorers.items():
            for calibrated in (False, True) if formula == "weighted" else (False,):
                print(f"| {name} | {formula} | {'on' if calibrated else 'off'} | "
                      f"{_pay_cells(name, scorer, calibrated, seeds, tasks)} |", flush=True)


def _pay_cells(name: str, scorer: Scorer, calibrated: bool, seeds: int, tasks: int) -> str:
    honest: list[float] = []
    others: list[float] = []
    shares: list[float] = []
    schedule = Proportional(minimum_score=chance_level(tasks=tasks, classes=CLASSES))
    for seed in range(seeds):
        made = scenario(name, seed, tasks=tasks)
        items = calibration_items(np.random.default_rng([seed, 1]), made.truth) if calibrated else b""
        scores = scorer.score([row.tobytes() for row in made.reports], Facts(samples=[1] * len(made.reports), calibration=items)).scores
        honest += [score / WAD for score in scores[: made.honest]]
        others += [score / WAD for score in scores[made.honest :]]
        paid = schedule.split(WAD, 0, scores, PayFacts())
        shares.append(sum(paid[made.honest :]) / max(1, sum(paid)))
    mine = f"{statistics.fmean(honest):.2f} ({min(honest):.2f})"
    if not others:
        return f"{mine} | – | –"
    return f"{mine} | {statistics.fmean(others):.2f} ({max(others):.2f}) | {statistics.fmean(shares):.3f}"


def classifier_labels(private: tuple[Data, ...], public: Data) -> NDArray[np.uint8]:
    """Return the labels that small classifiers give, each trained on one part: uint8 (parts, public inputs)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    makers = (
        lambda: LogisticRegression(max_iter=200),
        lambda: DecisionTreeClassifier(random_state=0),
        lambda: GaussianNB(var_smoothing=1e-2),
        lambda: KNeighborsClassifier(3),
    )
    inputs = public.images.reshape(len(public.images), -1)
    reports = []
    for index, part in enumerate(private):
        if len(set(part.labels.tolist())) == 1:
            reports.append(np.full(len(inputs), part.labels[0]))
            continue
        model = makers[index % len(makers)]()
        if isinstance(model, KNeighborsClassifier) and len(part.labels) < 3:
            model = KNeighborsClassifier(1)
        reports.append(model.fit(part.images.reshape(len(part.images), -1), part.labels).predict(inputs))
    return np.array(reports, dtype=np.uint8)


def real(dataset: str, folder: Path, seeds: int, clients: int) -> None:
    """Print the accuracy of each aggregation on labels of real inputs by classifiers trained on skewed parts."""
    sizes = {} if dataset == "digits" else {"train": 6000, "test": 100}
    rows: dict[str, dict[str, list[float]]] = {}
    splits = {f"Dirichlet({alpha})": ("dirichlet", alpha) for alpha in (0.1, 0.3, 0.5, 1.0)}
    for name, (split, alpha) in {**splits, "IID": ("iid", 1.0), "one class each": ("one-class", 1.0)}.items():
        cells: dict[str, list[float]] = {method: [] for method in METHODS}
        for seed in range(seeds):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that a partition was drawn again, or a classifier has not converged
                data = federate(dataset, folder, split=split, alpha=alpha, clients=clients, public=0.5,
                                train=sizes.get("train"), test=sizes.get("test"), seed=seed)
                reports = classifier_labels(data.private, data.public)
            for method, aggregate in METHODS.items():
                found = aggregate(reports, classes=CLASSES).labels
                cells[method].append(accuracy(found, data.public.labels.astype(np.uint8)))
        rows[name] = cells
    table(f"{dataset}, {clients} classifiers, mean (worst) of {seeds} seeds", rows)


def timing() -> None:
    """Print CPU seconds and accuracy against crowd-kit's Dawid-Skene, least of as many repeats for each, in one process."""
    try:
        import pandas as pd
        from crowdkit.aggregation import DawidSkene
    except ImportError as error:
        sys.exit(f"{error.name} is missing; crowd-kit runs with: pip install --no-deps crowd-kit nltk defusedxml")
    tasks = 5000
    print("\n| participants | labels | Dawid-Skene: s | accuracy | iterations "
          + "".join(f"| {name}: s | accuracy | times faster " for name in AGGREGATIONS) + f"|\n|{'---|' * 20}")
    for participants in (10, 100, 1000):
        for kind in ("honest", "class skill Dirichlet(0.1)"):
            made = _timed_scenario(kind, participants, tasks)
            repeats = 3 if participants == 1000 else 20
            frame = pd.DataFrame({
                "task": np.tile(np.arange(tasks), participants),
                "worker": np.repeat(np.arange(participants), tasks),
                "label": made.reports.ravel(),
            })
            peer = DawidSkene(n_iter=100)
            seconds, found = _least(lambda: peer.fit_predict(frame), repeats)  # noqa: B023
            right = accuracy(found.loc[np.arange(tasks)].to_numpy(), made.truth)
            cells = f"| {participants} | {kind} | {seconds:.3f} | {right:.4f} | {len(peer.loss_history_)} "
            for aggregate in AGGREGATIONS.values():
                own, result = _least(lambda: aggregate(made.reports, classes=CLASSES), repeats)  # noqa: B023
                cells += f"| {own:.4f} | {accuracy(result.labels, made.truth):.4f} | {seconds / own:.0f} "
            print(cells + "|", flush=True)


def _timed_scenario(kind: str, participants: int, tasks: int) -> Scenario:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, CLASSES, tasks).astype(np.uint8)
    if kind == "honest":
        reports = honest_reports(generator, truth, generator.uniform(0.35, 0.9, participants))
    else:
        reports = skilled_reports(generator, truth, participants=participants, alpha=0.1)
    return Scenario(reports, participants, truth)


def _least(call: Callable[[], object], repeats: int) -> tuple[float, object]:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def main() -> None:
    """Print what was asked for as Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--real", choices=DATASETS, nargs="+", default=[])
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="folder of MNIST and Fashion-MNIST")
    parser.add_argument("--timing", action="store_true")
    arguments = parser.parse_args()
    for dataset in arguments.real:
        real(dataset, arguments.data, arguments.seeds, arguments.clients)
    if arguments.timing:
        timing()
    if not arguments.real and not arguments.timing:
        simulated(arguments.seeds, arguments.tasks)
        pay(arguments.seeds, arguments.tasks)


if __name__ == "__main__":
    main()
