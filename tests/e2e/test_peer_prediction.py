"""The example of peer prediction through `flwr run`: every behaviour once, by the messages that honest clients send too."""

import json
from statistics import fmean

import pytest

from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import Wallet
from tests.nodes import ROOT
from tools.flower_run import run

pytestmark = pytest.mark.slow
BEHAVIOURS = (
    "constant", "random", "prior-sampling", "consensus-copying", "commitment-copying", "colluding", "colluding", "relabelling"
)  # fmt: skip
CLIENTS = 14


def test_who_does_not_look_earns_nothing_and_who_does_is_paid(flower, tmp_path):
    config = {"dirichlet": 10.0, "behaviours": " ".join(BEHAVIOURS), "num-clients": CLIENTS, "num-rounds": 2, "run-directory": str(tmp_path)}
    outcome = run(flower, ROOT / "examples" / "peer_prediction", run_config=config, nodes=CLIENTS)
    assert outcome.ok, outcome.log[-3000:]
    directory = tmp_path / "latest"
    record = json.loads((directory / "run.json").read_text())
    of_client = {Wallet.derived(7, f"participant {client}").address: client for client in range(CLIENTS)}
    paid = {of_client[p["address"]]: int(p["paid"]) for p in record["participants"]}
    slashed = {of_client[p["address"]]: int(p["slashed"]) for p in record["participants"]}
    first = {of_client[c["address"]]: int(c["score"]) / 1e18 for c in record["rounds"][0]["contributions"]}
    honest = range(len(BEHAVIOURS), CLIENTS)
    assert len(paid) == CLIENTS
    assert 4 not in first  # the copied commitment could not be opened
    assert slashed[4] > 0 == paid[4]
    assert first[0] == first[3] == 0  # a constant, and a copy of a consensus that is not there yet
    assert max(abs(first[client]) for client in (1, 2)) < 0.05
    assert fmean(first[client] for client in honest) > 0.1
    assert paid[0] == 0 < sum(paid[client] for client in honest)
    kinds = {e["kind"] for r in record["rounds"] for e in r["events"]}
    assert kinds == {"false-reveal", "slashed", "few-tasks", "odd-participants"}
    assert "who earned what" in outcome.log.lower()
    for plot in ("accuracy.png", "rewards.png"):
        assert (directory / plot).read_bytes().startswith(b"\x89PNG")
    assert audit(directory) == []
