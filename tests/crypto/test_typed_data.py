import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.crypto import Domain, Signature, TypedData, Wallet, decoder_statement, recover
from flwr_chainfl.errors import SignatureError

WALLET = Wallet.derived(1, "author")
DOMAIN = Domain(name="FederatedTask", version="1", chain_id=5, contract="0x" + "11" * 20)


def _commit(value: bytes, domain: Domain = DOMAIN) -> TypedData:
    message = {"participant": WALLET.address, "round": 3, "commitment": value}
    return TypedData(domain=domain, primary="Commit", message=message)


@given(st.binary(min_size=32, max_size=32))
def test_a_signature_names_its_author_after_a_round_trip_in_compact_form(value: bytes) -> None:
    signature = WALLET.sign(_commit(value))
    compact = signature.to_bytes()
    assert len(compact) == 64
    assert Signature.from_bytes(compact) == signature
    assert recover(_commit(value), Signature.from_bytes(compact)) == WALLET.address


@given(st.sampled_from([27, 28]), st.integers(1, 2**256 - 1), st.integers(1, 2**255 - 1))
def test_the_parity_is_in_the_highest_bit_of_s(v: int, r: int, s: int) -> None:
    signature = Signature.from_parts(r, s, v)
    assert signature.vrs() == (v, r, s)
    assert signature.vs[0] >> 7 == v - 27


def test_a_signature_is_the_same_each_time() -> None:
    assert WALLET.sign(_commit(bytes(32))) == WALLET.sign(_commit(bytes(32)))


def test_a_decoder_s_signature_holds_for_its_histogram_task_and_participant_alone() -> None:
    said = {"participant": WALLET.address, "decoder": b"\x07" * 32, "histogram": [3, 0, 5]}
    signature = WALLET.sign(decoder_statement(DOMAIN, **said))
    assert recover(decoder_statement(DOMAIN, **said), signature) == WALLET.address
    other_task = Domain(name="FederatedTask", version="1", chain_id=5, contract="0x" + "22" * 20)
    for domain, changed in [
        (DOMAIN, {"histogram": [3, 0, 6]}),
        (DOMAIN, {"histogram": [3, 5]}),
        (DOMAIN, {"decoder": b"\x08" * 32}),
        (DOMAIN, {"participant": "0x" + "33" * 20}),
        (other_task, {}),
    ]:
        assert recover(decoder_statement(domain, **{**said, **changed}), signature) != WALLET.address


def test_another_key_is_recovered_as_another_author() -> None:
    signature = Wallet.derived(1, "somebody else").sign(_commit(bytes(32)))
    assert recover(_commit(bytes(32)), signature) != WALLET.address


@pytest.mark.parametrize(
    "domain",
    [
        Domain(name="FederatedTask", version="1", chain_id=6, contract=DOMAIN.contract),
        Domain(name="FederatedTask", version="1", chain_id=5, contract="0x" + "22" * 20),
        Domain(name="FederatedTask", version="2", chain_id=5, contract=DOMAIN.contract),
    ],
)
def test_a_signature_for_one_contract_and_chain_holds_nowhere_else(domain: Domain) -> None:
    assert recover(_commit(bytes(32), domain), WALLET.sign(_commit(bytes(32)))) != WALLET.address


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused_by_value(length: int) -> None:
    with pytest.raises(SignatureError, match=f"signature has {length} bytes; .* has 64"):
        Signature.from_bytes(bytes(length))


@pytest.mark.parametrize("signature", [Signature(bytes(32), bytes(32)), Signature(b"\xff" * 32, b"\x01" * 32)])
def test_bytes_that_are_no_signature_are_refused(signature: Signature) -> None:
    with pytest.raises(SignatureError, match="the Commit signature is malformed .*; sign it again"):
        recover(_commit(bytes(32)), signature)
