// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The peer truth serum, counted out: for each participant and class, compare every pair of reports.
/// @dev Slow on purpose, and sharing nothing with the library but the formula in its documentation.
library NaivePeerTruthSerum {
    function score(bytes[] memory reports, uint256 classes) internal pure returns (int256[] memory scores) {
        scores = new int256[](reports.length);
        if (reports.length < 3) return scores;
        for (uint256 i; i < reports.length; ++i) {
            int256 sum = -1 ether;
            for (uint256 k; k < classes; ++k) {
                sum += int256(_term(reports, i, bytes1(uint8(k)), classes));
            }
            scores[i] = sum;
        }
    }

    function _term(bytes[] memory reports, uint256 i, bytes1 k, uint256 classes) private pure returns (uint256) {
        uint256 agreed;
        uint256 byPeers;
        for (uint256 j; j < reports.length; ++j) {
            if (j == i) continue;
            for (uint256 t; t < reports[i].length; ++t) {
                if (reports[j][t] == k) ++byPeers;
                if (reports[i][t] == k && reports[j][t] == k) ++agreed;
            }
        }
        uint256 tasks = reports[i].length;
        return 1 ether * agreed * (tasks + classes) / ((byPeers + reports.length - 1) * tasks);
    }
}
