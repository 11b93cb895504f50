// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The Merkle tree over a vector's units.
/// @notice Twin of `flwr_chainfl.crypto.vector_tree`. A leaf is the keccak256 of a unit; the leaves are filled up with zeros to a
///         power of two; an inner node is the keccak256 of its two children, left before right.
/// @dev All trees of a contract have one depth, so an inner node cannot stand for a unit.
library VectorTree {
    /// @notice Leaves of the tree over so many units: the next power of two.
    function width(uint256 units) internal pure returns (uint256 leaves) {
        leaves = 1;
        while (leaves < units) {
            leaves <<= 1;
        }
    }

    /// @notice Levels below the root of a tree of so many leaves, a power of two.
    function depth(uint256 leaves) internal pure returns (uint256 levels) {
        while (leaves > 1) {
            leaves >>= 1;
            ++levels;
        }
    }

    /// @notice The root that units and the siblings of their subtree lead to.
    /// @param data The units from `first` on, as many as there are of `span`.
    /// @param unit Bytes of a unit; the last one may be shorter.
    /// @param first A multiple of `span`.
    /// @param span A power of two.
    /// @param proofs Siblings, from the subtree up.
    /// @param from Where in `proofs` those of this vector begin; they go on for one n-th of all.
    /// @param levels How many there are.
    function rootOf(
        bytes memory data,
        uint256 unit,
        uint256 first,
        uint256 span,
        bytes32[] calldata proofs,
        uint256 from,
        uint256 levels
    ) internal pure returns (bytes32 node) {
        node = _subtree(data, unit, span);
        uint256 place = first / span;
        for (uint256 i = from; i < from + levels; ++i) {
            bytes32 sibling = proofs[i];
            node = place & 1 == 0 ? _pair(node, sibling) : _pair(sibling, node);
            place >>= 1;
        }
    }

    /// @notice A hash chain extended by the units of some bytes.
    function extend(bytes32 chain, bytes memory data, uint256 unit) internal pure returns (bytes32) {
        for (uint256 from; from < data.length; from += unit) {
            uint256 size = data.length - from < unit ? data.length - from : unit;
            chain = _pair(chain, _hash(data, from, size));
        }
        return chain;
    }

    function _subtree(bytes memory data, uint256 unit, uint256 span) private pure returns (bytes32) {
        bytes32[] memory nodes = new bytes32[](span);
        uint256 count;
        for (uint256 from; from < data.length; from += unit) {
            nodes[count++] = _hash(data, from, data.length - from < unit ? data.length - from : unit);
        }
        for (uint256 left = span; left > 1; left >>= 1) {
            for (uint256 i; i < left; i += 2) {
                nodes[i >> 1] = _pair(nodes[i], nodes[i + 1]);
            }
        }
        return nodes[0];
    }

    function _hash(bytes memory data, uint256 from, uint256 size) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(add(add(data, 0x20), from), size)
        }
    }

    function _pair(bytes32 left, bytes32 right) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            hash := keccak256(0x00, 0x40)
        }
    }
}
