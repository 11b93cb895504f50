"""The example of collateral through `flwr run`: sealed models, reviews, pay, and a worker that sends noise."""

import json

import pytest

from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import Wallet
from tests.nodes import ROOT
from tools.flower_run import run

pytestmark = pytest.mark.slow
CLIENTS = 5


def test_a_worker_that_sends_noise_loses_its_deposit_to_those_that_work(flower, tmp_path):
    config = {"behaviours": "noise", "num-rounds": 2, "run-directory": str(tmp_path)}
    outcome = run(flower, ROOT / "examples" / "collateral", run_config=config, nodes=CLIENTS)
    assert outcome.ok, outcome.log[-3000:]
    directory = tmp_path / "latest"
    record = json.loads((directory / "run.json").read_text())
    of_client = {Wallet.derived(7, f"participant {client}").address: client for client in range(CLIENTS)}
    paid = {of_client[p["address"]]: int(p["paid"]) for p in record["participants"]}
    slashed = {of_client[p["address"]]: int(p["slashed"]) for p in record["participants"]}
    assert slashed == {0: 20 * 10**18, 1: 0, 2: 0, 3: 0, 4: 0}
    assert paid[0] == 0 < min(paid[client] for client in range(1, CLIENTS))
    assert sum(paid.values()) == 2020 * 10**18
    assert {e["kind"] for r in record["rounds"] for e in r["events"]} == set()
    final = json.loads((directory / "global-model.json").read_text())["2"]
    assert min(final["accuracy"], final["precision"], final["recall"]) > 0.9
    assert (directory / "workers.png").read_bytes().startswith(b"\x89PNG")
    assert audit(directory) == []
