// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";

/// @dev Facts of a round in which everybody is a worker and nobody judges anybody.
function plainFacts(uint64[] memory samples, bytes memory calibration, bytes32 seed)
    pure
    returns (IScorer.Facts memory facts)
{
    uint256 n = samples.length;
    return IScorer.Facts(samples, calibration, seed, new uint8[](n), new uint64[][](n), new bool[](n));
}

/// @dev The same for a split among `n`.
function plainSplit(uint256 n) pure returns (ISchedule.Facts memory facts) {
    return ISchedule.Facts(new uint8[](n), new uint32[](n));
}
