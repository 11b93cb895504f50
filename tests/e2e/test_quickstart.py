"""The quickstart through `flwr run`, as a user runs it."""

import json
import shutil
import subprocess
import sys

import pytest

from flwr_chainfl.audit import audit
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.record import TOP_LEVEL_KEYS
from tests.nodes import ROOT
from tools.flower_run import run

pytestmark = pytest.mark.slow
QUICKSTART = ROOT / "examples" / "quickstart"
CLIENTS = 10


def quickstart(flower, directory, **config):
    keys = {key.replace("_", "-"): value for key, value in config.items()}
    outcome = run(flower, QUICKSTART, run_config={"run-directory": str(directory), **keys}, nodes=CLIENTS)
    assert outcome.ok, outcome.log[-3000:]
    return outcome, directory / "latest"


def accuracy(folder):
    return list(json.loads((folder / "global-model.json").read_text())["accuracy"].values())[-1]


@pytest.fixture(scope="module")
def whole(flower, tmp_path_factory):
    """The default run, all its rounds."""
    return quickstart(flower, tmp_path_factory.mktemp("whole"))


def test_the_run_ends_with_a_table_and_its_files(whole):
    outcome, directory = whole
    assert "Who earned what" in outcome.log
    assert str(directory.resolve() / "run.json") in outcome.log
    for plot in ("accuracy.png", "rewards.png"):
        assert (directory / plot).read_bytes().startswith(b"\x89PNG")
    record = json.loads((directory / "run.json").read_text())
    assert tuple(record) == TOP_LEVEL_KEYS
    assert len(record["participants"]) == CLIENTS
    assert [entry["number"] for entry in record["rounds"]] == list(range(1, 11))
    assert record["conservation"]["dust"] == "0"
    assert [e for entry in record["rounds"] for e in entry["events"]] == []


def test_the_student_is_within_two_points_of_plain_fedavg(whole, flower, tmp_path):
    _, directory = whole
    # FedAvg as "weights" computes it, which repeats: plain Flower adds up in the order of the answers.
    _, average = quickstart(flower, tmp_path, strategy="weights")
    assert accuracy(directory) >= accuracy(average) - 0.02


def test_the_audit_agrees_with_the_run_and_not_with_a_tampered_copy(whole, tmp_path):
    _, directory = whole
    assert audit(directory) == []
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    record = json.loads((copy / "run.json").read_text())
    thief = record["rounds"][4]["contributions"][7]
    thief["paid"] = str(int(thief["paid"]) + 1)
    (copy / "run.json").write_text(json.dumps(record))
    assert [d.where for d in audit(copy)] == [f"round 5, {thief['address']}, paid"]


def test_free_riders_earn_nothing_and_one_seed_gives_one_digest(flower, tmp_path):
    digests = []
    for name in ("first", "second"):
        _, directory = quickstart(flower, tmp_path / name, strategy="soft-labels", free_riders=2, num_rounds=2)
        record = json.loads((directory / "run.json").read_text())
        digests.append(record["ledger"]["digest"])
    assert digests[0] == digests[1]
    income = sorted(int(p["paid"]) for p in record["participants"])
    assert income[:2] == [0, 0]
    assert income[2] > 10 * WAD


def test_weights_are_paid_through_the_same_app_and_one_seed_gives_one_digest(flower, tmp_path):
    digests = []
    for name in ("first", "second"):
        _, directory = quickstart(flower, tmp_path / name, strategy="weights", num_rounds=2)
        record = json.loads((directory / "run.json").read_text())
        digests.append(record["ledger"]["digest"])
    assert digests[0] == digests[1]
    assert sum(int(p["paid"]) for p in record["participants"]) == 2000 * WAD
    assert audit(directory) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"reward": 0}, "reward_per_round is 0; it must be 1 or more"),
        ({"strategy": "fedsoft"}, "choose chainfl, soft-labels, peer-prediction, role-rotation, weights or fedavg"),
        ({"alpha": "big"}, "run-config key 'alpha' is 'big'"),
        ({"ledger": "http://127.0.0.1:9"}, "needs an account to pay for transactions"),
    ],
)
def test_a_mistake_in_the_run_config_fails_the_run_with_its_reason(flower, tmp_path, config, message):
    outcome = run(flower, QUICKSTART, run_config={"run-directory": str(tmp_path), **config}, nodes=CLIENTS)
    assert outcome.status == "finished:failed"
    assert message in outcome.log


def test_a_misspelt_run_config_key_is_named_before_anything_starts():
    command = [sys.executable, "tools/flower_run.py", str(QUICKSTART), "--run-config", "num-round=3"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith("run-config key 'num-round' is unknown")
    assert "did you mean 'num-rounds'?" in answer.stderr
