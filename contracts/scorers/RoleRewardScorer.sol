// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {LibSort} from "solady/src/utils/LibSort.sol";

import {IScorer} from "../interfaces/IScorer.sol";

/// @title Scores workers by what the validators accepted, validators by their votes, miners by what they sealed.
/// @notice A validator votes against a worker when its mark is more than a threshold below the mark of what the round
///         began with; a worker is accepted unless more vote against it than for it, or
///         nobody votes on it while others are voted on. Where an inner scorer is named it
///         scores the accepted workers' reports, and the others' count as not published; otherwise a report is a sample
///         count. The quality of a worker that is not accepted is 0, a validator's is the share of its votes that went
///         with the outcome.
contract RoleRewardScorer is IScorer {
    /// @notice Scores the reports of accepted workers; zero for none.
    IScorer public immutable inner;
    /// @notice What a sample, a verified transaction and a vote are worth, WAD.
    uint64 public immutable unit;
    /// @notice What a sample is worth that validators get right thanks to a worker, WAD.
    uint64 public immutable gainUnit;
    /// @notice δ, WAD.
    uint256 public immutable threshold;

    error ThresholdOutOfRange(uint256 threshold, uint256 maximum);

    uint256 private constant WAD = 1e18;
    uint256 private constant LENGTH = 8;
    /// @dev A larger score could not be posted.
    uint256 private constant MOST_SCORE = 1 << 126;
    uint8 private constant WORKER = 0;
    uint8 private constant VALIDATOR = 1;
    uint8 private constant MINER = 2;

    /// @dev Lists by participant.
    struct Tally {
        bool[] accepted; // of workers, by the votes alone
        uint256[] marked; // workers that a validator gave a mark
        uint256[] cast; // its votes
        uint256[] agreed; // those that went with the outcome
        uint256 assessed; // validators that gave marks
    }

    constructor(IScorer inner_, uint64 unit_, uint64 gainUnit_, uint256 threshold_) {
        if (threshold_ > WAD) revert ThresholdOutOfRange(threshold_, WAD);
        (inner, unit, gainUnit, threshold) = (inner_, unit_, gainUnit_, threshold_);
    }

    /// @inheritdoc IScorer
    function score(bytes[] calldata reports, Facts calldata facts)
        external
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        uint256 n = reports.length;
        Tally memory tally = _tally(facts, n);
        if (address(inner) == address(0)) {
            (scores, qualities) = (new int256[](n), new uint256[](n));
            uint256[] memory gains = _gains(facts, n);
            for (uint256 i; i < n; ++i) {
                if (!tally.accepted[i] || reports[i].length != LENGTH) continue;
                (scores[i], qualities[i]) = _worth(bytes8(reports[i]), facts.samples[i], gains[i]);
            }
        } else {
            bytes[] memory counted = new bytes[](n);
            for (uint256 i; i < n; ++i) {
                if (tally.accepted[i]) counted[i] = reports[i];
                if (counted[i].length == 0) tally.accepted[i] = false;
            }
            (scores, qualities) = inner.score(counted, facts);
            _drop(tally.accepted, scores, qualities);
        }
        _addOthers(tally, facts, scores, qualities);
    }

    /// @inheritdoc IScorer
    /// @dev Without an inner scorer one call is enough, whatever the work is; with one, the progress is its own.
    function resume(address[] calldata reports, Facts calldata facts, bytes calldata progress, uint256 work)
        external
        view
        returns (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities)
    {
        uint256 n = reports.length;
        Tally memory tally = _tally(facts, n);
        if (address(inner) == address(0)) {
            (done, scores, qualities) = (true, new int256[](n), new uint256[](n));
            uint256[] memory gains = _gains(facts, n);
            for (uint256 i; i < n; ++i) {
                if (!tally.accepted[i] || reports[i].code.length != LENGTH + 1) continue;
                (scores[i], qualities[i]) = _worth(bytes8(SSTORE2.read(reports[i])), facts.samples[i], gains[i]);
            }
        } else {
            address[] memory counted = new address[](n);
            for (uint256 i; i < n; ++i) {
                if (tally.accepted[i]) counted[i] = reports[i];
                if (counted[i].code.length < 2) tally.accepted[i] = false;
            }
            (done, next, scores, qualities) = inner.resume(counted, facts, progress, work);
            if (!done) return (done, next, scores, qualities);
            _drop(tally.accepted, scores, qualities);
        }
        _addOthers(tally, facts, scores, qualities);
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "RoleReward/1";
    }

    /// @dev An accepted worker's units.
    function _worth(bytes8 report, uint64 declared, uint256 gain) private view returns (int256, uint256) {
        uint256 count = uint64(report);
        if (count > declared) return (0, 0);
        uint256 worth = unit * count + gainUnit * gain / WAD;
        return (int256(worth < MOST_SCORE ? worth : MOST_SCORE), WAD);
    }

    /// @dev An inner scorer may say something of a report that is not there.
    function _drop(bool[] memory accepted, int256[] memory scores, uint256[] memory qualities) private pure {
        for (uint256 i; i < accepted.length; ++i) {
            if (!accepted[i]) (scores[i], qualities[i]) = (0, 0);
        }
    }

    /// @dev The units of validators and miners.
    function _addOthers(Tally memory tally, Facts calldata facts, int256[] memory scores, uint256[] memory qualities)
        private
        view
    {
        for (uint256 i; i < scores.length; ++i) {
            if (facts.roles[i] == VALIDATOR) {
                scores[i] = int256(unit * (tally.marked[i] + tally.cast[i]));
                if (tally.cast[i] > 0) qualities[i] = tally.agreed[i] * WAD / tally.cast[i];
            } else if (facts.roles[i] == MINER && facts.attested[i]) {
                (scores[i], qualities[i]) = (int256(unit * tally.assessed), WAD);
            }
        }
    }

    /// @dev Whether the participant is a validator that gave marks.
    function _judged(Facts calldata facts, uint256 i, uint256 n) private pure returns (bool) {
        return facts.roles[i] == VALIDATOR && facts.marks[i].length == n + 1;
    }

    /// @dev Whether a mark is so far below the reference's; both 1 more than the score.
    function _isNegative(uint64 before, uint64 mark) private view returns (bool) {
        return before > mark && before - mark > threshold;
    }

    function _tally(Facts calldata facts, uint256 n) private view returns (Tally memory tally) {
        (tally.accepted, tally.marked) = (new bool[](n), new uint256[](n));
        (tally.cast, tally.agreed) = (new uint256[](n), new uint256[](n));
        uint256[] memory votes = new uint256[](n);
        uint256[] memory negatives = new uint256[](n);
        bool anybody;
        for (uint256 i; i < n; ++i) {
            if (!_judged(facts, i, n)) continue;
            ++tally.assessed;
            uint64[] calldata marks = facts.marks[i];
            for (uint256 j; j < n; ++j) {
                if (marks[j] == 0 || facts.roles[j] != WORKER) continue;
                ++tally.marked[i];
                if (marks[n] == 0) continue;
                ++tally.cast[i];
                anybody = true;
                ++votes[j];
                if (_isNegative(marks[n], marks[j])) ++negatives[j];
            }
        }
        for (uint256 j; j < n; ++j) {
            tally.accepted[j] = facts.roles[j] == WORKER && 2 * negatives[j] <= votes[j] && (votes[j] > 0 || !anybody);
        }
        for (uint256 i; i < n; ++i) {
            if (tally.cast[i] == 0) continue;
            uint64[] calldata marks = facts.marks[i];
            for (uint256 j; j < n; ++j) {
                if (marks[j] == 0 || facts.roles[j] != WORKER) continue;
                if (_isNegative(marks[n], marks[j]) != tally.accepted[j]) ++tally.agreed[i];
            }
        }
    }

    /// @dev Samples of the validators times what a worker adds to the median of their accuracies, WAD.
    function _gains(Facts calldata facts, uint256 n) private pure returns (uint256[] memory gains) {
        gains = new uint256[](n);
        (uint256[] memory given, uint256 samples) = _column(facts, n, n);
        if (given.length == 0) return gains;
        uint256 before = _median(given);
        for (uint256 j; j < n; ++j) {
            if (facts.roles[j] != WORKER) continue;
            (given, samples) = _column(facts, j, n);
            if (given.length == 0) continue;
            uint256 found = _median(given);
            if (found > before) gains[j] = samples * (found - before);
        }
    }

    /// @dev What the validators gave one, and the samples of those that gave it anything.
    function _column(Facts calldata facts, uint256 j, uint256 n)
        private
        pure
        returns (uint256[] memory given, uint256 samples)
    {
        given = new uint256[](n);
        uint256 count;
        for (uint256 i; i < n; ++i) {
            if (!_judged(facts, i, n) || facts.marks[i][j] == 0) continue;
            given[count++] = facts.marks[i][j] - 1;
            samples += facts.samples[i];
        }
        assembly ("memory-safe") {
            mstore(given, count)
        }
    }

    /// @dev Of two middle values the mean, rounded down; `values` is sorted in place.
    function _median(uint256[] memory values) private pure returns (uint256) {
        LibSort.sort(values);
        uint256 middle = values.length / 2;
        return values.length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }
}
