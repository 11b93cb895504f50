from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from web3 import Web3

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.ledger import Ledger
from flwr_chainfl.ledger.abi import load
from tests.nodes import anvil_binary, running_anvil

Twin = Callable[..., Any]


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """Open a node where there is one: it computes the same as the embedded chain, and far faster."""
    if anvil_binary() is None:
        ledger = Ledger.open()
        yield ledger
        ledger.close()
        return
    with running_anvil("--gas-limit", "10000000000") as url:
        wallet = Wallet.derived(0, "requester")
        Web3(Web3.HTTPProvider(url)).provider.make_request("anvil_setBalance", [wallet.address, hex(10**24)])
        yield Ledger.open(url, wallet=wallet)


@pytest.fixture(scope="session")
def twin(ledger: Ledger) -> Twin:
    """Call a function of a contract, which is deployed once for each of its constructor's arguments."""
    deploy = cache(ledger.deploy)

    def call(contract: str, arguments: tuple[Any, ...], function: str, *inputs: Any) -> Any:
        abi = load(contract)
        data = ledger.chain.call(deploy(contract, arguments), abi.encode_call(function, inputs))
        results = abi.decode_result(function, data)
        return results[0] if len(results) == 1 else results

    return call
