// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
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
    /// @notice Share of what the model is worth that the round began with, below which a contribution is slashed, WAD; then
    ///         a reviewer is as near to the medians as half of its marks are. 0: whatever is below the threshold is slashed,
    ///         and a reviewer is as near as its farthest mark.
    uint256 public immutable floor;

    error ThresholdOutOfRange(uint256 threshold, uint256 most);
    error FloorOutOfRange(uint256 floor, uint256 most);

    constructor(uint256 threshold_, uint256 floor_) {
        if (threshold_ == 0 || threshold_ > WAD) revert ThresholdOutOfRange(threshold_, WAD);
        if (floor_ > WAD) revert FloorOutOfRange(floor_, WAD);
        (threshold, floor) = (threshold_, floor_);
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

    /// @dev What is known of each worker, in the order of the participants.
    /// @param workers Positions among the participants.
    /// @param reviewers Whether each gave half of the others a mark, or more.
    /// @param worths What the others' marks of each come to, with 0 for a missing one.
    /// @param medians The same of those that were given.
    struct Review {
        uint256[] workers;
        bool[] reviewers;
        uint256[] worths;
        uint256[] medians;
    }

    function _score(uint256 n, Facts calldata facts)
        private
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        (scores, qualities) = (new int256[](n), new uint256[](n));
        Review memory r;
        r.workers = _workers(n, facts.roles);
        r.reviewers = _reviewers(r.workers, facts.marks);
        _judge(r, facts.marks);
        uint256[] memory overalls = _overalls(r, facts.marks);
        if (overalls.length == 0) return (scores, qualities);
        uint256 least = _reference(n, r, facts.marks) * floor / WAD;
        for (uint256 w; w < overalls.length; ++w) {
            uint256 overall = overalls[w];
            qualities[r.workers[w]] = overall;
            if (overall >= threshold) scores[r.workers[w]] = int256(overall);
            else if (!r.reviewers[w] || floor == 0 || r.worths[w] < least) scores[r.workers[w]] = -int256(WAD);
        }
    }

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

    /// @dev Fill in what each contribution is worth.
    function _judge(Review memory r, uint64[][] calldata marks) private pure {
        uint256 n = r.workers.length;
        (r.worths, r.medians) = (new uint256[](n), new uint256[](n));
        for (uint256 j; j < n; ++j) {
            (uint256[] memory given, uint256 missing) = _given(r, marks, j);
            r.medians[j] = _median(given);
            r.worths[j] = missing == 0 ? r.medians[j] : _median(_withZeros(given, missing));
        }
    }

    /// @dev The marks that others gave a worker, and how many reviewers gave none.
    function _given(Review memory r, uint64[][] calldata marks, uint256 j)
        private
        pure
        returns (uint256[] memory given, uint256 missing)
    {
        given = new uint256[](r.workers.length);
        uint256 count;
        uint256 position = r.workers[j];
        for (uint256 i; i < r.workers.length; ++i) {
            if (i == j || !r.reviewers[i]) continue;
            uint256 mark = marks[r.workers[i]][position];
            if (mark == 0) ++missing;
            else given[count++] = mark - 1;
        }
        assembly ("memory-safe") {
            mstore(given, count)
        }
    }

    function _withZeros(uint256[] memory given, uint256 missing) private pure returns (uint256[] memory all) {
        all = new uint256[](given.length + missing);
        for (uint256 i; i < given.length; ++i) {
            all[i] = given[i];
        }
    }

    /// @dev What the reviewers' marks of the model come to that the round began with; 0 for none.
    function _reference(uint256 n, Review memory r, uint64[][] calldata marks) private pure returns (uint256) {
        uint256[] memory given = new uint256[](r.workers.length);
        uint256 count;
        for (uint256 i; i < r.workers.length; ++i) {
            if (!r.reviewers[i]) continue;
            uint256 mark = marks[r.workers[i]][n];
            if (mark != 0) given[count++] = mark - 1;
        }
        assembly ("memory-safe") {
            mstore(given, count)
        }
        return _median(given);
    }

    /// @dev Each worker's overall score; empty where no contribution or no review is worth anything.
    function _overalls(Review memory r, uint64[][] calldata marks) private view returns (uint256[] memory overalls) {
        uint256 n = r.workers.length;
        uint256[] memory nearness = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            if (r.reviewers[i]) nearness[i] = _nearness(r, marks[r.workers[i]], i);
        }
        uint256 best = _largest(r.worths);
        uint256 nearest = _largest(nearness);
        if (best == 0 || nearest == 0) return overalls;
        overalls = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            if (r.reviewers[i]) overalls[i] = Math.min(r.worths[i] * WAD / best, nearness[i] * WAD / nearest);
        }
    }

    /// @dev How near a reviewer's marks are to the medians: the farthest, or with a floor half of them.
    function _nearness(Review memory r, uint64[] calldata row, uint256 i) private view returns (uint256) {
        uint256[] memory near = new uint256[](r.workers.length);
        uint256 count;
        uint256 least = WAD;
        for (uint256 j; j < r.workers.length; ++j) {
            uint256 mark = row[r.workers[j]];
            if (j == i || mark == 0) continue;
            near[count] = _near(mark - 1, r.medians[j]);
            least = Math.min(least, near[count++]);
        }
        if (floor == 0) return least;
        assembly ("memory-safe") {
            mstore(near, count)
        }
        return _median(near);
    }

    function _near(uint256 mark, uint256 median) private pure returns (uint256) {
        uint256 distance = mark > median ? mark - median : median - mark;
        return distance >= HALF ? 0 : (HALF - distance) * WAD / (HALF + distance);
    }

    /// @dev Puts the values in order; 0 of none.
    function _median(uint256[] memory values) private pure returns (uint256) {
        uint256 count = values.length;
        if (count == 0) return 0;
        LibSort.sort(values);
        return count & 1 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    }

    function _largest(uint256[] memory values) private pure returns (uint256 largest) {
        for (uint256 i; i < values.length; ++i) {
            if (values[i] > largest) largest = values[i];
        }
    }
}
