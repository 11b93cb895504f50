from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from flwr_chainfl.ledger import Ledger
from flwr_chainfl.ledger.abi import load

Twin = Callable[..., Any]


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    ledger = Ledger.open()
    yield ledger
    ledger.close()


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
