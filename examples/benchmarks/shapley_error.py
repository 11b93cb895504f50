"""Truncated Monte Carlo beside exact Shapley values, and its time with 50 participants: docs/benchmarks.md, "Alignment"."""

from __future__ import annotations

import json
import time

import numpy as np
import torch

from examples.benchmarks.onchain_fedavg_runs import accuracy, example, initial, run_config
from flwr_chainfl.packed_vector import UNIT, weighted_average
from flwr_chainfl.rewards import split
from flwr_chainfl.scoring.shapley import Value, shapley_values
from flwr_chainfl.updates import Updates

STEP = 2.0**-15


def updates_of(clients: int, dirichlet: float) -> tuple[list[np.ndarray], list[int]]:
    """Return each client's update from the initial model, in integers, and its number of samples."""
    from onchain_fedavg.settings import Settings

    task, _ = example()
    config = run_config(num_clients=clients, dirichlet=dirichlet)
    settings = Settings(**{key.replace("-", "_"): value for key, value in config.items()})
    arrays, lanes, samples = initial(0), [], []
    for client in range(clients):
        torch.manual_seed(client)
        data, model = task.load_partition(settings, client), task.Net()
        model.load_state_dict(arrays.to_torch_state_dict())
        task.train(model, data, settings)
        from flwr.app import ArrayRecord

        lanes.append(Updates().vector(ArrayRecord(model.state_dict()), arrays, step=STEP).lanes)
        samples.append(len(data.labels))
    return lanes, samples


def worth_of(lanes: list[np.ndarray], samples: list[int]) -> Value:
    """Return the accuracy on held-out images, in millionths, of the model that a coalition's average leads to."""
    arrays = initial(0)

    def worth(coalition: tuple[int, ...]) -> int:
        if not coalition:
            return round(accuracy(arrays, "held_out") * 10**6)
        weights = split(UNIT, [samples[player] for player in coalition])
        average = weighted_average([lanes[player] for player in coalition], weights)
        return round(accuracy(Updates().applied(arrays, average, step=STEP), "held_out") * 10**6)

    return worth


def main() -> None:
    """Print the error for several numbers of permutations with 8 participants, and the time with 50."""
    example()
    worth = worth_of(*updates_of(8, 0.3))
    exact = np.array([float(value) for value in shapley_values(8, worth).values])
    for permutations in (10, 30, 100, 300):
        for tolerance in (0, 5000):
            off, stated, valued = [], [], []
            for seed in range(10):
                found = shapley_values(
                    8, worth, permutations=permutations, tolerance=tolerance, seed=seed.to_bytes(32, "big"), most_exact=0
                )
                off.append(np.abs(np.array([float(value) for value in found.values]) - exact))
                stated.append(np.array(found.errors))
                valued.append(len(found.worth))
            print(json.dumps({
                "players": 8, "permutations": permutations, "tolerance": tolerance / 10**6,
                "mean error, points": round(float(np.mean(off)) / 10**4, 3),
                "largest error, points": round(float(np.max(off)) / 10**4, 3),
                "stated error, points": round(float(np.mean(stated)) / 10**4, 3),
                "coalitions valued": round(float(np.mean(valued))), "of": 256,
            }), flush=True)  # fmt: skip
    worth = worth_of(*updates_of(50, 1.0))
    for tolerance in (0, 5000):
        began = time.process_time()
        found = shapley_values(50, worth, permutations=100, tolerance=tolerance)
        print(json.dumps({
            "players": 50, "permutations": 100, "tolerance": tolerance / 10**6, "CPU seconds": round(time.process_time() - began, 1),
            "coalitions valued": len(found.worth), "stated error, points": round(float(np.mean(found.errors)) / 10**4, 3),
            "largest value, points": round(float(max(found.values)) / 10**4, 3),
        }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
