// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISchedule} from "../../interfaces/ISchedule.sol";

/// @title A schedule that gives half of a budget to the first.
contract StingySchedule is ISchedule {
    function split(uint256 budget, uint256 slashes, int256[] calldata scores, Facts calldata)
        external
        pure
        returns (uint256[] memory amounts)
    {
        amounts = new uint256[](scores.length);
        amounts[0] = (budget + slashes) / 2;
    }
}
