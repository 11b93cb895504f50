// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";

/// @title Scores a contribution by the number of samples behind it, as FedAvg weights it.
/// @notice The number is the participant's own word, bounded by what it declared when it joined. Nothing here can
///         tell whether the samples exist.
contract SampleCountScorer is IScorer {
    int256 private constant WAD = 1e18;

    /// @inheritdoc IScorer
    /// @dev A report is the sample count as 8 bytes, big endian. One of another length, or above the count declared
    ///      at joining, scores 0.
    function score(bytes[] calldata reports, uint64[] calldata samples)
        external
        pure
        returns (int256[] memory scores)
    {
        scores = new int256[](reports.length);
        for (uint256 i; i < reports.length; ++i) {
            if (reports[i].length != 8) continue;
            uint64 count = uint64(bytes8(reports[i]));
            if (count <= samples[i]) scores[i] = int256(uint256(count)) * WAD;
        }
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "SampleCount/1";
    }
}
