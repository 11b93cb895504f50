"""A federation in one process over real ClientApps, with clients that can fail in every way."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg
from torch import nn

from examples.benchmarks.grid import RUN_ID, Intercept, LocalGrid, make_node  # noqa: F401 - the tests use RUN_ID
from flwr_chainfl import ChainClientApp, FedSoftLabel, SoftLabels, consensus_term, distillation


class Net(nn.Module):
    """A small network for 8×8 digits."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@lru_cache(maxsize=1)
def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return (data.images[order] / 16).astype(np.float32), data.target[order].astype(np.int64)


def public_inputs(count: int = 60) -> np.ndarray:
    return digits()[0][:count]


def private_data(partition: int, clients: int) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = digits()
    rows = np.arange(200, 1400)[partition::clients]
    return torch.from_numpy(images[rows]), torch.from_numpy(labels[rows])


def make_app(clients: int, **parameters: Any) -> ChainClientApp:
    """Return an ordinary client app on digits."""
    app = ChainClientApp(**{"model": Net, **parameters})

    @app.train()
    def train(message: Message, context: Context) -> Message:
        x, y = private_data(int(context.node_config["partition-id"]), clients)
        model = Net()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(2):
            for batch in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x[batch]), y[batch]) + consensus_term(model)
                loss.backward()
                optimizer.step()
        metrics = MetricRecord({"train_loss": float(loss.detach()), "num-examples": len(x)})
        return Message(RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        images, labels = digits()
        model = Net()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        with torch.no_grad():
            hits = (model(torch.from_numpy(images[1400:])).argmax(1).numpy() == labels[1400:]).mean()
        metrics = MetricRecord({"accuracy": float(hits), "loss": 1.0, "num-examples": 397})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def federation(
    count: int, *, intercepts: dict[int, Intercept] | None = None, apps: dict[int, ClientApp] | None = None
) -> LocalGrid:
    """Return a grid of `count` clients; `intercepts` and `apps` replace what some partitions do."""
    return LocalGrid.of(
        make_node(
            (apps or {}).get(partition) or make_app(count), partition, count, intercept=(intercepts or {}).get(partition)
        )
        for partition in range(count)
    )


def nodes_of(count: int) -> dict[str, int]:
    return {"min_train_nodes": count, "min_evaluate_nodes": count, "min_available_nodes": count}


def soft_label_strategy(directory: Path, count: int, **settings: Any) -> FedSoftLabel:
    distillation = {"epochs": 1, "student_epochs": 2, **settings.pop("distillation", {})}
    return FedSoftLabel(
        public_set=settings.pop("public_set", public_inputs()),
        student=settings.pop("student", Net()),
        distillation=distillation,
        run_directory=directory,
        **{"num_rounds": 2, "seed": 3, "phase_timeout": 0.2, **nodes_of(count), **settings},
    )


def fedavg(count: int) -> FedAvg:
    return FedAvg(**nodes_of(count))


def start(strategy: Any, grid: LocalGrid, rounds: int = 2, model: nn.Module | None = None) -> Any:
    torch.manual_seed(0)
    random.seed(0)
    initial = ArrayRecord((model if model is not None else Net()).state_dict())
    return strategy.start(grid, initial, num_rounds=rounds, timeout=5)


def record_of(strategy: Any) -> dict[str, Any]:
    """Return the record of a strategy's run."""
    assert strategy.run_directory is not None
    return json.loads((strategy.run_directory / "run.json").read_text())


def taught(monkeypatch: Any, strategy: FedSoftLabel, grid: LocalGrid) -> tuple[np.ndarray, np.ndarray]:
    """Run one round; return what its student was taught, and the consensus that it was formed from."""
    learn, form = distillation.distill, SoftLabels._form
    targets, formed = [], []

    def distilling(model, inputs, labels, **settings):
        if model is strategy.exchange.student:
            targets.append(np.array(labels))
        return learn(model, inputs, labels, **settings)

    def forming(*arguments):
        formed.append(form(*arguments))
        return formed[-1]

    monkeypatch.setattr(distillation, "distill", distilling)
    monkeypatch.setattr(SoftLabels, "_form", forming)
    start(strategy, grid, rounds=1)
    assert len(targets) == 1
    return targets[0], np.array(formed[0].unsharpened)
