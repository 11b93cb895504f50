// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a report of hard labels must be before it counts.
/// @dev Source: docs/protocols/soft-label.md, "Calibration".
library LabelReports {
    /// @notice Whether every byte of a report is a class.
    /// @dev 32 labels at a time: adding 128 - K to a byte below 128, or 256 - K to its lower seven bits, sets its
    ///      highest bit just when the byte is K or more, or its lower seven bits are K - 128 or more.
    function areClasses(bytes memory report, uint256 classes) internal pure returns (bool valid) {
        assembly ("memory-safe") {
            let ones := div(not(0), 255)
            let low := mul(ones, 0x7f)
            let small := lt(classes, 129)
            let step := mul(ones, sub(add(128, mul(128, iszero(small))), classes))
            let bad := 0
            let length := mload(report)
            let first := add(report, 0x20)
            for { let start := 0 } lt(start, length) { start := add(start, 0x20) } {
                let labels := mload(add(first, start))
                if lt(sub(length, start), 0x20) {
                    let rest := shl(3, sub(0x20, sub(length, start)))
                    labels := shl(rest, shr(rest, labels))
                }
                let above := add(and(labels, low), step)
                switch small
                case 1 { bad := or(bad, or(labels, above)) }
                default { bad := or(bad, and(labels, above)) }
            }
            valid := iszero(and(bad, shl(7, ones)))
        }
    }

    /// @notice How many of a calibration's items a report has right.
    /// @param report Labels, one byte a task.
    /// @param calibration 3 bytes an item: the task's number (big endian) and its label. Items with a task or a label
    ///        that does not exist do not count; neither does a rest.
    /// @return hits Items on which the report has the label.
    /// @return items Items that count.
    function countHits(bytes memory report, bytes memory calibration, uint256 classes)
        internal
        pure
        returns (uint256 hits, uint256 items)
    {
        assembly ("memory-safe") {
            let tasks := mload(report)
            let labels := add(report, 0x20)
            let item := add(calibration, 0x20)
            for { let i := div(mload(calibration), 3) } i { i := sub(i, 1) } {
                let value := shr(232, mload(item))
                let task := shr(8, value)
                let label := and(value, 0xff)
                if and(lt(task, tasks), lt(label, classes)) {
                    items := add(items, 1)
                    hits := add(hits, eq(byte(0, mload(add(labels, task))), label))
                }
                item := add(item, 3)
            }
        }
    }

    /// @notice Whether that many hits lie above what guessing gives, by a number of standard deviations.
    /// @dev With m items, guessing hits m / K of them on average, with a variance of m * (K - 1) / K^2.
    function isAboveChance(uint256 hits, uint256 items, uint256 classes, uint256 deviations)
        internal
        pure
        returns (bool)
    {
        uint256 scaled = hits * classes;
        if (scaled <= items) return false;
        uint256 excess = scaled - items;
        return excess * excess > deviations * deviations * items * (classes - 1);
    }
}
