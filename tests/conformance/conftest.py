from collections.abc import Iterator

import pytest
from web3 import Web3

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.ledger import Ledger
from tests.nodes import ANVIL_MISSING, anvil_binary, running_anvil

REQUESTER = Wallet.derived(0, "requester")


@pytest.fixture(scope="session")
def anvil() -> Iterator[str]:
    """Return the address of a development node on a free port."""
    if anvil_binary() is None:
        pytest.skip(ANVIL_MISSING)
    with running_anvil() as url:
        yield url


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
