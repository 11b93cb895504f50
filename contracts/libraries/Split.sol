// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {LibSort} from "solady/src/utils/LibSort.sol";

/// @title Largest-remainder apportionment of a budget.
/// @notice Twin of `flwr_chainfl.rewards.split`, equal to the last unit.
library Split {
    /// @notice Split `budget` in proportion to `weights`; the parts add up to it.
    /// @dev Every part is rounded down; the units left over go one each to the largest remainders, ties to the
    ///      lowest index. All weights 0: all parts 0.
    /// @param budget Token units.
    /// @param weights Non-negative weights whose sum fits in 256 bits.
    /// @return parts Token units.
    function largestRemainder(uint256 budget, uint256[] memory weights)
        internal
        pure
        returns (uint256[] memory parts)
    {
        uint256 n = weights.length;
        parts = new uint256[](n);
        uint256 total;
        for (uint256 i; i < n; ++i) {
            total += weights[i];
        }
        if (total == 0) return parts;

        uint256[] memory remainders = new uint256[](n);
        uint256 left = budget;
        for (uint256 i; i < n; ++i) {
            parts[i] = Math.mulDiv(budget, weights[i], total);
            remainders[i] = mulmod(budget, weights[i], total);
            left -= parts[i];
        }
        if (left > 0) _giveToLargest(parts, remainders, left);
    }

    /// @dev Adds 1 to the `left` parts with the largest remainders; `left` is below the number of parts.
    function _giveToLargest(uint256[] memory parts, uint256[] memory remainders, uint256 left) private pure {
        uint256[] memory sorted = LibSort.copy(remainders);
        LibSort.sort(sorted);
        uint256 threshold = sorted[sorted.length - left];
        for (uint256 i; i < parts.length; ++i) {
            if (remainders[i] > threshold) {
                ++parts[i];
                --left;
            }
        }
        for (uint256 i; left > 0; ++i) {
            if (remainders[i] == threshold) {
                ++parts[i];
                --left;
            }
        }
    }
}
