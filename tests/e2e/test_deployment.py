"""The quickstart, unchanged, on Flower's deployment engine: one SuperLink, three SuperNodes with keys, a chain."""

import json
import subprocess
from contextlib import ExitStack

import pytest

from flwr_chainfl import Ledger, Wallet
from flwr_chainfl.audit import audit
from flwr_chainfl.fixedpoint import WAD
from tests.nodes import ANVIL_MISSING, DEV_KEY, ROOT, anvil_binary, running_anvil
from tools.flower_run import free_ports, run, stop, superlink

pytestmark = [pytest.mark.slow, pytest.mark.skipif(anvil_binary() is None, reason=ANVIL_MISSING)]
NODES = 3
PASSWORD = "correct horse"


@pytest.fixture
def keystores(tmp_path):
    """The requester's keystore (anvil's rich account) and one for each device."""
    Wallet.import_keystore(tmp_path / "requester.json", DEV_KEY, PASSWORD, iterations=2)
    return [Wallet.create_keystore(tmp_path / f"device-{i}.json", PASSWORD, iterations=2) for i in range(NODES)]


def test_devices_with_their_own_keys_are_paid_on_a_chain(tmp_path, keystores, monkeypatch):
    monkeypatch.setenv("CHAINFL_PASSWORD", PASSWORD)
    monkeypatch.setenv("FLWR_SUPEREXEC_TASK_POLL_INTERVAL", "0.1")
    with ExitStack() as stack:
        url = stack.enter_context(running_anvil())
        flower = stack.enter_context(superlink(tmp_path / "flwr", simulation=False))
        for index in range(NODES):
            (port,) = free_ports(1)
            node_config = (
                f'partition-id={index} num-partitions={NODES} stake=100 keystore="{tmp_path / f"device-{index}.json"}"'
            )
            command = ["flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{flower.port}",
                       "--port", str(port), "--node-config", node_config]  # fmt: skip
            log = stack.enter_context((tmp_path / f"node-{index}.log").open("wb"))
            environment = {**flower.environment, "FLWR_HOME": str(tmp_path / f"home-{index}")}
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            stack.callback(stop, process)
        config = {"num-clients": NODES, "num-rounds": 2, "ledger": url, "keystore": str(tmp_path / "requester.json"),
                  "challenge-seconds": 2, "run-directory": str(tmp_path / "runs")}  # fmt: skip
        outcome = run(flower, ROOT / "examples" / "quickstart", run_config=config, nodes=None)
        assert outcome.ok, outcome.log[-3000:]
        directory = tmp_path / "runs" / "latest"
        record = json.loads((directory / "run.json").read_text())
        assert record["ledger"]["url"] == url
        assert {p["address"] for p in record["participants"]} == {wallet.address for wallet in keystores}
        assert audit(directory) == []
        ledger = Ledger.read(url)
        token = record["config"]["settings"]["token"]
        for person in record["participants"]:
            owned = ledger.token_balance(token, person["address"])
            assert owned == 100 * WAD + int(person["paid"]) - int(person["slashed"])
        assert sum(int(p["paid"]) for p in record["participants"]) > 0
        assert record["conservation"]["locked"] == record["conservation"]["dust"] == "0"
