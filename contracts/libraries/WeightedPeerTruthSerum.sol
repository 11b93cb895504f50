// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PeerTruthSerum} from "./PeerTruthSerum.sol";

/// @title What weighs a peer: its unweighted score as its vote, its agreement with the vote as its weight.
/// @notice Twin of `flwr_chainfl.scoring.weighted_peer_truth_serum`, equal bit for bit.
/// @dev Source: docs/protocols/soft-label.md, "Weighted peer truth serum". The weighted scores themselves are
///      `PeerTruthSerum.scores`.
library WeightedPeerTruthSerum {
    uint256 private constant MICRO = 1e6;
    /// @dev WAD over MICRO.
    int256 private constant WAD_PER_MICRO = 1e12;

    /// @notice Votes from unweighted scores: the positive ones in MICRO, and 1 each where there is none.
    function votesOf(int256[] memory scores) internal pure returns (uint256[] memory votes) {
        uint256 n = scores.length;
        votes = new uint256[](n);
        bool any;
        for (uint256 i; i < n; ++i) {
            if (scores[i] < WAD_PER_MICRO) continue;
            votes[i] = uint256(scores[i] / WAD_PER_MICRO);
            any = true;
        }
        if (!any) return PeerTruthSerum.equal(n);
    }

    /// @notice Weights from agreements with the vote: (K * q - 1) / (K - 1) in MICRO, and 0 for chance and below.
    function weightsOf(uint256[] memory agreements, uint256 classes, uint256 tasks)
        internal
        pure
        returns (uint256[] memory weights)
    {
        uint256 n = agreements.length;
        weights = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            uint256 scaled = classes * agreements[i];
            if (scaled > tasks) weights[i] = (scaled - tasks) * MICRO / ((classes - 1) * tasks);
        }
    }

    /// @notice Add how often each report agrees with the label that the vote of all gives a task.
    /// @dev A tie goes to the first of the tied classes at or after class t mod K, going up and around, so that no
    ///      class gains by its number.
    /// @param slices As for `PeerTruthSerum.count`.
    /// @param from Number of the slices' first task.
    /// @param agreements One a report; changed in place.
    function countAgreements(
        bytes[] memory slices,
        uint256[] memory votes,
        uint256 classes,
        uint256 from,
        uint256[] memory agreements
    ) internal pure {
        uint256[] memory table = PeerTruthSerum.beginTable(slices, classes);
        (bytes memory leader, uint256 half) = _leader(slices, votes);
        uint256 length = slices[0].length;
        for (uint256 start; start < length; start += PeerTruthSerum.WORD) {
            PeerTruthSerum.tally(slices, votes, start, table);
            uint256 tasks = length - start < PeerTruthSerum.WORD ? length - start : PeerTruthSerum.WORD;
            uint256 guess;
            assembly ("memory-safe") {
                guess := mload(add(add(leader, 0x20), start))
            }
            _compare(slices, start, _consensus(table, from + start, tasks, guess, half), agreements);
        }
    }

    /// @dev The report with the largest vote, and half of all votes.
    function _leader(bytes[] memory slices, uint256[] memory votes)
        private
        pure
        returns (bytes memory leader, uint256 half)
    {
        uint256 largest;
        uint256 index;
        for (uint256 i; i < slices.length; ++i) {
            half += votes[i];
            if (votes[i] > largest) (largest, index) = (votes[i], i);
        }
        leader = slices[index];
        half /= 2;
    }

    /// @dev The labels of up to 32 tasks, one a byte, 0 for those that are not there. A label with more than half of
    ///      all votes needs no search, and what the leader says mostly has them.
    function _consensus(uint256[] memory table, uint256 task, uint256 tasks, uint256 guess, uint256 half)
        private
        pure
        returns (uint256 consensus)
    {
        assembly ("memory-safe") {
            let row := add(table, 0x20)
            let classes := sub(shr(5, mload(table)), 1)
            for { let j := 0 } lt(j, tasks) { j := add(j, 1) } {
                let label := byte(j, guess)
                if iszero(gt(mload(add(row, shl(5, label))), half)) {
                    let most := 0
                    let k := mod(add(task, j), classes)
                    for { let left := classes } left { left := sub(left, 1) } {
                        let count := mload(add(row, shl(5, k)))
                        if gt(count, most) {
                            most := count
                            label := k
                        }
                        k := add(k, 1)
                        if eq(k, classes) { k := 0 }
                    }
                }
                consensus := or(consensus, shl(sub(248, shl(3, j)), label))
                row := add(row, mload(table))
            }
        }
    }

    /// @dev Count the bytes in which each report equals the consensus: in the difference, a byte's highest bit is made
    ///      to tell whether any of its bits is set.
    function _compare(bytes[] memory slices, uint256 start, uint256 consensus, uint256[] memory agreements) private pure {
        assembly ("memory-safe") {
            let ones := div(not(0), 255)
            let low := mul(ones, 0x7f)
            for { let i := mload(slices) } i { i := sub(i, 1) } {
                let difference := xor(mload(add(add(mload(add(slices, shl(5, i))), 0x20), start)), consensus)
                let differing := or(add(and(difference, low), low), difference)
                let equal := shr(7, and(not(differing), shl(7, ones)))
                let slot := add(agreements, shl(5, i))
                mstore(slot, add(mload(slot), shr(248, mul(equal, ones))))
            }
        }
    }
}
