// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Unweighted peer truth serum over hard labels.
/// @notice Twin of `flwr_chainfl.scoring.peer_truth_serum`, equal bit for bit.
/// @dev Source: Radanovic, Faltings, Jurca, "Incentives for effort in crowdsourcing using the peer truth serum",
///      ACM TIST 7(4):48, 2016; in the form of docs/protocols/soft-label.md. It cannot tell an honest majority
///      from a large coalition that relabels together.
library PeerTruthSerum {
    int256 internal constant WAD = 1e18;

    /// @notice Score every participant's labels against its peers'.
    /// @dev score_i = WAD * sum_k a_i(k) * (T + K) / ((c(k) - c_i(k) + m) * T) - WAD, where m is the number of
    ///      peers, a_i(k) how often a peer agrees with i on label k, c(k) how often k was reported. Each of the K
    ///      terms is rounded down. Fewer than 3 participants: all scores are 0.
    /// @param reports One byte a task, each below `classes`, all of one length.
    /// @param classes Number of classes K.
    /// @return scores WAD.
    function score(bytes[] memory reports, uint256 classes) internal pure returns (int256[] memory scores) {
        uint256 n = reports.length;
        scores = new int256[](n);
        if (n < 3) return scores;
        uint256 tasks = reports[0].length;

        uint256[] memory counts = new uint256[](n * classes); // c_i(k)
        uint256[] memory agreements = new uint256[](n * classes); // a_i(k)
        uint256[] memory totals = new uint256[](classes); // c(k)
        uint256[] memory votes = new uint256[](classes); // how often each label was given to one task
        for (uint256 t; t < tasks; ++t) {
            for (uint256 k; k < classes; ++k) {
                votes[k] = 0;
            }
            for (uint256 i; i < n; ++i) {
                ++votes[uint8(reports[i][t])];
            }
            for (uint256 i; i < n; ++i) {
                uint256 label = uint8(reports[i][t]);
                uint256 cell = i * classes + label;
                ++counts[cell];
                agreements[cell] += votes[label] - 1;
                ++totals[label];
            }
        }

        for (uint256 i; i < n; ++i) {
            uint256 sum;
            for (uint256 k; k < classes; ++k) {
                uint256 cell = i * classes + k;
                if (agreements[cell] == 0) continue;
                sum += agreements[cell] * (tasks + classes) * uint256(WAD)
                    / ((totals[k] - counts[cell] + n - 1) * tasks);
            }
            scores[i] = int256(sum) - WAD;
        }
    }
}
