from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.crypto import commitment, keccak256, payload_hash

TASK = "0x00000000000000000000000000000000000000aa"
AUTHOR = "0x00000000000000000000000000000000000000bb"
COPIER = "0x00000000000000000000000000000000000000CC"
OPENING = {"chain_id": 1, "task": TASK, "round_number": 2, "participant": AUTHOR, "payload": bytes(32), "salt": bytes(32)}


def test_keccak256_is_ethereum_s_and_not_sha3() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_a_commitment_is_the_hash_of_its_padded_fields() -> None:
    fields = (1).to_bytes(32), bytes.fromhex(TASK[2:]).rjust(32, b"\0"), (2).to_bytes(32), bytes.fromhex(
        AUTHOR[2:]
    ).rjust(32, b"\0"), bytes(32), bytes(32)
    assert commitment(**OPENING) == keccak256(b"".join(fields))


def test_every_field_of_a_commitment_counts() -> None:
    changes = [
        {"chain_id": 2}, {"task": COPIER}, {"round_number": 3}, {"participant": COPIER}, {"payload": b"\1" * 32},
        {"salt": b"\1" * 32},
    ]
    found = {commitment(**{**OPENING, **change}) for change in [{}, *changes]}
    assert len(found) == len(changes) + 1


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=50))
def test_a_payload_hash_stands_for_content_and_report(content_digest: bytes, report: bytes) -> None:
    assert payload_hash(content_digest, report) == keccak256(
        encode(["bytes32", "bytes32"], [content_digest, keccak256(report)])
    )
    assert payload_hash(content_digest, report) != payload_hash(content_digest, report + b"\0")
