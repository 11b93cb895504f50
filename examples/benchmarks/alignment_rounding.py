"""Ways to lose less by 8 bits a parameter, beside float32: the example's clients without a ledger; docs/benchmarks.md, "Alignment"."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from examples.benchmarks.onchain_fedavg_runs import example, run_config
from flwr_chainfl.packed_vector import UNIT, average_remainder, quantize, weighted_average
from flwr_chainfl.rewards import split
from flwr_chainfl.updates import first_step, fitting_step

BITS, LIMIT = 8, 127
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Way:
    """How updates are rounded.

    first: the first round's step; client, average: whether what an update's own rounding, or the average's, took away is added to
    the next update; stochastic: whether values are rounded up as often as they are above; layers: whether each array has a step
    of its own; fit: what the next step follows, the ``largest`` change of an update or that of the ``aggregate``
    """

    first: float = first_step(BITS)
    client: bool = False
    average: bool = False
    stochastic: bool = False
    layers: bool = False
    fit: str = "largest"


WAYS = {
    "first range ±0.03": Way(first=2.0**-12),
    "first range ±0.03, client's feedback": Way(first=2.0**-12, client=True),
    "first range ±1": Way(),
    "step by the last aggregate": Way(fit="aggregate"),
    "a step for each array": Way(layers=True),
    "stochastic rounding, public seed": Way(stochastic=True),
    "client's feedback": Way(client=True),
    "average's feedback": Way(average=True),
    "both feedbacks": Way(client=True, average=True),
}


class Run:
    """The example's federation of one skew and seed."""

    def __init__(self, dirichlet: float, seed: int) -> None:
        self._task, _ = example()
        from onchain_fedavg.settings import Settings

        config = run_config(dirichlet=dirichlet, seed=seed)
        values = {name: config[name.replace("_", "-")] for name in Settings.__dataclass_fields__}
        self._settings = Settings(**values)
        self._data = [self._task.load_partition(self._settings, i) for i in range(self._settings.num_clients)]
        self._samples = [len(data.labels) for data in self._data]
        torch.manual_seed(seed)
        state = self._task.Net().state_dict()
        self._shapes = {name: value.shape for name, value in sorted(state.items())}
        self._start = self._flat(state)

    def go(self, rounds: int, way: Way | None) -> tuple[Floats, list[float]]:
        """Return the model after so many rounds, and its accuracy after each; way: None for float32."""
        model, accuracies = self._start, []
        weights = split(UNIT, self._samples)
        steps = np.full(len(model), way.first if way is not None else 1.0)
        lost: list[Floats] = [np.zeros_like(model) for _ in self._data]
        carry: Floats = np.zeros_like(model)
        for number in range(1, rounds + 1):
            updates = [model - self._trained(model, number, client) for client in range(len(self._data))]
            if way is None:
                model = model - np.average(updates, axis=0, weights=self._samples)
            else:
                lanes = []
                for client, update in enumerate(updates):
                    wanted = update + (lost[client] if way.client else 0) + (carry if way.average else 0)
                    dither = 0.0
                    if way.stochastic:
                        dither = np.random.default_rng([self._settings.seed, number, client]).random(len(wanted)) - 0.5
                    lanes.append(quantize(wanted / steps + dither, step=1.0, bits=BITS).lanes)
                    lost[client] = wanted - lanes[-1] * steps
                average = weighted_average(lanes, weights)
                model = model - steps * average
                carry = steps / 256 * np.minimum((average_remainder(lanes, weights) + 128) >> 8, 127)
                steps = self._fitted(steps, np.abs(lanes), np.abs(average), way)
            model = model.astype(np.float32).astype(np.float64)
            accuracies.append(float(self._task.test(self._net(model), self._task.load_splits().test)[1]))
        return model, accuracies

    def _fitted(self, steps: Floats, lanes: NDArray[np.int64], average: NDArray[np.int64], way: Way) -> Floats:
        sizes = [int(np.prod(shape)) for shape in self._shapes.values()] if way.layers else [len(steps)]
        new, start = steps.copy(), 0
        for size in sizes:
            part = slice(start, start + size)
            largest = (lanes[:, part] if way.fit == "largest" else average[None, part]).max() * steps[start]
            new[part] = fitting_step(float(largest), bits=BITS)
            if way.fit == "aggregate" and (lanes[:, part] >= LIMIT).mean() > 0.05:
                new[part] = max(new[start], 2 * steps[start])
            start += size
        return new

    def _trained(self, model: Floats, number: int, client: int) -> Floats:
        net = self._net(model)
        torch.manual_seed(self._settings.seed * 10_000 + 100 * number + client)  # as the example's client does
        self._task.train(net, self._data[client], self._settings)
        return self._flat(net.state_dict())

    def _flat(self, state: Any) -> Floats:
        return np.concatenate([state[name].numpy().astype(np.float64).ravel() for name in self._shapes])

    def _net(self, model: Floats) -> Any:
        net, state, start = self._task.Net(), {}, 0
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            state[name] = torch.from_numpy(model[start : start + size].reshape(shape).astype(np.float32))
            start += size
        net.load_state_dict(state)
        return net


def main() -> None:
    """Print a line a way: points of accuracy lost in each run, at worst, on average, and how far the model is from float32's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number gives other last digits")
    parser.add_argument("--seeds", type=int, nargs=3, default=[9, 3, 3], help="for Dirichlet 0.3, 1 and 100")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runs = [Run(dirichlet, seed) for dirichlet, seeds in zip((0.3, 1.0, 100.0), options.seeds, strict=True) for seed in range(seeds)]
    plain = [run.go(options.rounds, None) for run in runs]
    for name, way in WAYS.items():
        found = [run.go(options.rounds, way) for run in runs]
        points = [100 * (mine[1][-1] - other[1][-1]) for mine, other in zip(found, plain, strict=True)]
        rounds = np.mean([100 * (mine[1][i] - other[1][i]) for mine, other in zip(found, plain, strict=True) for i in range(options.rounds)])
        distance = np.mean([
            np.linalg.norm(mine[0] - other[0]) / np.linalg.norm(other[0]) for mine, other in zip(found, plain, strict=True)
        ])
        print(
            f"{name:38s} worst {min(points):6.2f}  mean {np.mean(points):6.2f}  over rounds {rounds:6.2f}  distance {100 * distance:6.2f} %  "
            + " ".join(f"{one:5.2f}" for one in points), flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
