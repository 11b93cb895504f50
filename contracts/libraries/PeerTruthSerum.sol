// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Peer truth serum over hard labels.
/// @notice Twin of `flwr_chainfl.scoring.peer_truth_serum`, equal bit for bit.
/// @dev Source: Radanovic, Faltings, Jurca, "Incentives for effort in crowdsourcing using the peer truth serum",
///      ACM TIST 7(4):48, 2016; in the form of docs/protocols/soft-label.md. Unweighted it cannot tell an honest
///      majority from a large coalition that relabels together.
///      The loops that run for every label are in assembly: contracts/snapshots shows what settling costs, and plain
///      versions (contracts/test/NaivePeerTruthSerum.sol and NaiveWeightedPeerTruthSerum.sol) must agree when fuzzed.
///      They take 32 tasks at a time, one word of labels of each report. Where the tasks end within a word, the rest
///      of it counts as a class of its own, number K, that nobody reads.
library PeerTruthSerum {
    int256 internal constant WAD = 1e18;
    /// @dev Tasks in a word of labels.
    uint256 internal constant WORD = 32;

    /// @notice Score every participant's labels against its peers', all of which weigh the same.
    /// @param reports One byte a task, each below `classes`, all of one length.
    /// @param classes Number of classes K.
    /// @return WAD, one each.
    function score(bytes[] memory reports, uint256 classes) internal pure returns (int256[] memory) {
        uint256 n = reports.length;
        if (n < 3) return new int256[](n);
        uint256[] memory weights = equal(n);
        uint256[] memory cells = noCells(n, classes);
        count(reports, weights, classes, cells);
        return scores(cells, weights, classes, reports[0].length);
    }

    /// @notice A weight of 1 for each of `n`.
    function equal(uint256 n) internal pure returns (uint256[] memory weights) {
        weights = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            weights[i] = 1;
        }
    }

    /// @notice The cells of `n` reports before anything is counted.
    function noCells(uint256 n, uint256 classes) internal pure returns (uint256[] memory) {
        return new uint256[](n * (classes + 1));
    }

    /// @notice Add to the cells what slices of the reports say.
    /// @dev The cell of participant i and label k is at i * (K + 1) + k. Its upper 128 bits are c_i(k), how often i
    ///      gave label k; its lower 128 bits are A_i(k), the weight of the peers that agreed with it there.
    /// @param slices The same tasks of every report, at least one; what follows a slice within its last word of
    ///        memory is overwritten.
    /// @param weights One a report.
    /// @param cells Changed in place.
    function count(bytes[] memory slices, uint256[] memory weights, uint256 classes, uint256[] memory cells)
        internal
        pure
    {
        uint256[] memory table = beginTable(slices, classes);
        uint256 length = slices[0].length;
        for (uint256 start; start < length; start += WORD) {
            tally(slices, weights, start, table);
            _credit(slices, weights, start, table, cells);
        }
    }

    /// @notice Scores from the cells of all tasks.
    /// @dev score_i = sum_k floor(WAD * A_i(k) * (T + K) / ((C_i(k) + M_i) * T)) - WAD, where M_i is the weight of
    ///      the peers and C_i(k) how often they gave label k, times their weights. No peer with a weight: 0. Fewer than
    ///      3 participants: all scores are 0.
    /// @return result WAD, one each.
    function scores(uint256[] memory cells, uint256[] memory weights, uint256 classes, uint256 tasks)
        internal
        pure
        returns (int256[] memory result)
    {
        uint256 n = weights.length;
        result = new int256[](n);
        if (n < 3) return result;
        unchecked {
            uint256[] memory totals = new uint256[](classes + 1);
            uint256 total;
            uint256 cell;
            for (uint256 i; i < n; ++i) {
                total += weights[i];
                for (uint256 k; k <= classes; ++k) {
                    totals[k] += (cells[cell++] >> 128) * weights[i];
                }
            }
            uint256 factor = (tasks + classes) * uint256(WAD);
            for (uint256 i; i < n; ++i) {
                uint256 peers = total - weights[i];
                if (peers == 0) continue;
                uint256 sum;
                cell = i * (classes + 1);
                for (uint256 k; k < classes; ++k) {
                    uint256 value = cells[cell++];
                    uint256 agreements = uint128(value);
                    if (agreements == 0) continue;
                    sum += agreements * factor / ((totals[k] - (value >> 128) * weights[i] + peers) * tasks);
                }
                result[i] = int256(sum) - WAD;
            }
        }
    }

    /// @notice Make slices ready to be tallied, and the table to tally them in.
    /// @dev Fills each slice's last word with label K.
    function beginTable(bytes[] memory slices, uint256 classes) internal pure returns (uint256[] memory table) {
        table = new uint256[](WORD * (classes + 1));
        uint256 length = slices[0].length;
        uint256 rest = length % WORD;
        if (rest == 0) return table;
        uint256 padding = type(uint256).max >> (8 * rest);
        uint256 filling = padding / 255 * classes;
        for (uint256 i; i < slices.length; ++i) {
            bytes memory slice = slices[i];
            assembly ("memory-safe") {
                let last := add(add(slice, 0x20), sub(length, rest))
                mstore(last, or(and(mload(last), not(padding)), filling))
            }
        }
    }

    /// @notice Add up the votes for each of the 32 tasks from `start`: for label k of task start + j at j * (K + 1) + k.
    /// @dev A weight of 0 changes nothing, so its labels are passed over.
    function tally(
        bytes[] memory slices,
        uint256[] memory weights,
        uint256 start,
        uint256[] memory table
    ) internal pure {
        assembly ("memory-safe") {
            let stride := mload(table) // of a task, in bytes: 32 times K + 1, as many as the table has words
            let first := add(table, 0x20)
            let end := add(first, shl(5, stride))
            calldatacopy(first, calldatasize(), shl(5, stride)) // zeros
            for { let i := mload(slices) } i { i := sub(i, 1) } {
                let weight := mload(add(weights, shl(5, i)))
                if iszero(weight) { continue }
                let labels := mload(add(add(mload(add(slices, shl(5, i))), 0x20), start))
                for { let row := first } lt(row, end) { labels := shl(128, labels) } {
                    let slot := add(row, shl(5, byte(0, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(1, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(2, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(3, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(4, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(5, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(6, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(7, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(8, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(9, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(10, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(11, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(12, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(13, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(14, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                    slot := add(row, shl(5, byte(15, labels)))
                    mstore(slot, add(mload(slot), weight))
                    row := add(row, stride)
                }
            }
        }
    }

    /// @dev Give each report, for each of its labels, the votes of its peers. `step` counts the label in the upper
    ///      half of the cell and takes the report's own vote out of the lower one.
    function _credit(
        bytes[] memory slices,
        uint256[] memory weights,
        uint256 start,
        uint256[] memory table,
        uint256[] memory cells
    ) private pure {
        assembly ("memory-safe") {
            let stride := mload(table)
            let first := add(table, 0x20)
            let end := add(first, shl(5, stride))
            let own := add(add(cells, 0x20), mul(stride, mload(slices)))
            for { let i := mload(slices) } i { i := sub(i, 1) } {
                own := sub(own, stride)
                let step := sub(shl(128, 1), mload(add(weights, shl(5, i))))
                let labels := mload(add(add(mload(add(slices, shl(5, i))), 0x20), start))
                for { let row := first } lt(row, end) { labels := shl(128, labels) } {
                    let label := shl(5, byte(0, labels))
                    let cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(1, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(2, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(3, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(4, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(5, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(6, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(7, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(8, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(9, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(10, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(11, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(12, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(13, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(14, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                    label := shl(5, byte(15, labels))
                    cell := add(own, label)
                    mstore(cell, add(add(mload(cell), step), mload(add(row, label))))
                    row := add(row, stride)
                }
            }
        }
    }
}
