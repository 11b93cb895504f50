"""A Merkle tree over addresses: one hash that stands for a list, and short proofs that an address is on it."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode

from flwr_chainfl.crypto import keccak256


class MerkleTree:
    """The tree of OpenZeppelin's StandardMerkleTree over values of type address, which AllowList.sol verifies.

    addresses: checksummed, each once, one or more; their order changes nothing

    Source: docs/contracts.md, "Admission".
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        leaves = sorted(leaf(address) for address in addresses)
        inner = len(leaves) - 1
        self._nodes = [b""] * inner + leaves[::-1]
        for index in reversed(range(inner)):
            self._nodes[index] = _parent(self._nodes[2 * index + 1], self._nodes[2 * index + 2])
        self._places = {node: index for index, node in enumerate(self._nodes) if index >= inner}

    @property
    def root(self) -> bytes:
        """The 32-byte root."""
        return self._nodes[0]

    def proof(self, address: str) -> bytes:
        """Return the siblings from an address's leaf up, 32 bytes each; raises KeyError for one that is not on the list."""
        index = self._places[leaf(address)]
        siblings = []
        while index > 0:
            siblings.append(self._nodes[index + 1 if index % 2 else index - 1])
            index = (index - 1) // 2
        return b"".join(siblings)


def leaf(address: str) -> bytes:
    """Return an address's leaf; it is hashed twice, so that no inner node passes for one."""
    return keccak256(keccak256(encode(["address"], [address])))


def _parent(a: bytes, b: bytes) -> bytes:
    return keccak256(a + b if a < b else b + a)
