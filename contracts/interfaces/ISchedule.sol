// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title How a round's budget splits among the scored participants.
/// @notice A schedule is stateless.
interface ISchedule {
    /// @notice Split a budget.
    /// @param budget Token units to split.
    /// @param scores WAD, participants in ascending order of address.
    /// @return amounts Token units; they add up to `budget`, or are all 0 when nobody earned.
    function split(uint256 budget, int256[] calldata scores) external view returns (uint256[] memory amounts);
}
