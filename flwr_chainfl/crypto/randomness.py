"""The seed that a round's random draws begin with, made of its salts: twin of `seedOf` in contracts/FederatedTask.sol."""

from __future__ import annotations

from collections.abc import Mapping

from eth_abi.abi import encode

from flwr_chainfl.crypto.commitment import keccak256


def salts_entropy(salts: Mapping[str, bytes]) -> bytes:
    """Return what the revealed salts of a round come to, in whatever order they came.

    The last to reveal can see what the entropy would be without its own salt, and choose between the two; staying
    silent costs it a missing reveal. k participants who act together choose among 2^k.

    salts: 32 bytes, by checksummed address
    returns: 32 bytes, keccak256(abi.encode(participant, salt)) of all, in exclusive or; zero of none

    Source: docs/protocols/peer-prediction.md, "Randomness".
    """
    entropy = 0
    for participant, salt in salts.items():
        entropy ^= int.from_bytes(keccak256(encode(["address", "bytes32"], [participant, salt])), "big")
    return entropy.to_bytes(32, "big")


def round_seed(
    *, chain_id: int, task: str, round_number: int, entropy: bytes, word: bytes = bytes(32)
) -> bytes:
    """Return the seed of a round, which nobody knew before its last commitment.

    task: checksummed address; entropy: 32 bytes; word: 32 bytes, of the task's source of randomness, zero without one
    returns: 32 bytes, keccak256(abi.encode(chain_id, task, round, entropy ^ word))
    """
    mixed = bytes(a ^ b for a, b in zip(entropy, word, strict=True))
    return keccak256(encode(["uint256", "address", "uint32", "bytes32"], [chain_id, task, round_number, mixed]))
