// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a contribution is worth.
/// @notice A scorer is stateless: the same reports give the same scores, on any chain and in Python.
interface IScorer {
    /// @notice Score the reports of one round.
    /// @dev Must not revert on malformed reports: a malformed report scores 0 and counts for nobody else,
    ///      so that no participant can block the others' pay.
    /// @param reports What each participant revealed, participants in ascending order of address.
    /// @param samples The sample count that each participant declared when it joined.
    /// @return scores One score each, WAD (1e18 = 1.0), possibly negative.
    function score(bytes[] calldata reports, uint64[] calldata samples)
        external
        view
        returns (int256[] memory scores);

    /// @notice Name and version of the formula, quoted in every receipt.
    function version() external view returns (bytes32);
}
