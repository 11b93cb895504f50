// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IScorer} from "../interfaces/IScorer.sol";
import {PeerTruthSerum} from "../libraries/PeerTruthSerum.sol";
import {WeightedPeerTruthSerum} from "../libraries/WeightedPeerTruthSerum.sol";
import {CheckedReports} from "./CheckedReports.sol";

/// @title Scores hard labels on shared tasks, all at once or in steps; what scorers by peer truth serum share.
/// @notice A report is one byte a task. The reports are checked one by one, then all tasks are gone through up to three
///         times: to count the unweighted scores, to vote on each task, and to count the weighted scores.
/// @dev A step needs the cells of the step before: one word for each usable report and class. About 10,000 of them fit
///      into a transaction of 16.7 million gas (EIP-7825), and above that only a call can score.
abstract contract LabelScorer is CheckedReports {
    enum Phase {
        Checking,
        Counting,
        Voting,
        Weighing,
        Done
    }

    /// @dev Lists by usable report, but for the two bitmaps, which are by report.
    struct Progress {
        Phase phase;
        uint256 next; // report to check, or task
        uint256[] formed; // reports of the right form
        uint256[] usable; // those that count
        uint256[] cells; // as in PeerTruthSerum
        uint256[] weights; // of the peers, or their votes
        uint256[] agreements; // with the vote
        int256[] scores;
    }

    /// @dev What one cell costs at the end of a phase, in labels.
    uint256 private constant LABELS_A_CELL = 3;

    constructor(uint256 classes_, uint256 tasks_) CheckedReports(classes_, tasks_, 1) {}

    /// @inheritdoc IScorer
    /// @dev A report that is not usable scores 0, has quality 0 and is nobody's peer.
    function score(bytes[] calldata reports, Facts calldata facts)
        external
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        uint256 n = reports.length;
        bytes[] memory loaded = new bytes[](n);
        Progress memory p = _begin(n);
        bytes memory items = facts.calibration;
        for (uint256 i; i < n; ++i) {
            loaded[i] = reports[i];
            if (loaded[i].length == tasks) _check(p.formed, p.usable, i, loaded[i], items);
        }
        _settleUsable(p);
        uint256[] memory positions = _positions(p.usable, n);
        bytes[] memory slices = new bytes[](positions.length);
        for (uint256 j; j < slices.length; ++j) {
            slices[j] = loaded[positions[j]];
        }
        while (p.phase != Phase.Done) {
            _pass(p, slices, 0);
        }
        return _result(p, positions, n);
    }

    /// @inheritdoc IScorer
    function resume(
        address[] calldata reports,
        Facts calldata facts,
        bytes calldata progress,
        uint256 work
    ) external view returns (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities) {
        Progress memory p = progress.length == 0 ? _begin(reports.length) : _decode(progress);
        uint256 spent;
        if (p.phase == Phase.Checking) {
            (p.next, spent) = _checkStored(p.formed, p.usable, p.next, reports, facts.calibration, work);
            if (p.next < reports.length) return (false, _encode(p), scores, qualities);
            _settleUsable(p);
        }
        uint256[] memory positions = _positions(p.usable, reports.length);
        while (p.phase != Phase.Done && (spent < work || spent == 0)) {
            spent += _passStored(p, reports, positions, spent < work ? work - spent : 0);
        }
        if (p.phase != Phase.Done || (spent >= work && spent > 0)) return (false, _encode(p), scores, qualities);
        done = true;
        (scores, qualities) = _result(p, positions, reports.length);
    }

    /// @dev What each report's vote weighs, from the unweighted scores.
    function _votesOf(int256[] memory scores) internal view virtual returns (uint256[] memory);

    /// @dev What each report weighs as a peer, from its agreements with the vote; empty: the unweighted scores stand.
    function _weightsOf(uint256[] memory agreements) internal view virtual returns (uint256[] memory);

    function _begin(uint256 n) private pure returns (Progress memory p) {
        uint256 words = (n + 255) >> 8;
        p.formed = new uint256[](words);
        p.usable = new uint256[](words);
    }

    function _settleUsable(Progress memory p) private view {
        p.usable = _counted(p.formed, p.usable);
        p.formed = new uint256[](0);
        p.next = 0;
        uint256 n = _positions(p.usable, 256 * p.usable.length).length;
        p.weights = PeerTruthSerum.equal(n);
        p.agreements = new uint256[](n);
        p.scores = new int256[](n);
        p.phase = n == 0 ? Phase.Done : n < 3 ? Phase.Voting : Phase.Counting;
        if (p.phase == Phase.Counting) p.cells = PeerTruthSerum.noCells(n, classes);
    }

    /// @dev Go through as many stored tasks as `work` allows, at least one word of them; returns the work done.
    function _passStored(Progress memory p, address[] calldata reports, uint256[] memory positions, uint256 work)
        private
        view
        returns (uint256 spent)
    {
        uint256 n = positions.length;
        uint256 words = work / (PeerTruthSerum.WORD * n);
        uint256 to = words > 1 ? p.next + words * PeerTruthSerum.WORD : p.next + PeerTruthSerum.WORD;
        if (to > tasks) to = tasks;
        bytes[] memory slices = new bytes[](n);
        for (uint256 j; j < n; ++j) {
            slices[j] = SSTORE2.read(reports[positions[j]], p.next, to);
        }
        spent = (to - p.next) * n;
        if (to == tasks) spent += p.cells.length * LABELS_A_CELL;
        _pass(p, slices, p.next);
    }

    /// @dev Do this phase's part for slices of all usable reports from a task on; after the last task, end the phase.
    function _pass(Progress memory p, bytes[] memory slices, uint256 from) private view {
        if (p.phase == Phase.Voting) {
            WeightedPeerTruthSerum.countAgreements(slices, p.weights, classes, from, p.agreements);
        } else {
            PeerTruthSerum.count(slices, p.weights, classes, p.cells);
        }
        p.next = from + slices[0].length;
        if (p.next == tasks) _endPhase(p);
    }

    function _endPhase(Progress memory p) private view {
        p.next = 0;
        if (p.phase == Phase.Voting) {
            uint256[] memory weights = _weightsOf(p.agreements);
            p.phase = weights.length < 3 ? Phase.Done : Phase.Weighing;
            if (p.phase == Phase.Weighing) p.cells = PeerTruthSerum.noCells(weights.length, classes);
            p.weights = weights;
            return;
        }
        p.scores = PeerTruthSerum.scores(p.cells, p.weights, classes, tasks);
        p.cells = new uint256[](0);
        if (p.phase == Phase.Counting) {
            p.weights = _votesOf(p.scores);
            p.phase = Phase.Voting;
        } else {
            p.phase = Phase.Done;
        }
    }

    /// @dev Scores and qualities by report.
    function _result(Progress memory p, uint256[] memory positions, uint256 n)
        private
        view
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        scores = new int256[](n);
        qualities = new uint256[](n);
        for (uint256 j; j < positions.length; ++j) {
            scores[positions[j]] = p.scores[j];
            qualities[positions[j]] = p.agreements[j] * WAD / tasks;
        }
    }

    /// @dev The lists travel as bytes, which are copied as a whole.
    function _encode(Progress memory p) private pure returns (bytes memory) {
        int256[] memory signed = p.scores;
        uint256[] memory scores;
        assembly ("memory-safe") {
            scores := signed
        }
        return abi.encode(
            p.phase,
            p.next,
            _toBytes(p.formed),
            _toBytes(p.usable),
            _toBytes(p.cells),
            _toBytes(p.weights),
            _toBytes(p.agreements),
            _toBytes(scores)
        );
    }

    function _decode(bytes calldata progress) private pure returns (Progress memory p) {
        bytes[6] memory lists;
        (p.phase, p.next, lists[0], lists[1], lists[2], lists[3], lists[4], lists[5]) =
            abi.decode(progress, (Phase, uint256, bytes, bytes, bytes, bytes, bytes, bytes));
        p.formed = _toWords(lists[0]);
        p.usable = _toWords(lists[1]);
        p.cells = _toWords(lists[2]);
        p.weights = _toWords(lists[3]);
        p.agreements = _toWords(lists[4]);
        uint256[] memory scores = _toWords(lists[5]);
        int256[] memory signed;
        assembly ("memory-safe") {
            signed := scores
        }
        p.scores = signed;
    }

    /// @dev In place: the words are not to be used as such any more.
    function _toBytes(uint256[] memory words) private pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := words
            mstore(data, shl(5, mload(words)))
        }
    }

    /// @dev In place: the bytes are not to be used as such any more.
    function _toWords(bytes memory data) private pure returns (uint256[] memory words) {
        assembly ("memory-safe") {
            words := data
            mstore(words, shr(5, mload(data)))
        }
    }
}
