// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Draws} from "./Draws.sol";

/// @title Correlated agreement of two reports of hard labels.
/// @notice Twin of `flwr_chainfl.scoring.correlated_agreement`, equal bit for bit.
/// @dev Source: Shnayder, Agarwal, Frongillo, Parkes, "Informed truthfulness in multi-task peer prediction", EC 2016; in
///      the form of docs/protocols/peer-prediction.md. Informed truthful: no report without a look at the tasks does
///      better, but a renaming of the classes does as well as the truth.
///      Tasks 2u and 2u + 1 are on different sides, by bit u of the halves; which labels go together on one side is learnt
///      on the other. Counts take two bytes each: of a side, first how often each pair of labels occurs, then how often
///      the first report has each label, then the second.
library CorrelatedAgreement {
    /// @dev Counts are increased as the highest bytes of the word that begins with them.
    uint256 private constant ONE = 1 << 240;

    /// @notice How often two reports agree, in the sense of S, on bonus tasks, and how often on unrelated ones.
    /// @param first One byte a task, each below `classes`, at least 6 tasks.
    /// @param second As long as the first.
    /// @param key Of this match's draws.
    /// @param bonusTasks How many bonus tasks there are.
    /// @return hits Agreements on bonus tasks.
    /// @return penalties Agreements of one report on a penalty task with the other on another one.
    function agreements(bytes memory first, bytes memory second, uint256 key, uint256 classes, uint256 bonusTasks)
        internal
        pure
        returns (uint256 hits, uint256 penalties)
    {
        bytes memory halves = _halves(Draws.draw(key, 0), first.length >> 1);
        bytes memory counts = _count(first, second, halves, classes);
        key = Draws.draw(key, 1);
        for (uint256 b; b < bonusTasks; ++b) {
            (uint256 p, uint256 q, uint256 other, uint256 side) = _tasks(key, b, bonusTasks, halves, first.length >> 1);
            side ^= 1;
            hits += _goTogether(counts, side, _at(first, p), _at(second, p), classes);
            penalties += _goTogether(counts, side, _at(first, q), _at(second, other), classes);
        }
    }

    /// @dev One random bit for each two tasks, 64 a draw, the lowest first; a draw fills a word, from its lowest bit on.
    function _halves(uint256 key, uint256 pairs) private pure returns (bytes memory halves) {
        uint256 words = (pairs + 63) >> 6;
        halves = new bytes(32 * words);
        for (uint256 w; w < words; ++w) {
            uint256 bits = Draws.draw(key, w);
            assembly ("memory-safe") {
                mstore(add(add(halves, 0x20), shl(5, w)), bits)
            }
        }
    }

    function _bit(bytes memory halves, uint256 u) private pure returns (uint256 bit) {
        assembly ("memory-safe") {
            bit := and(shr(and(u, 63), mload(add(add(halves, 0x20), shl(5, shr(6, u))))), 1)
        }
    }

    function _at(bytes memory report, uint256 task) private pure returns (uint256 label) {
        assembly ("memory-safe") {
            label := byte(0, mload(add(add(report, 0x20), task)))
        }
    }

    /// @dev Draw bonus task number b and, from the same side, two others for the penalty.
    ///      The tasks fall into `bonusTasks` parts of equal size; each part has one bonus task.
    function _tasks(uint256 key, uint256 b, uint256 bonusTasks, bytes memory halves, uint256 pairs)
        private
        pure
        returns (uint256 p, uint256 q, uint256 other, uint256 side)
    {
        unchecked {
            uint256 z = Draws.draw(key, 2 * b);
            p = ((b << 32) + (z >> 32)) * 2 * pairs / (bonusTasks << 32);
            uint256 up = p >> 1;
            side = (p & 1) ^ _bit(halves, up);
            uint256 uq = (z & 0xffffffff) * (pairs - 1) >> 32;
            if (uq >= up) ++uq;
            (uint256 low, uint256 high) = up < uq ? (up, uq) : (uq, up);
            uint256 uo = (Draws.draw(key, 2 * b + 1) >> 32) * (pairs - 2) >> 32;
            if (uo >= low) ++uo;
            if (uo >= high) ++uo;
            q = 2 * uq + (side ^ _bit(halves, uq));
            other = 2 * uo + (side ^ _bit(halves, uo));
        }
    }

    /// @dev Count both sides in one go over all tasks but a last one without a partner.
    function _count(bytes memory first, bytes memory second, bytes memory halves, uint256 classes)
        private
        pure
        returns (bytes memory counts)
    {
        uint256 size = _size(classes);
        counts = new bytes(2 * size + 0x20); // a word more, since counts are read and written with what follows
        assembly ("memory-safe") {
            let base := add(counts, 0x20)
            let marginals := mul(2, mul(classes, classes))
            let x := add(first, 0x20)
            let y := add(second, 0x20)
            let bits := 0
            let words := add(halves, 0x20)
            let pairs := shr(1, mload(first))
            for { let u := 0 } lt(u, pairs) { u := add(u, 1) } {
                if iszero(and(u, 63)) {
                    bits := mload(words)
                    words := add(words, 0x20)
                }
                let a := mload(x)
                let b := mload(y)
                let one := add(base, mul(size, and(bits, 1)))
                let two := add(base, mul(size, xor(1, and(bits, 1))))
                bits := shr(1, bits)
                x := add(x, 2)
                y := add(y, 2)

                let slot := add(one, shl(1, add(mul(classes, byte(0, a)), byte(0, b))))
                mstore(slot, add(mload(slot), ONE))
                one := add(one, marginals)
                slot := add(one, shl(1, byte(0, a)))
                mstore(slot, add(mload(slot), ONE))
                slot := add(one, shl(1, add(classes, byte(0, b))))
                mstore(slot, add(mload(slot), ONE))

                slot := add(two, shl(1, add(mul(classes, byte(1, a)), byte(1, b))))
                mstore(slot, add(mload(slot), ONE))
                two := add(two, marginals)
                slot := add(two, shl(1, byte(1, a)))
                mstore(slot, add(mload(slot), ONE))
                slot := add(two, shl(1, add(classes, byte(1, b))))
                mstore(slot, add(mload(slot), ONE))
            }
            // Which labels go together needs the number of tasks of a side, which follows the counts.
            mstore(add(base, mul(2, size)), pairs)
        }
    }

    /// @dev Bytes of a side's counts.
    function _size(uint256 classes) private pure returns (uint256) {
        return 2 * classes * (classes + 2);
    }

    /// @dev S: whether a label of the first and one of the second report occur together on a side more often than they
    ///      would by chance; 1 or 0.
    function _goTogether(bytes memory counts, uint256 side, uint256 a, uint256 b, uint256 classes)
        private
        pure
        returns (uint256 together)
    {
        uint256 size = _size(classes);
        assembly ("memory-safe") {
            let base := add(counts, 0x20)
            let pairs := mload(add(base, mul(2, size)))
            base := add(base, mul(size, side))
            let both := shr(240, mload(add(base, shl(1, add(mul(classes, a), b)))))
            base := add(base, mul(2, mul(classes, classes)))
            let own := shr(240, mload(add(base, shl(1, a))))
            let peers := shr(240, mload(add(base, shl(1, add(classes, b)))))
            together := gt(mul(pairs, both), mul(own, peers))
        }
    }
}
