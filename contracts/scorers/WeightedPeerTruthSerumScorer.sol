// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {LabelReports} from "../libraries/LabelReports.sol";
import {WeightedPeerTruthSerum} from "../libraries/WeightedPeerTruthSerum.sol";
import {CheckedReports} from "./CheckedReports.sol";
import {LabelScorer} from "./LabelScorer.sol";

/// @title Scores hard labels on shared tasks by the peer truth serum, peers weighted by their quality.
/// @notice The unweighted scores weigh the votes on each task, and the agreement with the vote, which is the quality,
///         weighs the peers. With a calibration, only reports count that are above chance on it, so that a coalition
///         that relabels together is nobody's peer even where it has the majority.
contract WeightedPeerTruthSerumScorer is LabelScorer {
    /// @notice How many standard deviations above chance on the calibration a report must be.
    uint256 public immutable deviations;

    error DeviationsOutOfRange(uint256 deviations, uint256 minimum, uint256 maximum);

    /// @dev Keeps the comparison far inside 256 bits, and no report can be so far above chance.
    uint256 private constant MOST_DEVIATIONS = 10_000;

    constructor(uint256 classes_, uint256 tasks_, uint256 deviations_) LabelScorer(classes_, tasks_) {
        if (deviations_ > MOST_DEVIATIONS) revert DeviationsOutOfRange(deviations_, 0, MOST_DEVIATIONS);
        deviations = deviations_;
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "WeightedPeerTruthSerum/1";
    }

    /// @inheritdoc CheckedReports
    function _isAboveChance(bytes memory report, bytes memory calibration) internal view override returns (bool) {
        (uint256 hits, uint256 items) = LabelReports.countHits(report, calibration, classes);
        return LabelReports.isAboveChance(hits, items, classes, deviations);
    }

    /// @inheritdoc LabelScorer
    function _votesOf(int256[] memory scores) internal pure override returns (uint256[] memory) {
        return WeightedPeerTruthSerum.votesOf(scores);
    }

    /// @inheritdoc LabelScorer
    function _weightsOf(uint256[] memory agreements) internal view override returns (uint256[] memory) {
        return WeightedPeerTruthSerum.weightsOf(agreements, classes, tasks);
    }
}
