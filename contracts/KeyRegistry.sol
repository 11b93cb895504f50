// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Which key each participant's contents are to be sealed for.
/// @notice What is registered is the hash of a public key, which is the digest in the content address of its bytes. So
///         nobody who hands the key on, not even whoever runs the server, can give another one in its place.
/// @dev A statement is EIP-712 `Key(address participant,bytes32 keyId)` in the domain of this contract. A relayed statement
///      counts only as a participant's first, so that nobody can bring an old key back; a later one comes from the
///      participant's own account.
contract KeyRegistry {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant KEY_TYPEHASH = keccak256("Key(address participant,bytes32 keyId)");

    /// @dev The 64-byte form of EIP-2098.
    struct Signature {
        bytes32 r;
        bytes32 vs;
    }

    struct KeyRequest {
        address participant;
        bytes32 keyId;
        Signature signature;
    }

    /// @notice SHA-256 of a participant's public key; 0 for none.
    mapping(address participant => bytes32) public keyOf;

    event KeyRegistered(address indexed participant, bytes32 keyId);

    error EmptyKey(address participant);
    error AlreadyRegistered(address participant, bytes32 keyId);
    error InvalidSignature(address participant, address recovered);

    /// @notice Register or replace the caller's own key.
    function registerKey(bytes32 keyId) external {
        _register(msg.sender, keyId);
    }

    /// @notice Register the first keys of participants that signed for it; anyone may relay. Those that are registered
    ///         already as asked for are passed over.
    function registerKeyFor(KeyRequest[] calldata requests) external {
        for (uint256 i; i < requests.length; ++i) {
            KeyRequest calldata request = requests[i];
            bytes32 known = keyOf[request.participant];
            if (known != 0 && known == request.keyId) continue;
            if (known != 0) revert AlreadyRegistered(request.participant, known);
            bytes32 hash = MessageHashUtils.toTypedDataHash(
                _domainSeparator(), keccak256(abi.encode(KEY_TYPEHASH, request.participant, request.keyId))
            );
            (address recovered,,) = ECDSA.tryRecover(hash, request.signature.r, request.signature.vs);
            if (recovered != request.participant || recovered == address(0)) {
                revert InvalidSignature(request.participant, recovered);
            }
            _register(request.participant, request.keyId);
        }
    }

    function _register(address participant, bytes32 keyId) private {
        if (keyId == 0) revert EmptyKey(participant);
        keyOf[participant] = keyId;
        emit KeyRegistered(participant, keyId);
    }

    function _domainSeparator() private view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("KeyRegistry"), keccak256("1"), block.chainid, address(this))
        );
    }
}
