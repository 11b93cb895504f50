"""FedAvg in float32 beside the contract's average: accuracy and gas by round; docs/benchmarks.md, "Alignment"."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from examples.benchmarks.onchain_fedavg_runs import accuracies, grid_of, initial, run_config, sampling
from flwr_chainfl import FedAlignment, Updates

WAYS = {"int16": Updates(), "int8": Updates(bits=8), "int8 without feedback": Updates(bits=8, feedback=False)}


def main() -> None:
    """Run, print a line a run, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dirichlet", type=float, nargs="+", default=[0.3, 1.0, 100.0])
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number gives other last digits")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    curves: dict[str, list[float]] = {}
    gas: list[int] = []
    for dirichlet in options.dirichlet:
        for seed in range(options.seeds):
            config = run_config(dirichlet=dirichlet, seed=seed)
            clients = int(config["num-clients"])
            arrays = initial(seed)
            found: dict[str, Any] = {
                "float32": accuracies(sampling(clients), grid_of(config), arrays, options.rounds)
            }
            for name, updates in WAYS.items():
                drawn = (dirichlet, seed, name) == (1.0, 0, "int16")
                with tempfile.TemporaryDirectory() as directory:
                    strategy = FedAlignment(
                        arrays=arrays, inner=sampling(clients), updates=updates, num_rounds=options.rounds,
                        seed=seed, run_directory=directory, settlement="onchain" if drawn else "optimistic",
                    )
                    found[name] = accuracies(strategy, grid_of(config), arrays, options.rounds)
                    record = json.loads((strategy.run_directory / "run.json").read_text())  # type: ignore[operator]
                if drawn:
                    gas = [sum(entry["gas"].values()) for entry in record["rounds"]]
            if (dirichlet, seed) == (1.0, 0):
                curves = found
            print(json.dumps({
                "dirichlet": dirichlet, "seed": seed, **{name: round(100 * curve[-1], 2) for name, curve in found.items()}
            }), flush=True)  # fmt: skip
    if options.plot:
        draw(curves, gas, options.plot)


def draw(curves: dict[str, list[float]], gas: list[int], file: Path) -> None:
    """Draw accuracy by round, and below it the gas of each round of the run that is settled on chain."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 6), sharex=True)
    for (name, curve), style in zip(curves.items(), ("k-", "C0--", "C1-.", "C2:"), strict=True):
        above.plot(range(len(curve)), [100 * value for value in curve], style, label=name)
    above.set(ylabel="accuracy of the global model, %")
    above.legend()
    above.grid(alpha=0.3)
    below.bar(range(1, len(gas) + 1), [value / 1e6 for value in gas])
    below.set(xlabel="round", ylabel="million gas, int16 on chain")
    below.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    main()
