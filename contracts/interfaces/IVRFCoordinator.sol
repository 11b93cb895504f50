// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a consumer calls of a Chainlink VRF v2.5 coordinator.
/// @dev Names, order and types of the fields are the published ones, which the function's selector depends on.
interface IVRFCoordinator {
    /// @param keyHash Names the key that proves, and with it the highest gas price.
    /// @param subId Subscription that pays.
    /// @param requestConfirmations Blocks to wait before answering.
    /// @param callbackGasLimit Gas for the consumer's callback.
    /// @param numWords How many words.
    /// @param extraArgs `ExtraArgsV1` after the four bytes of its tag.
    struct RandomWordsRequest {
        bytes32 keyHash;
        uint256 subId;
        uint16 requestConfirmations;
        uint32 callbackGasLimit;
        uint32 numWords;
        bytes extraArgs;
    }

    /// @param nativePayment Whether the subscription pays in the chain's own currency rather than in LINK.
    struct ExtraArgsV1 {
        bool nativePayment;
    }

    /// @return requestId What the answer will carry.
    function requestRandomWords(RandomWordsRequest calldata request) external returns (uint256 requestId);
}
