// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {PeerTruthSerum} from "../libraries/PeerTruthSerum.sol";

/// @title Scores hard labels on shared tasks by the unweighted peer truth serum.
contract PeerTruthSerumScorer is IScorer {
    /// @notice Number of classes K; labels are 0 … K-1.
    uint256 public immutable classes;
    /// @notice Number of labels in a report, one byte each.
    uint256 public immutable tasks;

    error ClassesOutOfRange(uint256 classes, uint256 minimum, uint256 maximum);
    error TasksOutOfRange(uint256 tasks, uint256 minimum, uint256 maximum);

    /// @dev A published report is one contract's code (EIP-170), less the byte that keeps it from being run.
    uint256 private constant MOST_TASKS = 24_575;

    constructor(uint256 classes_, uint256 tasks_) {
        if (classes_ < 2 || classes_ > 255) revert ClassesOutOfRange(classes_, 2, 255);
        if (tasks_ == 0 || tasks_ > MOST_TASKS) revert TasksOutOfRange(tasks_, 1, MOST_TASKS);
        classes = classes_;
        tasks = tasks_;
    }

    /// @inheritdoc IScorer
    /// @dev A report of another length or with a label that is no class scores 0 and is nobody's peer.
    function score(bytes[] calldata reports, uint64[] calldata) external view returns (int256[] memory scores) {
        uint256 n = reports.length;
        bytes[] memory valid = new bytes[](n);
        uint256[] memory positions = new uint256[](n);
        uint256 count;
        for (uint256 i; i < n; ++i) {
            if (!_isValid(reports[i])) continue;
            valid[count] = reports[i];
            positions[count] = i;
            ++count;
        }
        bytes[] memory peers = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            peers[i] = valid[i];
        }

        int256[] memory peerScores = PeerTruthSerum.score(peers, classes);
        scores = new int256[](n);
        for (uint256 i; i < count; ++i) {
            scores[positions[i]] = peerScores[i];
        }
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "PeerTruthSerum/1";
    }

    function _isValid(bytes calldata report) private view returns (bool) {
        uint256 length = report.length;
        if (length != tasks) return false;
        uint256 limit = classes;
        unchecked {
            for (uint256 t; t < length; ++t) {
                if (uint8(report[t]) >= limit) return false;
            }
        }
        return true;
    }
}
