// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {Draws} from "../libraries/Draws.sol";
import {LabelReports} from "../libraries/LabelReports.sol";
import {Pairing} from "../libraries/Pairing.sol";
import {CheckedReports} from "./CheckedReports.sol";

/// @title Scores hard labels on shared tasks by matches of two, all at once or in steps.
/// @notice A report is one byte a task. The reports are checked one by one; then, where the mechanism needs them, the
///         labels of all are counted; then the seed draws who meets whom, and one match after the other is scored.
///         With a calibration, only reports count that are above chance on it.
/// @dev A step needs one word for each report from the step before, and what the matches have in common.
abstract contract PairScorer is CheckedReports {
    /// @dev Lists by usable report, but for the two bitmaps, which are by report.
    struct Progress {
        uint256 next; // report to check, report to count, match: one after the other
        uint256[] formed; // reports of the right form
        uint256[] usable; // those that count
        uint256[] common; // what all matches rest on
        uint256[] tallies; // of each report's matches
    }

    /// @dev What a step has to do with.
    struct Step {
        uint256 work; // to do at most
        uint256 spent;
        address[] stored; // the usable reports
    }

    /// @notice How many peers each report is scored against, as far as there are so many.
    uint256 public immutable peers;
    /// @notice How many standard deviations above chance on the calibration a report must be.
    uint256 public immutable deviations;

    error PeersOutOfRange(uint256 peers, uint256 minimum, uint256 maximum);
    error DeviationsOutOfRange(uint256 deviations, uint256 minimum, uint256 maximum);

    /// @dev With fewer, a pair would be scored that knows of each other.
    uint256 private constant FEWEST_REPORTS = 3;
    uint256 private constant MOST_PEERS = 400;
    /// @dev Keeps the comparison far inside 256 bits, and no report can be so far above chance.
    uint256 private constant MOST_DEVIATIONS = 10_000;

    constructor(uint256 classes_, uint256 tasks_, uint256 fewestTasks, uint256 peers_, uint256 deviations_)
        CheckedReports(classes_, tasks_, fewestTasks)
    {
        if (peers_ == 0 || peers_ > MOST_PEERS) revert PeersOutOfRange(peers_, 1, MOST_PEERS);
        if (deviations_ > MOST_DEVIATIONS) revert DeviationsOutOfRange(deviations_, 0, MOST_DEVIATIONS);
        peers = peers_;
        deviations = deviations_;
    }

    /// @inheritdoc IScorer
    /// @dev A report that is not usable scores 0, has quality 0 and is nobody's peer; so have all where fewer than 3 are.
    function score(bytes[] calldata reports, Facts calldata facts)
        external
        view
        returns (int256[] memory, uint256[] memory)
    {
        uint256 n = reports.length;
        bytes[] memory loaded = new bytes[](n);
        Progress memory p = _begin(n);
        bytes memory items = facts.calibration;
        for (uint256 i; i < n; ++i) {
            loaded[i] = reports[i];
            if (loaded[i].length == tasks) _check(p.formed, p.usable, i, loaded[i], items);
        }
        _settleUsable(p, n);
        uint256[] memory positions = _positions(p.usable, n);
        if (p.common.length > 0) {
            for (uint256 j; j < positions.length; ++j) {
                _count(loaded[positions[j]], p.common);
            }
        }
        uint256 key = Draws.keyOf(facts.seed);
        uint256[] memory order = Draws.order(Draws.draw(key, 0), positions.length);
        uint256 matches = _matches(positions.length);
        for (uint256 e; e < matches; ++e) {
            (uint256 first, uint256 second, bool both) = Pairing.matchAt(order, e);
            _play(p, first, second, both, loaded[positions[first]], loaded[positions[second]], Draws.draw(key, e + 1));
        }
        return _result(p, positions, n);
    }

    /// @inheritdoc IScorer
    function resume(address[] calldata reports, Facts calldata facts, bytes calldata progress, uint256 work)
        external
        view
        returns (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities)
    {
        Progress memory p = progress.length == 0 ? _begin(reports.length) : abi.decode(progress, (Progress));
        Step memory step;
        step.work = work;
        if (p.next < reports.length) {
            (p.next, step.spent) = _checkStored(p.formed, p.usable, p.next, reports, facts.calibration, work);
            if (p.next < reports.length) return (false, abi.encode(p), scores, qualities);
            _settleUsable(p, reports.length);
        }
        uint256[] memory positions = _positions(p.usable, reports.length);
        step.stored = new address[](positions.length);
        for (uint256 j; j < positions.length; ++j) {
            step.stored[j] = reports[positions[j]];
        }
        bool ended = _countStored(p, step, reports.length) && _playStored(p, step, reports.length, facts.seed);
        if (!ended || _isSpent(step)) return (false, abi.encode(p), scores, qualities);
        (scores, qualities) = _result(p, positions, reports.length);
        done = true;
    }

    /// @dev Words that `_count` needs; none where the mechanism counts nothing.
    function _commonWords() internal view virtual returns (uint256);

    /// @dev Count a report's labels into what all matches rest on.
    function _count(bytes memory report, uint256[] memory common) internal view virtual;

    /// @dev Score a match for its first and its second report; tallies are added up.
    /// @param common As all reports have counted it.
    /// @param key Of the match's draws.
    function _match(bytes memory first, bytes memory second, uint256[] memory common, uint256 key)
        internal
        view
        virtual
        returns (uint256 tallyOfFirst, uint256 tallyOfSecond);

    /// @dev What a match costs, in labels.
    function _matchWork() internal view virtual returns (uint256);

    /// @dev Score and quality from the tally of a number of matches.
    function _settle(uint256 tally, uint256 matches) internal view virtual returns (int256, uint256);

    /// @inheritdoc CheckedReports
    function _isAboveChance(bytes memory report, bytes memory calibration) internal view override returns (bool) {
        (uint256 hits, uint256 items) = LabelReports.countHits(report, calibration, classes);
        return LabelReports.isAboveChance(hits, items, classes, deviations);
    }

    function _begin(uint256 n) private pure returns (Progress memory p) {
        uint256 words = (n + 255) >> 8;
        p.formed = new uint256[](words);
        p.usable = new uint256[](words);
    }

    /// @dev End the checking.
    function _settleUsable(Progress memory p, uint256 n) private view {
        p.usable = _counted(p.formed, p.usable);
        p.formed = new uint256[](0);
        p.next = n;
        p.tallies = new uint256[](_positions(p.usable, n).length);
        p.common = new uint256[](_commonWords());
    }

    /// @dev Number of matches among `n` usable reports.
    function _matches(uint256 n) private view returns (uint256) {
        return n < FEWEST_REPORTS ? 0 : Pairing.turns(n, peers) * Pairing.matches(n);
    }

    /// @dev At least one unit of work is done in a step.
    function _isSpent(Step memory step) private pure returns (bool) {
        return step.spent >= step.work && step.spent > 0;
    }

    /// @dev Count stored reports from where the last step stopped; returns whether all are.
    /// @param from Where counting begins in the progress.
    function _countStored(Progress memory p, Step memory step, uint256 from) private view returns (bool) {
        uint256 to = from + (p.common.length > 0 ? step.stored.length : 0);
        bytes memory report = new bytes(p.next < to ? tasks : 0);
        for (; p.next < to && !_isSpent(step); ++p.next) {
            _load(step.stored[p.next - from], report);
            _count(report, p.common);
            step.spent += tasks;
        }
        return p.next >= to;
    }

    /// @dev Score stored matches from where the last step stopped; returns whether all are.
    function _playStored(Progress memory p, Step memory step, uint256 from, bytes32 seed) private view returns (bool) {
        if (p.common.length > 0) from += step.stored.length;
        uint256 to = from + _matches(step.stored.length);
        uint256 key = Draws.keyOf(seed);
        uint256[] memory order = Draws.order(Draws.draw(key, 0), step.stored.length);
        bytes memory x = new bytes(tasks);
        bytes memory y = new bytes(tasks);
        for (; p.next < to && !_isSpent(step); ++p.next) {
            (uint256 first, uint256 second, bool both) = Pairing.matchAt(order, p.next - from);
            _load(step.stored[first], x);
            _load(step.stored[second], y);
            _play(p, first, second, both, x, y, Draws.draw(key, p.next - from + 1));
            step.spent += _matchWork();
        }
        return p.next == to;
    }

    /// @dev What a match took of memory is used again by the next one.
    function _play(
        Progress memory p,
        uint256 first,
        uint256 second,
        bool both,
        bytes memory x,
        bytes memory y,
        uint256 key
    ) private view {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        (uint256 one, uint256 two) = _match(x, y, p.common, key);
        assembly ("memory-safe") {
            mstore(0x40, free)
        }
        p.tallies[first] += one;
        if (both) p.tallies[second] += two;
    }

    /// @dev Scores and qualities by report.
    function _result(Progress memory p, uint256[] memory positions, uint256 n)
        private
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        (scores, qualities) = (new int256[](n), new uint256[](n));
        if (positions.length < FEWEST_REPORTS) return (scores, qualities);
        uint256 matches = Pairing.turns(positions.length, peers);
        for (uint256 j; j < positions.length; ++j) {
            (scores[positions[j]], qualities[positions[j]]) = _settle(p.tallies[j], matches);
        }
    }
}
