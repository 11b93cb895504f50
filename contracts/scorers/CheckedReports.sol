// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {LabelReports} from "../libraries/LabelReports.sol";

/// @title Which reports of hard labels count; what all scorers of labels share.
/// @notice A report is one byte a task. One of another length, or with a label that is no class, does not count, and
///         neither does one that a calibration cannot tell from guessing.
abstract contract CheckedReports is IScorer {
    /// @notice Number of classes K; labels are 0 … K-1.
    uint256 public immutable classes;
    /// @notice Number of labels in a report, one byte each.
    uint256 public immutable tasks;

    error ClassesOutOfRange(uint256 classes, uint256 minimum, uint256 maximum);
    error TasksOutOfRange(uint256 tasks, uint256 minimum, uint256 maximum);

    uint256 internal constant WAD = 1e18;
    /// @dev A published report is one contract's code (EIP-170), less the byte that keeps it from being run.
    uint256 private constant MOST_TASKS = 24_575;
    /// @dev Checking costs so many times less than counting.
    uint256 private constant LABELS_CHECKED_AS_ONE = 16;

    constructor(uint256 classes_, uint256 tasks_, uint256 fewestTasks) {
        if (classes_ < 2 || classes_ > 255) revert ClassesOutOfRange(classes_, 2, 255);
        if (tasks_ < fewestTasks || tasks_ > MOST_TASKS) revert TasksOutOfRange(tasks_, fewestTasks, MOST_TASKS);
        classes = classes_;
        tasks = tasks_;
    }

    /// @dev Whether a report of the right form can be told from guessing by a calibration, which may be empty.
    function _isAboveChance(bytes memory report, bytes memory calibration) internal view virtual returns (bool);

    /// @dev Check stored reports from `next` on, at least one; returns where it stopped and the work done.
    /// @param formed Bitmap by report: of the right form; changed in place.
    /// @param usable Bitmap by report: above chance; changed in place.
    function _checkStored(
        uint256[] memory formed,
        uint256[] memory usable,
        uint256 next,
        address[] calldata reports,
        bytes calldata calibration,
        uint256 work
    ) internal view returns (uint256, uint256 spent) {
        bytes memory report = new bytes(tasks);
        bytes memory items = calibration;
        uint256 cost = 1 + report.length / LABELS_CHECKED_AS_ONE + items.length / 3;
        for (; next < reports.length && (spent < work || spent == 0); ++next) {
            spent += cost;
            if (_load(reports[next], report)) _check(formed, usable, next, report, items);
        }
        return (next, spent);
    }

    /// @dev Copy a stored report that has the right length.
    function _load(address pointer, bytes memory report) internal view returns (bool) {
        uint256 length = report.length;
        if (pointer.code.length != length + 1) return false;
        assembly ("memory-safe") {
            extcodecopy(pointer, add(report, 0x20), 1, length)
        }
        return true;
    }

    /// @param report Of the right length.
    function _check(
        uint256[] memory formed,
        uint256[] memory usable,
        uint256 position,
        bytes memory report,
        bytes memory calibration
    ) internal view {
        if (!LabelReports.areClasses(report, classes)) return;
        formed[position >> 8] |= 1 << (position & 255);
        if (_isAboveChance(report, calibration)) usable[position >> 8] |= 1 << (position & 255);
    }

    /// @dev Where no report can be told from guessing, the calibration says nothing, and all of the right form count.
    function _counted(uint256[] memory formed, uint256[] memory usable) internal pure returns (uint256[] memory) {
        for (uint256 w; w < usable.length; ++w) {
            if (usable[w] != 0) return usable;
        }
        return formed;
    }

    /// @dev The positions of the set bits among the first `n`.
    function _positions(uint256[] memory bitmap, uint256 n) internal pure returns (uint256[] memory positions) {
        positions = new uint256[](n);
        uint256 count;
        for (uint256 i; i < n; ++i) {
            if (bitmap[i >> 8] >> (i & 255) & 1 == 1) positions[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(positions, count)
        }
    }
}
