"""Pay by behaviour under alignment alone, with consistency, with Shapley: docs/benchmarks.md, "Alignment"."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from typing import Any

import numpy as np

from examples.benchmarks.onchain_fedavg_runs import (
    Change,
    accuracies,
    accuracy,
    grid_of,
    initial,
    run_config,
    sampling,
)
from flwr_chainfl import FedAlignment, Shapley


def free_rider(number: int, name: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Send a little noise around what came, since nothing at all has no direction."""
    return before + np.random.default_rng(number).normal(0, 1e-3, before.shape)


def sign_flipper(number: int, name: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Send the update turned around."""
    return 2 * before - after


def norm_inflater(number: int, name: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Send five times the update."""
    return before + 5 * (after - before)


def colluder(number: int, name: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Send the same random direction as all that collude, as long as an honest update."""
    direction = np.random.default_rng([number, len(name)]).normal(0, 1, before.shape)
    return before + direction * np.linalg.norm(after - before) / np.linalg.norm(direction)


BEHAVIOURS: dict[int, tuple[str, Change]] = {
    0: ("free-rider", free_rider), 1: ("sign-flipper", sign_flipper), 2: ("norm-inflater", norm_inflater),
    3: ("colluders", colluder), 4: ("colluders", colluder),
}  # fmt: skip
RULES: dict[str, dict[str, Any]] = {
    "raw dot product, with oneself (paper)": {"cosine": False, "leave_one_out": False, "alpha": 0.0},
    "raw dot product, leave-one-out": {"cosine": False, "alpha": 0.0},
    "alignment alone (cosine, leave-one-out)": {"alpha": 0.0},
    "with consistency": {},
    "with Shapley": {"alpha": 0.0, "shapley": 1},
    "with both": {"shapley": 1},
}


def main() -> None:
    """Run each rule on equal partitions of equal size, and print what each kind of participant earned a round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--colluders", type=int, default=2, help="how many of the last honest collude, too, is this less 2")
    options = parser.parse_args()
    behaviours = dict(BEHAVIOURS)
    for extra in range(options.colluders - 2):
        behaviours[9 - extra] = ("colluders", colluder)
    for rule, settings in RULES.items():
        earned: defaultdict[str, list[float]] = defaultdict(list)
        final = []
        for seed in range(options.seeds):
            config = run_config(dirichlet=100.0, seed=seed)
            clients = int(config["num-clients"])
            chosen = dict(settings)
            if "shapley" in chosen:
                chosen["shapley"] = Shapley(
                    value=lambda arrays: accuracy(arrays, "held_out"), every=chosen["shapley"], permutations=40
                )
            arrays = initial(seed)
            with tempfile.TemporaryDirectory() as directory:
                strategy = FedAlignment(
                    arrays=arrays, inner=sampling(clients), num_rounds=options.rounds, seed=seed,
                    run_directory=directory, **chosen,
                )
                grid = grid_of(config, {client: change for client, (_, change) in behaviours.items()})
                final.append(accuracies(strategy, grid, arrays, options.rounds)[-1])
                record = json.loads((strategy.run_directory / "run.json").read_text())  # type: ignore[operator]
            for participant in record["participants"]:
                client = int(participant["node"]) - 1000
                kind = behaviours[client][0] if client in behaviours else "honest"
                earned[kind].append(int(participant["paid"]) / 1e18 / options.rounds)
        means = {kind: round(float(np.mean(values)), 1) for kind, values in sorted(earned.items())}
        print(json.dumps({"rule": rule, **means, "accuracy": round(100 * float(np.mean(final)), 1)}), flush=True)


if __name__ == "__main__":
    main()
