"""The example of FedAvg on chain in one process, with clients that can send anything: for the benchmarks of alignment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg, Strategy

from examples.benchmarks.grid import RUN_ID, Intercept, LocalGrid, Node, act_as_server

ROOT = Path(__file__).resolve().parents[1] / "onchain_fedavg"
Change = Callable[[int, str, np.ndarray, np.ndarray], np.ndarray]
"""From server round, array name, the array before and after training to what is sent."""


def example() -> Any:
    """Return the example's modules: task, client_app."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from onchain_fedavg import client_app, task

    return task, client_app


def run_config(**changes: Any) -> dict[str, Any]:
    """Return the example's run-config with some values changed."""
    import tomllib

    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    return {**config, **{key.replace("_", "-"): value for key, value in changes.items()}}


def pretending(change: Change) -> Intercept:
    """Return a client that trains and then sends what `change` makes of it."""

    def intercept(message: Message, context: Context, app: Any) -> Message:
        if message.metadata.message_type != "train":
            reply: Message = app(message, context)
            return reply
        inner = app._registered_funcs["train.default"]

        def train(asked: Message, own: Context) -> Message:
            before, number = asked.content["arrays"], int(asked.content["config"]["server-round"])
            answer: Message = inner(asked, own)
            answer.content["arrays"] = ArrayRecord({
                name: Array(change(number, name, before[name].numpy(), array.numpy()).astype(np.float32))
                for name, array in answer.content["arrays"].items()
            })
            return answer

        app._registered_funcs["train.default"] = train
        try:
            changed: Message = app(message, context)
            return changed
        finally:
            app._registered_funcs["train.default"] = inner

    return intercept


def grid_of(config: Mapping[str, Any], behaviours: Mapping[int, Change] | None = None) -> LocalGrid:
    """Return the example's clients; some of them send something else than they trained."""
    _, client_app = example()
    nodes = []
    for partition in range(int(config["num-clients"])):
        context = Context(
            run_id=RUN_ID, node_id=1000 + partition, state=RecordDict(), run_config=dict(config),
            node_config={"partition-id": partition, "num-partitions": config["num-clients"]},
        )
        change = (behaviours or {}).get(partition)
        nodes.append(Node(client_app.app, context, pretending(change) if change is not None else None))
    return LocalGrid.of(nodes)


def initial(seed: int) -> ArrayRecord:
    """Return the model that all runs begin with."""
    task, _ = example()
    torch.manual_seed(seed)
    return ArrayRecord(task.Net().state_dict())


def accuracy(arrays: ArrayRecord, part: str = "test") -> float:
    """Return a model's accuracy on the test images, or on the server's held-out ones."""
    task, _ = example()
    model = task.Net()
    model.load_state_dict(arrays.to_torch_state_dict())
    return float(task.test(model, getattr(task.load_splits(), part))[1])


def sampling(clients: int) -> FedAvg:
    """Return a FedAvg that takes everybody."""
    return FedAvg(min_train_nodes=clients, min_evaluate_nodes=clients, min_available_nodes=clients)


def accuracies(strategy: Strategy, grid: LocalGrid, arrays: ArrayRecord, rounds: int) -> list[float]:
    """Run, and return the global model's accuracy after each round."""
    act_as_server()
    result = strategy.start(
        grid, arrays, num_rounds=rounds, evaluate_fn=lambda number, found: MetricRecord({"accuracy": accuracy(found)})
    )
    return [float(result.evaluate_metrics_serverapp[number]["accuracy"]) for number in range(rounds + 1)]
