"""A federation in one process: Flower's Grid over real ClientApps, with clients that can fail in every way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from torch import nn

from flwr_chainfl import ChainClientApp, FedSoftLabel, consensus_term

RUN_ID = 4711
Intercept = Callable[[Message, Context, Callable[[Message, Context], Message]], Message | None]


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


@dataclass
class Node:
    app: ClientApp
    context: Context
    intercept: Intercept | None = None


@dataclass
class LocalGrid(Grid):
    """Runs each message's ClientApp at once; an exception becomes an error reply, as on a SuperNode."""

    nodes: dict[int, Node]
    sent: list[Message] = field(default_factory=list)
    _replies: dict[str, Message] = field(default_factory=dict)

    def set_run(self, run: Any) -> None:
        raise AssertionError("not used")

    @property
    def run(self) -> Any:
        return SimpleNamespace(run_id=RUN_ID)

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise AssertionError("deprecated")

    def get_node_ids(self) -> Iterable[int]:
        return list(self.nodes)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        ids = []
        for message in messages:
            identity = f"message-{len(self.sent)}"
            message.metadata.__dict__["_message_id"] = identity
            self.sent.append(message)
            ids.append(identity)
            reply = self._execute(message)
            if reply is not None:
                self._replies[identity] = reply
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._replies.pop(i) for i in list(message_ids) if i in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return self.pull_messages(self.push_messages(messages))

    def _execute(self, message: Message) -> Message | None:
        node = self.nodes[message.metadata.dst_node_id]
        copied = Message(
            _copy(message.content), dst_node_id=message.metadata.dst_node_id, message_type=message.metadata.message_type
        )
        copied.metadata.__dict__["_message_id"] = message.metadata.message_id
        try:
            if node.intercept is not None:
                return node.intercept(copied, node.context, node.app)
            return node.app(copied, node.context)
        except Exception as error:  # noqa: BLE001 - a SuperNode turns every exception into an error reply
            return Message(Error(code=1, reason=f"{type(error)}:<'{error}'>"), reply_to=copied)


def _copy(content: RecordDict) -> RecordDict:
    return RecordDict({name: type(record)(dict(record.items())) for name, record in content.items()})


def federation(
    count: int, *, intercepts: dict[int, Intercept] | None = None, apps: dict[int, ClientApp] | None = None
) -> LocalGrid:
    """Return a grid of `count` clients; `intercepts` and `apps` replace what some partitions do."""
    nodes = {}
    for partition in range(count):
        context = Context(
            run_id=RUN_ID,
            node_id=1000 + partition,
            node_config={"partition-id": partition, "num-partitions": count},
            state=RecordDict(),
            run_config={},
        )
        app = (apps or {}).get(partition) or make_app(count)
        nodes[1000 + partition] = Node(app, context, (intercepts or {}).get(partition))
    return LocalGrid(nodes)


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
