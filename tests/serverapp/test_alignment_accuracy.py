"""FedAlignment(accuracy=True) over real client apps: alignment times what the others' held-out data say of an update."""

import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict

from flwr_chainfl import ChainClientApp, FedAlignment, PeerReview, Updates
from flwr_chainfl.audit import audit
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.messages import TYPE_REVIEW
from flwr_chainfl.scoring import VectorReport
from flwr_chainfl.storage import FolderStore
from flwr_chainfl.weights import unpack_weights
from tests.serverapp.federation import Net, federation, start

CLIENTS, LIAR, ROUNDS = 4, 2, 3


def boastful() -> Any:
    """Return an app that trains as all do, says that its own model is perfect, and of the others' that they are worth 0."""
    reviewer, boaster = ChainClientApp(model=Net), ChainClientApp(model=Net)
    for app, accuracy in ((reviewer, 0.0), (boaster, 1.0)):

        @app.evaluate()
        def evaluate(message: Message, context: Context, accuracy: float = accuracy) -> Message:
            metrics = MetricRecord({"accuracy": accuracy, "loss": 0.0, "num-examples": 397})
            return Message(RecordDict({"metrics": metrics}), reply_to=message)

    def intercept(message: Message, context: Context, app: Any) -> Message:
        return {TYPE_REVIEW: reviewer, "evaluate": boaster}.get(message.metadata.message_type, app)(message, context)

    return intercept


def expected_pay(record: dict[str, Any], directory: Path) -> dict[str, float]:
    """Compute everybody's pay from stored weights and the ledger's marks, by the formula of the page, in floats."""
    store, pay, streak = FolderStore(directory / "store"), {}, {}
    for entry in record["rounds"]:
        reference = unpack_weights(store.get(entry["reference"]))
        names = [c["address"] for c in entry["contributions"]]
        reports = [VectorReport.unpack(bytes.fromhex(c["report"])) for c in entry["contributions"]]
        lanes = np.array([
            Updates().vector(unpack_weights(store.get(c["content"])), reference, step=report.step).lanes
            for c, report in zip(entry["contributions"], reports, strict=True)
        ], dtype=float)
        share = np.array([report.samples for report in reports]) / sum(report.samples for report in reports)
        means = np.array([np.mean([int(m[who]) for m in entry["marks"].values() if who in m]) for who in names])
        worth = {}
        for i, who in enumerate(names):
            others = share @ lanes - share[i] * lanes[i]
            cosine = lanes[i] @ others / sqrt((lanes[i] @ lanes[i]) * (others @ others))
            worth[who] = max(0.0, cosine * share[i] * means[i] / means.max()) * (1 + 0.1 * min(streak.get(who, 0), 5))
            streak[who] = streak.get(who, 0) + 1 if worth[who] > 0 else 0
        for who in names:
            pay[who] = pay.get(who, 0.0) + 1000 * worth[who] / sum(worth.values())
    return pay


@pytest.mark.parametrize("settlement", ["optimistic", "onchain"])
def test_pay_is_alignment_times_what_the_others_say_and_not_what_one_says_of_oneself(tmp_path: Path, settlement: str) -> None:
    torch.manual_seed(0)
    strategy = FedAlignment(
        arrays=ArrayRecord(Net().state_dict()), accuracy=True, assessment=PeerReview(), settlement=settlement,
        min_nodes=CLIENTS, num_rounds=ROUNDS, seed=3, phase_timeout=0.2, run_directory=tmp_path,
    )  # fmt: skip
    start(strategy, federation(CLIENTS, intercepts={LIAR: boastful()}), rounds=ROUNDS)
    assert strategy.run_directory is not None
    record = json.loads((strategy.run_directory / "run.json").read_text())
    liar = next(p["address"] for p in record["participants"] if p["node"] == str(1000 + LIAR))
    for entry in record["rounds"]:
        assert set(entry["marks"][liar].values()) == {"0"}
        assert liar not in entry["marks"][liar]
        assert all(int(mark) > WAD // 2 for who, given in entry["marks"].items() if who != liar for mark in given.values())
    paid = {p["address"]: int(p["paid"]) / WAD for p in record["participants"]}
    assert paid == pytest.approx(expected_pay(record, strategy.run_directory), rel=1e-3)
    assert sum(paid.values()) == pytest.approx(1000 * ROUNDS)
    assert [event for entry in record["rounds"] for event in entry["events"]] == []
    assert audit(strategy.run_directory) == []


def test_accuracy_needs_somebody_who_measures_it() -> None:
    with pytest.raises(ConfigError, match="accuracy.*add assessment=PeerReview"):
        FedAlignment(arrays=ArrayRecord(Net().state_dict()), accuracy=True)
