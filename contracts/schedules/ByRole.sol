// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISchedule} from "../interfaces/ISchedule.sol";
import {Split} from "../libraries/Split.sol";

/// @title Gives each role a pool, and pays in proportion to the positive scores within it.
/// @notice Scores of different roles are never compared. The pool of a role in which nobody earned goes to the other
///         roles, in proportion to their shares.
contract ByRole is ISchedule {
    /// @notice Shares of the money, by role.
    uint64 public immutable workers;
    uint64 public immutable validators;
    uint64 public immutable miners;
    /// @notice A worker's score below this earns nothing, WAD.
    int256 public immutable minimumScore;

    error NegativeMinimumScore(int256 minimumScore);

    uint256 private constant ROLES = 3;

    constructor(uint64 workers_, uint64 validators_, uint64 miners_, int256 minimumScore_) {
        if (minimumScore_ < 0) revert NegativeMinimumScore(minimumScore_);
        (workers, validators, miners, minimumScore) = (workers_, validators_, miners_, minimumScore_);
    }

    /// @inheritdoc ISchedule
    function split(uint256 budget, uint256 slashes, int256[] calldata scores, Facts calldata facts)
        external
        view
        returns (uint256[] memory amounts)
    {
        uint256[][] memory weights = new uint256[][](ROLES);
        uint256[] memory shares = new uint256[](ROLES);
        uint64[ROLES] memory all = [workers, validators, miners];
        for (uint256 role; role < ROLES; ++role) {
            weights[role] = new uint256[](scores.length);
        }
        for (uint256 i; i < scores.length; ++i) {
            uint256 role = facts.roles[i];
            if (scores[i] <= 0 || (role == 0 && scores[i] < minimumScore)) continue;
            weights[role][i] = uint256(scores[i]);
            shares[role] = all[role];
        }
        uint256[] memory pools = Split.largestRemainder(budget + slashes, shares);
        amounts = new uint256[](scores.length);
        for (uint256 role; role < ROLES; ++role) {
            uint256[] memory parts = Split.largestRemainder(pools[role], weights[role]);
            for (uint256 i; i < scores.length; ++i) {
                amounts[i] += parts[i];
            }
        }
    }
}
