from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.crypto import TypedData, Wallet, recover
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import CommitRequest, Ledger
from flwr_chainfl.ledger.abi import load
from tests.federation import STAKE, Federation

STRANGER = Wallet.derived(8, "stranger")


@pytest.fixture(scope="module")
def federation(ledger: Ledger) -> Federation:
    """Participants 0 and 1 are selected in round 1; participant 2 holds all the tokens that a stake can have."""
    federation = Federation(ledger, participants=3, late_join=True).open()
    federation.task.join_for(federation.join_request(wallet) for wallet in federation.wallets[:2])
    federation.task.start()
    federation.task.next_round()
    ledger.mint(federation.token, federation.addresses[2:], 2**96 - 1 - STAKE)
    return federation


def _call(federation: Federation, function: str, *arguments: Any) -> None:
    """Run a call without changing anything; a refusal has the contract's name and arguments."""
    abi = load("FederatedTask")
    try:
        federation.ledger.chain.call(federation.task.address, abi.encode_call(function, arguments))
    except ContractError as error:
        decoded = abi.decode_error(bytes.fromhex(error.arguments["data"][2:]))
        assert decoded is not None
        raise ContractError(decoded[0], name=decoded[0], arguments=decoded[1]) from error


@settings(max_examples=40)
@given(st.integers(STAKE, 2**96 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**60))
def test_a_signed_wish_to_join_and_its_permit_are_accepted(
    federation: Federation, stake: int, samples: int, later: int
) -> None:
    deadline = federation.ledger.chain.now() + later
    wish = federation.join_request(federation.wallets[2], stake=stake, samples=samples, deadline=deadline)
    _call(federation, "joinTaskFor", [wish.as_tuple()])
    for changed in (replace(wish, samples=samples ^ 1), replace(wish, deadline=deadline + 1)):
        with pytest.raises(ContractError, match="InvalidSignature"):
            _call(federation, "joinTaskFor", [changed.as_tuple()])


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32).filter(lambda value: any(value[:31])))
def test_a_signed_commitment_is_accepted_from_its_author_only(federation: Federation, value: bytes) -> None:
    author = federation.wallets[0]
    _call(federation, "commitFor", 1, [federation.commit_request(author, 1, value).as_tuple()])
    forged = federation.commit_request(author, 1, value, signer=STRANGER)
    with pytest.raises(ContractError) as refusal:
        _call(federation, "commitFor", 1, [forged.as_tuple()])
    assert refusal.value.name == "InvalidSignature"
    assert refusal.value.arguments["recovered"] == STRANGER.address.lower()


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32).filter(lambda value: any(value[:31])))
def test_the_contract_recovers_whom_python_recovers(federation: Federation, signed: bytes, claimed: bytes) -> None:
    # A signature of one commitment, used for another: both sides must find the same wrong author.
    if signed == claimed:
        return
    author = federation.wallets[0]
    signature = federation.commit_request(author, 1, signed).signature
    statement = TypedData(
        domain=federation.task.domain, primary="Commit",
        message={"participant": author.address, "round": 1, "commitment": claimed},
    )
    wrong = CommitRequest(participant=author.address, commitment=claimed, signature=signature)
    with pytest.raises(ContractError) as refusal:
        _call(federation, "commitFor", 1, [wrong.as_tuple()])
    assert refusal.value.arguments["recovered"] == recover(statement, signature).lower()
