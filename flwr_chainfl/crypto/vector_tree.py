"""The Merkle tree over a packed vector's units; twin of contracts/libraries/VectorTree.sol."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from flwr_chainfl.crypto.commitment import keccak256

_EMPTY = bytes(32)


@dataclass(frozen=True)
class VectorTree:
    """The tree of a vector.

    data: packed, whole words; unit: bytes of a unit, the last of which may be shorter

    >>> VectorTree(bytes(96), unit=64).units
    2
    """

    data: bytes
    unit: int

    @property
    def units(self) -> int:
        """Number of units."""
        return -(-len(self.data) // self.unit)

    @cached_property
    def _levels(self) -> list[list[bytes]]:
        """Nodes by level, from the leaves up."""
        leaves = [keccak256(self.data[i : i + self.unit]) for i in range(0, len(self.data), self.unit)]
        width = 1 << max(self.units - 1, 0).bit_length()
        levels = [leaves + [_EMPTY] * (width - len(leaves))]
        while len(levels[-1]) > 1:
            below = levels[-1]
            levels.append([keccak256(below[i] + below[i + 1]) for i in range(0, len(below), 2)])
        return levels

    @property
    def root(self) -> bytes:
        """32 bytes that commit to the vector."""
        return self._levels[-1][0]

    def part(self, first: int, span: int) -> bytes:
        """Return the units from `first` on, as many as there are of `span`."""
        return self.data[first * self.unit : (first + span) * self.unit]

    def proof(self, first: int, span: int) -> list[bytes]:
        """Return what leads from the units first … first + span − 1 to the root; span: a power of two that divides `first`."""
        level = span.bit_length() - 1
        place = first >> level
        siblings = []
        for nodes in self._levels[level:-1]:
            siblings.append(nodes[place ^ 1])
            place >>= 1
        return siblings


def vector_root(data: bytes, *, unit: int) -> bytes:
    """Return the root of a packed vector's tree, 32 bytes."""
    return VectorTree(data, unit).root


def unit_chain(data: bytes, *, unit: int, chain: bytes = _EMPTY) -> bytes:
    """Return the hash chain over a vector's units, which the contract keeps of an average."""
    for i in range(0, len(data), unit):
        chain = keccak256(chain + keccak256(data[i : i + unit]))
    return chain
