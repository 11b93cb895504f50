import socket

import pytest
from eth_utils.address import to_checksum_address

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import (
    ConfigError,
    ContractError,
    LedgerError,
    LedgerUnreachableError,
    WrongChainError,
)
from flwr_chainfl.ledger import Ledger, Task
from tests.federation import guest

from .conftest import REQUESTER

NOBODY = to_checksum_address("0x" + "ab" * 20)


def test_a_node_that_does_not_answer_is_named_with_the_remedy() -> None:
    with socket.socket() as taken:  # bound but not listening, so that nobody answers there
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(LedgerUnreachableError, match=f"no Ethereum node answers at {url}; start one") as refusal:
            Ledger.open(url, wallet=REQUESTER)
    assert isinstance(refusal.value, ConnectionError)


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # web3 leaves it to the garbage collector
def test_a_socket_that_is_not_there_is_named() -> None:
    with pytest.raises(LedgerUnreachableError, match="no Ethereum node answers at ipc:/nonexistent/node.ipc"):
        Ledger.open("ipc:/nonexistent/node.ipc", wallet=REQUESTER)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:8545", "127.0.0.1:8545", "", "Embedded"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=f"ledger '{url}' is no ledger address; use 'embedded', 'http://HOST:PORT'"):
        Ledger.open(url, wallet=REQUESTER)


def test_a_node_needs_an_account() -> None:
    with pytest.raises(ConfigError, match="needs an account to pay for transactions; pass wallet="):
        Ledger.open("http://127.0.0.1:8545")


def test_a_node_of_another_chain_is_refused(anvil: str) -> None:
    with pytest.raises(WrongChainError, match="is of chain 31337, not 1; correct the address or the chain id"):
        Ledger.open(anvil, wallet=REQUESTER, chain_id=1)
    assert Ledger.open(anvil, wallet=REQUESTER, chain_id=31337).chain.chain_id == 31337


def test_a_development_ledger_says_so(ledger: Ledger) -> None:
    assert ledger.is_development


@pytest.mark.parametrize("address", [NOBODY, "no address", ""])
def test_no_contract_at_an_address_is_an_error_that_names_it(ledger: Ledger, address: str) -> None:
    with pytest.raises(LedgerError, match=f"no contract at {address} on chain {ledger.chain.chain_id}"):
        ledger.task(address)


def test_an_unknown_contract_cannot_be_deployed(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no compiled contract 'Casino' in this package"):
        ledger.deploy("Casino")


def test_only_the_minter_mints(ledger: Ledger) -> None:
    token = ledger.deploy_token()
    stranger = guest(ledger, Wallet.derived(8, "stranger"))
    with pytest.raises(ContractError):
        stranger.mint(token, [NOBODY], 1)
    ledger.mint(token, [NOBODY], 5)
    assert (ledger.token_balance(token, NOBODY), ledger.token_nonce(token, NOBODY)) == (5, 0)


def test_reading_what_is_no_task_is_an_error_of_the_ledger(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        Task(ledger.chain, ledger.deploy_token()).status  # noqa: B018
