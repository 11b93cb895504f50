"""The example of role rotation through `flwr run`: everybody in turn, harm among them, and an audit that agrees."""

import json

import pytest

from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import Wallet
from tests.nodes import ROOT
from tools.flower_run import run

pytestmark = pytest.mark.slow
CLIENTS, MALICIOUS = 20, 3


def test_roles_rotate_models_are_sealed_and_the_audit_agrees(flower, tmp_path):
    config = {"num-rounds": 4, "malicious": MALICIOUS, "run-directory": str(tmp_path)}
    outcome = run(flower, ROOT / "examples" / "role_rotation", run_config=config, nodes=CLIENTS)
    assert outcome.ok, outcome.log[-3000:]
    directory = tmp_path / "latest"
    record = json.loads((directory / "run.json").read_text())
    names = {Wallet.derived(7, f"participant {client}").address: client for client in range(CLIENTS)}
    assert {p["address"] for p in record["participants"]} == set(names)
    for entry in record["rounds"]:
        roles = sorted(entry["roles"].values())
        assert roles == ["miner"] * 3 + ["validator"] * 5 + ["worker"] * 12
        assert entry["seal"] is not None
        assert entry["events"] == []
    assert len({tuple(sorted(entry["roles"].items())) for entry in record["rounds"]}) == 4
    assert sum(int(p["paid"]) for p in record["participants"]) == 4000 * 10**18
    rejected = [
        names[one["address"]]
        for entry in record["rounds"]
        for one in entry["contributions"]
        if entry["roles"][one["address"]] == "worker" and one["address"] not in entry["accepted"]
    ]
    assert rejected
    assert set(rejected) <= set(range(MALICIOUS))
    assert (directory / "roles.png").read_bytes().startswith(b"\x89PNG")
    assert audit(directory) == []
