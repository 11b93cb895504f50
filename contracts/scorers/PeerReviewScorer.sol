// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LibSort} from "solady/src/utils/LibSort.sol";

import {IScorer} from "../interfaces/IScorer.sol";

/// @title Scores contributions by what their peers found on data of their own.
/// @notice Twin of `flwr_chainfl.scoring.PeerReviewScore`, which says what each rule is for and what it cannot do. The
///         scores come from the marks that participants submitted, and from nothing that a caller could choose.
contract PeerReviewScorer is IScorer {
    uint256 private constant WAD = 1e18;
    uint256 private constant HALF = WAD / 2;

    /// @notice Overall scores from here on are paid for, lower ones are slashed; WAD.
    uint256 public immutable threshold;
    /// @notice Whether a reviewer is as near to the medians as half of its marks are, rather than as its farthest mark.
    bool public immutable tolerant;

    error ThresholdOutOfRange(uint256 threshold, uint256 most);

    constructor(uint256 threshold_, bool tolerant_) {
        if (threshold_ == 0 || threshold_ > WAD) revert ThresholdOutOfRange(threshold_, WAD);
        (threshold, tolerant) = (threshold_, tolerant_);
    }

    /// @inheritdoc IScorer
    /// @dev What is in the reports counts for nothing.
    function score(bytes[] calldata reports, Facts calldata facts)
        external
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        return _score(reports.length, facts);
    }

    /// @inheritdoc IScorer
    /// @dev Takes one call, whatever the work is: the marks of a round came in by transactions that are larger than this.
    function resume(
        address[] calldata reports,
        Facts calldata facts,
        bytes calldata,
        uint256
    ) external view returns (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities) {
        (done, next) = (true, "");
        (scores, qualities) = _score(reports.length, facts);
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "PeerReview/1";
    }

    function _score(uint256 n, Facts calldata facts)
        private
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        (scores, qualities) = (new int256[](n), new uint256[](n));
        uint256[] memory workers = _workers(n, facts.roles);
        bool[] memory reviewers = _reviewers(workers, facts.marks);
        (uint256[] memory worths, uint256[] memory medians) = _medians(workers, reviewers, facts.marks);
        uint256[] memory nearness = _nearness(workers, reviewers, medians, facts.marks);
        uint256 best = _largest(worths);
        uint256 nearest = _largest(nearness);
        if (best == 0 || nearest == 0) return (scores, qualities);
        for (uint256 w; w < workers.length; ++w) {
            uint256 overall;
            if (reviewers[w]) {
                overall = worths[w] * WAD / best;
                uint256 near = nearness[w] * WAD / nearest;
                if (near < overall) overall = near;
            }
            qualities[workers[w]] = overall;
            scores[workers[w]] = overall >= threshold ? int256(overall) : -int256(WAD);
        }
    }

    /// @dev Positions of the workers among the participants.
    function _workers(uint256 n, uint8[] calldata roles) private pure returns (uint256[] memory workers) {
        workers = new uint256[](n);
        uint256 count;
        for (uint256 i; i < n; ++i) {
            if (roles[i] == 0) workers[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(workers, count)
        }
    }

    /// @dev Whether each worker gave half of the others a mark, or more.
    function _reviewers(uint256[] memory workers, uint64[][] calldata marks)
        private
        pure
        returns (bool[] memory reviewers)
    {
        uint256 n = workers.length;
        reviewers = new bool[](n);
        for (uint256 i; i < n; ++i) {
            uint64[] calldata row = marks[workers[i]];
            if (row.length == 0) continue;
            uint256 given;
            for (uint256 j; j < n; ++j) {
                if (j != i && row[workers[j]] != 0) ++given;
            }
            reviewers[i] = given > 0 && 2 * given >= n - 1;
        }
    }

    /// @return worths What the others' marks of each worker come to, with 0 for a missing one.
    /// @return medians Of those that were given.
    function _medians(uint256[] memory workers, bool[] memory reviewers, uint64[][] calldata marks)
        private
        pure
        returns (uint256[] memory worths, uint256[] memory medians)
    {
        uint256 n = workers.length;
        (worths, medians) = (new uint256[](n), new uint256[](n));
        for (uint256 j; j < n; ++j) {
            uint256[] memory given = new uint256[](n);
            uint256 count;
            uint256 missing;
            for (uint256 i; i < n; ++i) {
                if (i == j || !reviewers[i]) continue;
                uint256 mark = marks[workers[i]][workers[j]];
                if (mark == 0) ++missing;
                else given[count++] = mark - 1;
            }
            medians[j] = _median(given, count);
            for (uint256 i; i < missing; ++i) {
                given[count++] = 0;
            }
            worths[j] = _median(given, count);
        }
    }

    /// @dev How near each reviewer's marks are to the medians.
    function _nearness(
        uint256[] memory workers,
        bool[] memory reviewers,
        uint256[] memory medians,
        uint64[][] calldata marks
    ) private view returns (uint256[] memory nearness) {
        uint256 n = workers.length;
        nearness = new uint256[](n);
        uint256[] memory values = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            if (!reviewers[i]) continue;
            uint64[] calldata row = marks[workers[i]];
            uint256 count;
            uint256 least = WAD;
            for (uint256 j; j < n; ++j) {
                uint256 mark = row[workers[j]];
                if (j == i || mark == 0) continue;
                uint256 near = _near(mark - 1, medians[j]);
                if (near < least) least = near;
                values[count++] = near;
            }
            nearness[i] = tolerant ? _median(values, count) : least;
        }
    }

    function _near(uint256 mark, uint256 median) private pure returns (uint256) {
        uint256 distance = mark > median ? mark - median : median - mark;
        return distance >= HALF ? 0 : (HALF - distance) * WAD / (HALF + distance);
    }

    /// @dev Of the first `count` values, which are put in order; 0 of none.
    function _median(uint256[] memory values, uint256 count) private pure returns (uint256) {
        if (count == 0) return 0;
        uint256[] memory ordered = values;
        uint256 length = values.length;
        assembly ("memory-safe") {
            mstore(ordered, count)
        }
        LibSort.sort(ordered);
        uint256 middle = count / 2;
        uint256 median = count & 1 == 1 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
        assembly ("memory-safe") {
            mstore(ordered, length)
        }
        return median;
    }

    function _largest(uint256[] memory values) private pure returns (uint256 largest) {
        for (uint256 i; i < values.length; ++i) {
            if (values[i] > largest) largest = values[i];
        }
    }
}
