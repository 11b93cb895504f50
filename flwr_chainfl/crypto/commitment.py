"""Commitments that only their author can open: twin of `_reveal` in contracts/FederatedTask.sol."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte keccak256 hash of `data`."""
    return keccak(data)


def payload_hash(content_digest: bytes, report: bytes) -> bytes:
    """Return the hash that stands for a contribution: all of it, and the part that is scored.

    content_digest: 32 bytes, the SHA-256 digest inside the content's CID
    report: the bytes that the scorer reads
    returns: 32 bytes, keccak256(abi.encode(content_digest, keccak256(report)))
    """
    return keccak256(encode(["bytes32", "bytes32"], [content_digest, keccak256(report)]))


def commitment(
    *, chain_id: int, task: str, round_number: int, participant: str, payload: bytes, salt: bytes
) -> bytes:
    """Return the commitment of a participant to a payload in a round.

    The participant's own address is inside, so whoever copies the commitment cannot open it.

    task, participant: checksummed addresses
    payload: 32 bytes, from `payload_hash`
    salt: 32 bytes, secret until the reveal
    returns: 32 bytes

    Source: docs/protocols/README.md, "Commit, then reveal".
    """
    return keccak256(
        encode(
            ["uint256", "address", "uint32", "address", "bytes32", "bytes32"],
            [chain_id, task, round_number, participant, payload, salt],
        )
    )


def calibration_commitment(items: bytes, salt: bytes) -> bytes:
    """Return the requester's commitment to a round's calibration items.

    items: as `labels.pack_calibration` returns them
    salt: 32 bytes, secret until the items are revealed; there are few enough items to guess
    returns: 32 bytes, keccak256(abi.encode(items, salt))

    Source: docs/protocols/README.md, "Calibration items".
    """
    return keccak256(encode(["bytes", "bytes32"], [items, salt]))
