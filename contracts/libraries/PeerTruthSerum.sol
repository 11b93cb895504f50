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
        uint256[] memory cells = _count(reports, tasks, classes);

        uint256[] memory totals = new uint256[](classes); // c(k)
        for (uint256 cell; cell < cells.length; ++cell) {
            totals[cell % classes] += cells[cell] >> 128;
        }
        for (uint256 i; i < n; ++i) {
            uint256 sum;
            for (uint256 k; k < classes; ++k) {
                uint256 cell = cells[i * classes + k];
                uint256 agreements = uint128(cell);
                if (agreements == 0) continue;
                sum += agreements * (tasks + classes) * uint256(WAD) / ((totals[k] - (cell >> 128) + n - 1) * tasks);
            }
            scores[i] = int256(sum) - WAD;
        }
    }

    /// @dev For participant i and label k, at i * classes + k: c_i(k) in the upper and a_i(k) in the lower 128 bits.
    ///      In assembly because the loop runs for every label of every report: contracts/snapshots shows what a
    ///      dispute costs, and the plain version (contracts/test/NaivePeerTruthSerum.sol) must agree when fuzzed.
    function _count(bytes[] memory reports, uint256 tasks, uint256 classes)
        private
        pure
        returns (uint256[] memory cells)
    {
        uint256 n = reports.length;
        cells = new uint256[](n * classes);
        // How often each label was given to the task at hand: the task's number above, the count in the low 32 bits,
        // so that nothing has to be cleared between tasks.
        uint256[] memory votes = new uint256[](classes);
        assembly ("memory-safe") {
            let first := add(reports, 0x20)
            let end := add(first, shl(5, n))
            let stride := shl(5, classes)
            for { let t := 0 } lt(t, tasks) { t := add(t, 1) } {
                let fresh := shl(32, add(t, 1))
                for { let p := first } lt(p, end) { p := add(p, 0x20) } {
                    // The word that ends with the label; the label is its last byte.
                    let slot := add(add(votes, 0x20), shl(5, and(mload(add(mload(p), add(t, 1))), 0xff)))
                    let vote := mload(slot)
                    if lt(vote, fresh) { vote := fresh }
                    mstore(slot, add(vote, 1))
                }
                let row := add(cells, 0x20)
                for { let p := first } lt(p, end) { p := add(p, 0x20) } {
                    let offset := shl(5, and(mload(add(mload(p), add(t, 1))), 0xff))
                    let others := sub(and(mload(add(add(votes, 0x20), offset)), 0xffffffff), 1)
                    let cell := add(row, offset)
                    mstore(cell, add(mload(cell), or(shl(128, 1), others)))
                    row := add(row, stride)
                }
            }
        }
    }
}
