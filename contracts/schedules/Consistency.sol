// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISchedule} from "../interfaces/ISchedule.sol";
import {Split} from "../libraries/Split.sol";

/// @title Pays in proportion to the positive scores, and more to those that earned in the rounds before, too.
/// @dev Twin of `flwr_chainfl.rewards.Consistency`. Source: docs/protocols/alignment.md; Wu and Seneviratne, arXiv 2502.14170.
contract Consistency is ISchedule {
    uint256 private constant WAD = 1e18;
    uint256 private constant MOST_ALPHA = 10 * WAD;
    uint256 private constant MOST_CAP = 100;

    /// @notice What each round in a row adds to a score, as a share of it, WAD.
    uint256 public immutable alpha;
    /// @notice Rounds in a row that count at most.
    uint256 public immutable cap;

    error AlphaTooLarge(uint256 alpha, uint256 maximum);
    error CapTooLarge(uint256 cap, uint256 maximum);

    constructor(uint256 alpha_, uint256 cap_) {
        if (alpha_ > MOST_ALPHA) revert AlphaTooLarge(alpha_, MOST_ALPHA);
        if (cap_ > MOST_CAP) revert CapTooLarge(cap_, MOST_CAP);
        (alpha, cap) = (alpha_, cap_);
    }

    /// @inheritdoc ISchedule
    function split(uint256 budget, uint256 slashes, int256[] calldata scores, Facts calldata facts)
        external
        view
        returns (uint256[] memory amounts)
    {
        uint256[] memory weights = new uint256[](scores.length);
        for (uint256 i; i < scores.length; ++i) {
            if (scores[i] <= 0) continue;
            uint256 rounds = facts.streaks[i] < cap ? facts.streaks[i] : cap;
            weights[i] = uint256(scores[i]) * (WAD + alpha * rounds) / WAD;
        }
        return Split.largestRemainder(budget + slashes, weights);
    }
}
