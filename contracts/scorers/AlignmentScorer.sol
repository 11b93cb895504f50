// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {ClaimedAverage} from "../aggregation/ClaimedAverage.sol";
import {VectorAverage} from "../aggregation/VectorAverage.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {Alignment} from "../libraries/Alignment.sol";

/// @title Scores an update by how far it points where the others' do.
/// @notice A report is short: sample count, scale, root of the packed update. The scores need the updates themselves, which
///         are brought to this contract before (`begin`, `accumulate`; or in a dispute `claim`), and averaged here.
/// @dev What is kept here are results that follow from the reports alone; the scores of given reports never change.
contract AlignmentScorer is IScorer, ClaimedAverage {
    uint256 private constant WAD = 1e18;
    uint256 private constant LEAST_FACTOR = WAD / 2;
    uint256 private constant MOST_FACTOR = 2 * WAD;
    /// @dev A calibration holds fairness factors: the digest of the table that they are from, then for each update its root
    ///      and its factor, WAD.
    uint256 private constant ENTRY = 40;

    /// @notice Whether lengths are divided out.
    bool public immutable cosine;
    /// @notice Whether an update is compared with the average of the others only.
    bool public immutable leaveOneOut;
    /// @notice Whether scores are scaled by the accuracy that assessors give an update, over the best one's.
    bool public immutable accuracy;

    constructor(
        uint256 bits_,
        uint256 parameters_,
        uint256 unit_,
        uint64 window_,
        bool cosine_,
        bool leaveOneOut_,
        bool accuracy_
    ) VectorAverage(bits_, parameters_, unit_, window_) {
        (cosine, leaveOneOut, accuracy) = (cosine_, leaveOneOut_, accuracy_);
    }

    /// @inheritdoc IScorer
    /// @dev Reverts with `NotComputed` while the reports' average is not there.
    function score(bytes[] calldata reports, Facts calldata facts)
        external
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        return _score(reports, facts);
    }

    /// @inheritdoc IScorer
    /// @dev Takes one call. Reverts with `NotComputed` while the reports' average is not there.
    function resume(
        address[] calldata reports,
        Facts calldata facts,
        bytes calldata,
        uint256
    ) external view returns (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities) {
        bytes[] memory read = new bytes[](reports.length);
        for (uint256 i; i < read.length; ++i) {
            if (reports[i].code.length > 0) read[i] = SSTORE2.read(reports[i]);
        }
        (done, next) = (true, "");
        (scores, qualities) = _score(read, facts);
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "Alignment/1";
    }

    function _score(bytes[] memory reports, Facts calldata facts)
        private
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        uint256 n = reports.length;
        (scores, qualities) = (new int256[](n), new uint256[](n));
        bytes32 key = _key(facts.seed, reports, facts.samples);
        if (_results[key] == address(0)) {
            for (uint256 i; i < n; ++i) {
                if (_isUsable(reports[i], facts.samples[i]) && _samplesIn(reports[i]) > 0 && !_isAbsent(key, i)) {
                    revert NotComputed(key);
                }
            }
            return (scores, qualities);
        }
        _align(key, scores, qualities);
        if (accuracy) _scaleByMarks(scores, facts.marks);
        _scaleByFactors(scores, reports, facts.calibration);
    }

    function _align(bytes32 key, int256[] memory scores, uint256[] memory qualities) private view {
        (uint256 norm,, bytes32[] memory sums, bytes memory places) = _resultOf(key);
        uint256 largest = parameters << 2 * (bits - 1);
        Alignment.Rule memory rule = Alignment.Rule(cosine, leaveOneOut, largest);
        for (uint256 i; i < sums.length; ++i) {
            (int256 dot, uint256 squares, uint256 weight) = _unpack(sums[i]);
            uint256 place = uint256(uint8(places[2 * i])) << 8 | uint8(places[2 * i + 1]);
            (scores[place], qualities[place]) = Alignment.align(dot, squares, norm, weight, rule);
        }
    }

    /// @dev By the mean of an update's marks over the best mean. Without any marks nothing is scaled.
    function _scaleByMarks(int256[] memory scores, uint64[][] calldata marks) private pure {
        uint256[] memory means = new uint256[](scores.length);
        uint256 best;
        for (uint256 j; j < scores.length; ++j) {
            uint256 count;
            for (uint256 i; i < marks.length; ++i) {
                if (marks[i].length <= j || marks[i][j] == 0) continue;
                means[j] += marks[i][j] - 1;
                ++count;
            }
            if (count > 0) means[j] /= count;
            if (means[j] > best) best = means[j];
        }
        if (best == 0) return;
        for (uint256 j; j < scores.length; ++j) {
            if (scores[j] > 0) scores[j] = scores[j] * int256(means[j]) / int256(best);
        }
    }

    /// @dev An update that has no factor has factor 1. Entries are looked for from the last one found on, so that those in
    ///      the order of the reports take one look each.
    function _scaleByFactors(int256[] memory scores, bytes[] memory reports, bytes calldata calibration) private pure {
        if (calibration.length < 32 || (calibration.length - 32) % ENTRY != 0) return;
        bytes calldata table = calibration[32:];
        uint256 entries = table.length / ENTRY;
        uint256 next;
        for (uint256 i; i < scores.length; ++i) {
            if (scores[i] <= 0) continue;
            bytes32 root = _rootIn(reports[i]);
            for (uint256 tried; tried < entries; ++tried) {
                uint256 start = (next + tried) % entries * ENTRY;
                if (bytes32(table[start:start + 32]) != root) continue;
                uint256 factor = uint64(bytes8(table[start + 32:start + ENTRY]));
                factor = factor < LEAST_FACTOR ? LEAST_FACTOR : factor > MOST_FACTOR ? MOST_FACTOR : factor;
                scores[i] = scores[i] * int256(factor) / int256(WAD);
                next = start / ENTRY + 1;
                break;
            }
        }
    }
}
