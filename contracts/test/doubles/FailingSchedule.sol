// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISchedule} from "../../interfaces/ISchedule.sol";

/// @title A schedule that cannot split.
contract FailingSchedule is ISchedule {
    error Broken();

    function split(uint256, uint256, int256[] calldata, Facts calldata) external pure returns (uint256[] memory) {
        revert Broken();
    }
}
