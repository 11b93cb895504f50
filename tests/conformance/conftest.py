import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from web3 import Web3

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.ledger import Ledger

ROOT = Path(__file__).parents[2]
REQUESTER = Wallet.derived(0, "requester")


def _binary() -> str | None:
    installed = sorted(ROOT.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    return shutil.which("anvil") or (str(installed[0]) if installed else None)


@pytest.fixture(scope="session")
def anvil() -> Iterator[str]:
    """Return the address of a development node on a free port."""
    binary = _binary()
    if binary is None:
        pytest.skip("anvil is missing: run npm ci")
    with subprocess.Popen([binary, "--port", "0"], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        address = next((line.split()[-1] for line in node.stdout if line.startswith("Listening on ")), None)
        assert address is not None, "anvil ended before it listened"
        drain = threading.Thread(target=deque, args=(node.stdout, 0))
        drain.start()
        yield f"http://{address}"
        node.terminate()
        node.wait()
        drain.join()


@pytest.fixture(scope="session")
def anvil_ledger(anvil: str) -> Ledger:
    Web3(Web3.HTTPProvider(anvil)).provider.make_request("anvil_setBalance", [REQUESTER.address, hex(10**24)])
    return Ledger.open(anvil, wallet=REQUESTER)


@pytest.fixture(scope="session")
def embedded_ledger() -> Ledger:
    return Ledger.open("embedded", wallet=REQUESTER)


@pytest.fixture(params=["embedded", "anvil"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Return each kind of ledger that this machine has; all tests of a session share it."""
    return request.getfixturevalue(f"{request.param}_ledger")
