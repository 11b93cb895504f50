// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Where a round's random word comes from, besides the salts.
/// @notice A task mixes the word into its round's seed. One source can serve many tasks.
interface IRandomness {
    error WordMissing(address task, uint32 round);

    /// @notice The word of a task's round, drawn once its reveals were over; reverts with `WordMissing` before.
    function wordOf(address task, uint32 round) external view returns (bytes32);
}
