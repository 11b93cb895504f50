import pytest

from flwr_chainfl import EncryptionKey, Wallet
from flwr_chainfl.crypto import TypedData
from flwr_chainfl.errors import ContractError, LedgerError
from flwr_chainfl.ledger import KeyRequest, Keys, Ledger
from tests.federation import guest

OWNER, OTHER = Wallet.derived(9, "owner"), Wallet.derived(9, "other")
FIRST, SECOND = (EncryptionKey.derived(9, name).public for name in ("first", "second"))


def _request(keys: Keys, key_id: bytes, *, signer: Wallet = OWNER) -> KeyRequest:
    statement = TypedData(domain=keys.domain, primary="Key", message={"participant": OWNER.address, "keyId": key_id})
    return KeyRequest(participant=OWNER.address, key_id=key_id, signature=signer.sign(statement))


def test_a_key_is_registered_by_its_owners_signature_and_found_with_its_owner(ledger: Ledger) -> None:
    keys = ledger.deploy_keys()
    assert keys.key_id(OWNER.address) == bytes(32)
    keys.register_for([_request(keys, FIRST.key_id)])
    assert keys.key_id(OWNER.address) == FIRST.key_id
    keys.register_for([_request(keys, FIRST.key_id)])  # a relay that was cut off can send it again
    assert keys.registered() == {FIRST.key_id: OWNER.address}
    assert ledger.keys(keys.address).key_id(OWNER.address) == FIRST.key_id


def test_nobody_registers_a_key_for_somebody_else(ledger: Ledger) -> None:
    keys = ledger.deploy_keys()
    with pytest.raises(ContractError, match="let the participant sign again") as refusal:
        keys.register_for([_request(keys, FIRST.key_id, signer=OTHER)])
    assert refusal.value.name == "InvalidSignature"


def test_a_relayed_key_replaces_none_and_the_owners_own_call_does(ledger: Ledger) -> None:
    keys = ledger.deploy_keys()
    keys.register_for([_request(keys, FIRST.key_id)])
    with pytest.raises(ContractError, match="keep to the key that is registered") as refusal:
        keys.register_for([_request(keys, SECOND.key_id)])
    assert refusal.value.name == "AlreadyRegistered"
    own = guest(ledger, OWNER).keys(keys.address)
    own.register(SECOND.key_id)
    with pytest.raises(ContractError) as replayed:
        keys.register_for([_request(keys, FIRST.key_id)])  # who kept the old statement cannot bring the old key back
    assert replayed.value.name == "AlreadyRegistered"
    assert keys.key_id(OWNER.address) == SECOND.key_id


def test_there_is_no_empty_key_and_no_registry_without_contract(ledger: Ledger) -> None:
    keys = ledger.deploy_keys()
    with pytest.raises(ContractError) as refusal:
        keys.register(bytes(32))
    assert refusal.value.name == "EmptyKey"
    with pytest.raises(LedgerError, match="no contract at"):
        ledger.keys(OWNER.address)
