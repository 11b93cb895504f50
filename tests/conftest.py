import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from flwr_chainfl.ledger import Ledger
from tests.nodes import IPFS_MISSING, ipfs_installed, running_ipfs

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def embedded() -> Iterator[Ledger]:
    ledger = Ledger.open()
    yield ledger
    ledger.close()


@pytest.fixture(scope="session")
def ipfs() -> Iterator[str]:
    """Return the address of a real IPFS node's RPC."""
    if not ipfs_installed():
        pytest.skip(IPFS_MISSING)
    with running_ipfs() as url:
        yield url
