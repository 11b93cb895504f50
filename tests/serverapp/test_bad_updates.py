"""Updates that cannot be averaged as they come: each is an event that says why, and the round ends for the others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord

from flwr_chainfl import FedAlignment
from flwr_chainfl.audit import audit
from flwr_chainfl.fixedpoint import WAD
from tests.serverapp.federation import Net, federation, start

ROUNDS = 2


def arrays_of(reply: Message, change: Any) -> None:
    reply.content["arrays"] = ArrayRecord({
        name: Array(change(array.numpy())) for name, array in reply.content["arrays"].items()
    })


def from_the_second_round_on(change: Any) -> Any:
    """Return a client whose train function's reply is changed before it is committed to."""

    def intercept(message: Message, context: Context, app: Any) -> Message:
        if message.metadata.message_type != "train" or message.content["config"]["chainfl.round-number"] == 1:
            return app(message, context)
        inner = app._registered_funcs["train.default"]

        def train(asked: Message, own: Context) -> Message:
            reply = inner(asked, own)
            change(reply)
            return reply

        app._registered_funcs["train.default"] = train
        try:
            return app(message, context)
        finally:
            app._registered_funcs["train.default"] = inner

    return intercept


def after_the_commitment(change: Any) -> Any:
    """Return a client that commits to what it trained and sends something else."""

    def intercept(message: Message, context: Context, app: Any) -> Message:
        second = message.metadata.message_type == "train" and message.content["config"]["chainfl.round-number"] > 1
        reply = app(message, context)
        if second:
            arrays_of(reply, change)
        return reply

    return intercept


def saying(samples: int) -> Any:
    def change(reply: Message) -> None:
        reply.content["metrics"] = MetricRecord({"train_loss": 0.0, "num-examples": samples})

    return from_the_second_round_on(change)


BAD = {
    "another length": (
        from_the_second_round_on(lambda reply: arrays_of(reply, lambda a: a[:-1])),
        "client-error", "missing or of another shape; use the same architecture",
    ),
    "another length, sent": (
        after_the_commitment(lambda a: a[:-1]), "unusable-reply", "of shape (31, 64), the global model's is",
    ),
    "infinite": (
        from_the_second_round_on(lambda reply: arrays_of(reply, lambda a: a + np.float32(np.inf))), "client-error", "must be finite",
    ),
    "infinite, sent": (after_the_commitment(lambda a: a - np.float32(np.inf)), "unusable-reply", "is not finite"),
    "not a number, sent": (after_the_commitment(lambda a: a * np.float32(np.nan)), "unusable-reply", "is not finite"),
    "no samples": (saying(0), "unusable-reply", "from 0 samples, so it has no weight"),
    "more samples than declared": (saying(10**6), "samples-above-declared", "from 1000000 samples, and its author declared"),
    "out of range": (
        from_the_second_round_on(lambda reply: arrays_of(reply, lambda a: a * np.float32(1e6))), "clipped", "% of its values are beyond",
    ),
}  # fmt: skip


def test_each_bad_update_is_an_event_that_says_why_and_the_round_ends_for_the_others(tmp_path: Path) -> None:
    torch.manual_seed(0)
    honest, count = (0, 1, 2), 3 + len(BAD)
    strategy = FedAlignment(
        arrays=ArrayRecord(Net().state_dict()), min_nodes=count, num_rounds=ROUNDS, seed=3, phase_timeout=0.2,
        run_directory=tmp_path, settlement="onchain",
    )  # fmt: skip
    intercepts = {3 + i: behaviour for i, (behaviour, _, _) in enumerate(BAD.values())}
    start(strategy, federation(count, intercepts=intercepts), rounds=ROUNDS)
    assert strategy.run_directory is not None
    record = json.loads((strategy.run_directory / "run.json").read_text())
    nodes = {p["address"]: int(p["node"]) - 1000 for p in record["participants"]}
    assert record["rounds"][0]["events"] == []
    for entry in record["rounds"][1:]:
        for i, (name, (_, kind, detail)) in enumerate(BAD.items()):
            node = None if kind == "samples-above-declared" else str(1003 + i)
            found = [e["detail"] for e in entry["events"] if e["kind"] == kind and e["node"] == node]
            assert len(found) == 1, name
            assert detail in found[0], name
        paid = {nodes[c["address"]]: int(c["paid"]) for c in entry["contributions"]}
        assert set(paid) == {*honest, *(3 + i for i, name in enumerate(BAD) if name in ("more samples than declared", "out of range"))}
        assert all(paid[client] > 0 for client in honest)
        assert paid[3 + list(BAD).index("more samples than declared")] == 0
        assert sum(paid.values()) == 1000 * WAD
    assert float(next(e["detail"] for e in record["rounds"][1]["events"] if e["kind"] == "clipped").split(" %")[0]) > 90
    assert audit(strategy.run_directory) == []


def test_who_uses_up_the_range_in_every_round_does_not_coarsen_the_others_fixed_point(tmp_path: Path) -> None:
    torch.manual_seed(0)
    strategy = FedAlignment(
        arrays=ArrayRecord(Net().state_dict()), min_nodes=4, num_rounds=4, seed=3, phase_timeout=0.2, run_directory=tmp_path,
        step=2.0**-12,
    )  # fmt: skip
    inflated = from_the_second_round_on(lambda reply: arrays_of(reply, lambda a: a * np.float32(1e6)))
    start(strategy, federation(4, intercepts={3: inflated}), rounds=4)
    assert strategy.exchange.step <= 2.0**-14  # a step that follows it is 2^-12 or more from then on
