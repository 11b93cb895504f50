// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IScorer} from "../interfaces/IScorer.sol";

/// @title Scores a contribution by the number of samples behind it, as FedAvg weights it.
/// @notice The number is the participant's own word, bounded by what it declared when it joined. Nothing here can
///         tell whether the samples exist, nor how good they are: the quality of every usable report is 1.
contract SampleCountScorer is IScorer {
    uint256 private constant WAD = 1e18;
    uint256 private constant LENGTH = 8;

    /// @inheritdoc IScorer
    /// @dev A report is the sample count as 8 bytes, big endian. One of another length, or above the count declared
    ///      at joining, scores 0 and has quality 0. A calibration is not used.
    function score(bytes[] calldata reports, Facts calldata facts)
        external
        pure
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        uint256 n = reports.length;
        (scores, qualities) = (new int256[](n), new uint256[](n));
        for (uint256 i; i < n; ++i) {
            if (reports[i].length != LENGTH) continue;
            (scores[i], qualities[i]) = _score(bytes8(reports[i]), facts.samples[i]);
        }
    }

    /// @inheritdoc IScorer
    /// @dev Takes one call, whatever the work is.
    function resume(
        address[] calldata reports,
        Facts calldata facts,
        bytes calldata,
        uint256
    ) external view returns (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities) {
        uint256 n = reports.length;
        (done, next) = (true, "");
        (scores, qualities) = (new int256[](n), new uint256[](n));
        for (uint256 i; i < n; ++i) {
            if (reports[i].code.length != LENGTH + 1) continue;
            (scores[i], qualities[i]) = _score(bytes8(SSTORE2.read(reports[i])), facts.samples[i]);
        }
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "SampleCount/1";
    }

    function _score(bytes8 report, uint64 declared) private pure returns (int256, uint256) {
        uint256 count = uint64(report);
        return count <= declared ? (int256(count * WAD), WAD) : (int256(0), 0);
    }
}
