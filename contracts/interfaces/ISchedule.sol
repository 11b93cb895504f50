// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title How a round's budget splits among the scored participants.
/// @notice A schedule is stateless.
interface ISchedule {
    /// @notice What a split may rest on besides the scores; one entry a participant, ascending by address.
    /// @param roles 0: worker, 1: validator, 2: miner.
    /// @param streaks In how many rounds in a row before this one the participant scored above 0, as far as the task
    ///        counts; void rounds neither count nor interrupt.
    struct Facts {
        uint8[] roles;
        uint32[] streaks;
    }

    /// @notice Split a round's money.
    /// @param budget Token units of the round itself, with what earlier rounds left to it.
    /// @param slashes Token units that were taken from stakes for this round's scores; paid with it.
    /// @param scores WAD, participants in ascending order of address.
    /// @return amounts Token units; they add up to `budget + slashes`, or are all 0 when nobody earned.
    function split(uint256 budget, uint256 slashes, int256[] calldata scores, Facts calldata facts)
        external
        view
        returns (uint256[] memory amounts);
}
