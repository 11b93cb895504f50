// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISchedule} from "../interfaces/ISchedule.sol";
import {Split} from "../libraries/Split.sol";

/// @title Pays in proportion to the positive scores.
contract Proportional is ISchedule {
    /// @notice Scores below this earn nothing, WAD. It keeps chance from being paid: the score of a participant
    ///         that reports at random is 0 only on average.
    int256 public immutable minimumScore;

    error NegativeMinimumScore(int256 minimumScore);

    constructor(int256 minimumScore_) {
        if (minimumScore_ < 0) revert NegativeMinimumScore(minimumScore_);
        minimumScore = minimumScore_;
    }

    /// @inheritdoc ISchedule
    function split(uint256 budget, uint256 slashes, int256[] calldata scores, Facts calldata)
        external
        view
        returns (uint256[] memory amounts)
    {
        uint256[] memory weights = new uint256[](scores.length);
        for (uint256 i; i < scores.length; ++i) {
            if (scores[i] > 0 && scores[i] >= minimumScore) weights[i] = uint256(scores[i]);
        }
        return Split.largestRemainder(budget + slashes, weights);
    }
}
