"""The example of FedAvg on chain through `flwr run`: the contract averages, pays, and the audit finds nothing."""

import json

import pytest

from flwr_chainfl.audit import audit
from tests.nodes import ROOT
from tools.flower_run import run

pytestmark = pytest.mark.slow


def test_a_model_is_averaged_and_paid_for_on_chain(flower, tmp_path):
    config = {"num-clients": 4, "num-rounds": 2, "shapley-every": 2, "run-directory": str(tmp_path)}
    outcome = run(flower, ROOT / "examples" / "onchain_fedavg", run_config=config, nodes=4)
    assert outcome.ok, outcome.log[-3000:]
    directory = tmp_path / "latest"
    record = json.loads((directory / "run.json").read_text())
    accuracies = json.loads((directory / "alignment.json").read_text())["accuracy"]
    assert accuracies["2"] > max(0.7, accuracies["0"])
    assert [entry["gas"]["average"] > 0 for entry in record["rounds"]] == [True, True]
    assert record["rounds"][1]["calibration"] is not None
    assert sum(int(p["paid"]) for p in record["participants"]) == 2000 * 10**18
    assert "Gas: about" in outcome.log
    assert audit(directory) == []
