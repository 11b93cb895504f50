// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {IAdmission} from "../interfaces/IAdmission.sol";

/// @title Admits whom an inviter has signed an invitation for.
/// @notice An invitation is EIP-712 `Invitation(string purpose,address task,address participant,uint256 departures,uint256
///         deadline)` in the domain (name "Invitations", version "1", chainId). It is for one participant on one chain,
///         and for one stay: who left needs another one. `task` 0 stands for every task of that purpose.
/// @dev The domain names no contract and the purpose stands in for it, since devices are invited before the task and this
///      contract are deployed. Two tasks with one inviter and one purpose admit with the same invitations, unless these
///      name the task.
contract Invitations is IAdmission {
    bytes32 private constant DOMAIN_TYPEHASH = keccak256("EIP712Domain(string name,string version,uint256 chainId)");
    bytes32 private constant INVITATION_TYPEHASH = keccak256(
        "Invitation(string purpose,address task,address participant,uint256 departures,uint256 deadline)"
    );
    /// @dev Task, deadline, and a signature in the 64-byte form (EIP-2098).
    uint256 private constant PROOF_LENGTH = 128;

    address public immutable inviter;
    bytes32 public immutable purposeHash;

    error NoInviter();

    /// @param purpose What the invitations are for, in words that the inviter's wallet shows.
    constructor(address inviter_, string memory purpose) {
        if (inviter_ == address(0)) revert NoInviter();
        inviter = inviter_;
        purposeHash = keccak256(bytes(purpose));
    }

    /// @inheritdoc IAdmission
    function check(address task, address participant, uint256 departures, bytes calldata proof) external view {
        if (proof.length != PROOF_LENGTH) revert NotInvited(participant);
        (uint256 invitedTo, uint256 deadline, bytes32 r, bytes32 vs) =
            abi.decode(proof, (uint256, uint256, bytes32, bytes32));
        bytes32 structHash =
            keccak256(abi.encode(INVITATION_TYPEHASH, purposeHash, invitedTo, participant, departures, deadline));
        (address signer,,) = ECDSA.tryRecover(MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash), r, vs);
        if (signer != inviter || (invitedTo != 0 && invitedTo != uint160(task))) revert NotInvited(participant);
        if (block.timestamp > deadline) revert InvitationExpired(participant, deadline);
    }

    function _domainSeparator() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Invitations"), keccak256("1"), block.chainid));
    }
}
