"""One method on one task, measured: accuracies, bytes and seconds of every round."""

from __future__ import annotations

import atexit
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from flwr.app import ArrayRecord, Message, MetricRecord

from examples.benchmarks.grid import LocalGrid, act_as_server, make_node
from examples.benchmarks.task import Method, Task
from flwr_chainfl.messages import payload_bytes


@dataclass(frozen=True)
class Round:
    """What a round came to.

    server: accuracy of the server's model, None where there is none; clients: of each client's own model, after it
    learnt the newest consensus or global model, in the order of the partitions
    up, down: payload bytes a client, of training and of what the protocol asks beside it; evaluate_up, evaluate_down:
    of the evaluation, in which some methods send what the next training starts from, and not again; seconds: of the
    wall clock, without testing
    """

    server: float | None
    clients: list[float]
    up: float
    down: float
    evaluate_up: float
    evaluate_down: float
    seconds: float

    @property
    def mean_client(self) -> float:
        """Mean accuracy of the clients."""
        return fmean(self.clients)


@dataclass
class MeasuredGrid(LocalGrid):
    """Counts what travels and reads the clients' accuracies; a client's error ends the run.

    traffic: bytes by direction (``up``, ``down``) and whether they are of the evaluation
    accuracies: by node id, of the last evaluation
    """

    traffic: Counter[tuple[str, bool]] = field(default_factory=Counter)
    accuracies: dict[int, float] = field(default_factory=dict)

    def _execute(self, message: Message) -> Message | None:
        self.sent.clear()
        kind = message.metadata.message_type.split(".")[0]
        self.traffic["down", kind == "evaluate"] += payload_bytes(message.content)
        reply = super()._execute(message)
        node = message.metadata.dst_node_id
        if reply is None or reply.has_error():
            reason = "no reply" if reply is None else reply.error.reason
            raise RuntimeError(f"client {node} failed in {message.metadata.message_type}: {reason}")
        self.traffic["up", kind == "evaluate"] += payload_bytes(reply.content)
        if kind == "evaluate":
            self.accuracies[node] = float(next(iter(reply.content.metric_records.values()))["accuracy"])
        return reply


def measure(method: Method, task: Task) -> list[Round]:
    """Start a method's strategy as a user would, and return its rounds.

    Raises RuntimeError when a client fails, and whatever the strategy raises.
    """
    act_as_server()
    random.seed(task.seed)  # Flower's sampling of nodes draws from it
    grid = MeasuredGrid.of(make_node(app, partition, task.clients) for partition, app in enumerate(method.apps))
    model = task.make_model()
    rounds: list[Round] = []
    began, tested = time.perf_counter(), task.test_seconds

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        nonlocal began, tested
        accuracy = None
        if method.server_model:
            model.load_state_dict(arrays.to_torch_state_dict())
            accuracy = task.test(model)
        if server_round > 0:
            rounds.append(_round(grid, accuracy, time.perf_counter() - began - (task.test_seconds - tested)))
        grid.traffic.clear()
        began, tested = time.perf_counter(), task.test_seconds
        return MetricRecord({"accuracy": accuracy}) if accuracy is not None else None

    try:
        method.strategy.start(
            grid, ArrayRecord(model.state_dict()), num_rounds=task.budget.rounds, evaluate_fn=evaluate
        )
    except BaseException:
        _abandon(method.strategy)
        raise
    return rounds


def _round(grid: MeasuredGrid, server: float | None, seconds: float) -> Round:
    def a_client(direction: str, evaluation: bool) -> float:
        return grid.traffic[direction, evaluation] / len(grid.nodes)

    return Round(
        server=server,
        clients=[grid.accuracies[node] for node in sorted(grid.nodes)],
        up=a_client("up", False),
        down=a_client("down", False),
        evaluate_up=a_client("up", True),
        evaluate_down=a_client("down", True),
        seconds=seconds,
    )


def _abandon(strategy: Any) -> None:
    """Let go of a failed run's ledger, which the process would settle when it ends."""
    if (close := getattr(strategy, "close", None)) is None:
        return
    atexit.unregister(close)
    with contextlib.suppress(Exception):
        strategy.relay.ledger.close()
