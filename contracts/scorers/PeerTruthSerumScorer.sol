// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {PeerTruthSerum} from "../libraries/PeerTruthSerum.sol";
import {CheckedReports} from "./CheckedReports.sol";
import {LabelScorer} from "./LabelScorer.sol";

/// @title Scores hard labels on shared tasks by the unweighted peer truth serum.
/// @notice The quality is the share of tasks on which a report agrees with the majority. A calibration is not used.
contract PeerTruthSerumScorer is LabelScorer {
    constructor(uint256 classes_, uint256 tasks_) LabelScorer(classes_, tasks_) {}

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "PeerTruthSerum/1";
    }

    /// @inheritdoc CheckedReports
    function _isAboveChance(bytes memory, bytes memory) internal pure override returns (bool) {
        return true;
    }

    /// @inheritdoc LabelScorer
    function _votesOf(int256[] memory scores) internal pure override returns (uint256[] memory) {
        return PeerTruthSerum.equal(scores.length);
    }

    /// @inheritdoc LabelScorer
    function _weightsOf(uint256[] memory) internal pure override returns (uint256[] memory none) {}
}
