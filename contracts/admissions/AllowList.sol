// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {IAdmission} from "../interfaces/IAdmission.sol";

/// @title Admits the addresses on a list, of which only the root of a Merkle tree is kept.
/// @dev A leaf is keccak256(keccak256(abi.encode(participant))), as in OpenZeppelin's StandardMerkleTree: hashed twice,
///      so that no inner node passes for a leaf. A proof is the concatenation of the siblings, from the leaf up; it names
///      its participant and is no secret, so it may be used again.
contract AllowList is IAdmission {
    bytes32 public immutable root;

    constructor(bytes32 root_) {
        root = root_;
    }

    /// @inheritdoc IAdmission
    function check(address, address participant, uint256, bytes calldata proof) external view {
        bytes32[] memory siblings = new bytes32[](proof.length / 32);
        for (uint256 i; i < siblings.length; ++i) {
            siblings[i] = bytes32(proof[32 * i:]);
        }
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(participant))));
        if (proof.length % 32 != 0 || !MerkleProof.verify(siblings, root, leaf)) revert NotInvited(participant);
    }
}
