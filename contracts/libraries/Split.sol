// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

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
        // The units left over are fewer than the parts with a remainder.
        for (; left > 0; --left) {
            uint256 largest;
            for (uint256 i = 1; i < n; ++i) {
                if (remainders[i] > remainders[largest]) largest = i;
            }
            remainders[largest] = 0;
            ++parts[largest];
        }
    }
}
