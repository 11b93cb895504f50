// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";

import {FederatedTask} from "../FederatedTask.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {Cast} from "./Cast.sol";
import {EventLedger} from "./EventLedger.sol";

/// @title Everybody who deals with a task, honest or not, doing anything at any time.
/// @dev Each action takes one random word. It aims at what could succeed and does not care whether it does. Time is
///      asked of the cheat code: the compiler takes block.timestamp for the same throughout a call.
contract TaskHandler is Cast, EventLedger {
    mapping(uint32 round => address[]) private _postedWho;
    mapping(uint32 round => int256[]) private _postedScores;
    mapping(uint32 round => uint256[]) private _postedQualities;
    mapping(uint32 round => bytes) private _postedCalibration; // onchain: as it was revealed
    mapping(uint32 round => bytes) private _progress;
    mapping(uint32 round => address[]) private _paidWho;
    mapping(uint32 round => int256[]) private _paidScores;
    mapping(uint32 round => uint256[]) private _paidQualities;

    constructor(FederatedTask task_, uint256[] memory keys, address[] memory bystanders)
        Cast(task_, keys, bystanders)
        EventLedger(task_.settings().bond, task_.requester())
    {}

    modifier audited() {
        vm.recordLogs();
        _;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        _remember(logs);
        _read(logs, address(task));
    }

    // What somebody who reads the events knows of the computations and payments.
    function _remember(Vm.Log[] memory logs) private {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter != address(task) || logs[i].topics.length < 2) continue;
            uint32 round = uint32(uint256(logs[i].topics[1]));
            if (logs[i].topics[0] == IFederatedTask.ScoringProgressed.selector) {
                _progress[round] = abi.decode(logs[i].data, (bytes));
            } else if (logs[i].topics[0] == IFederatedTask.Receipt.selector) {
                (, int256 score,,,, uint256 quality) =
                    abi.decode(logs[i].data, (bytes32, int256, uint256, uint256, bytes32, uint256));
                _paidWho[round].push(address(uint160(uint256(logs[i].topics[2]))));
                _paidScores[round].push(score);
                _paidQualities[round].push(quality);
            }
        }
    }

    function initialize(uint32 rounds, uint96 pool) external audited {
        vm.prank(task.requester());
        task.initializeTask("terms", rounds, pool);
    }

    function join(uint256 word) external audited {
        word = _mix(word);
        address person = _person(word);
        uint96 stake = _s.minimumStake + uint96(word >> 64) % _s.minimumStake;
        uint256 seats = task.members().length;
        if (word & 256 == 0) {
            vm.prank(person);
            _token.approve(address(task), stake);
            vm.prank(person);
            task.joinTask(stake, 1, "");
        } else {
            if (task.memberOf(person).position != 0) return;
            IFederatedTask.JoinRequest[] memory requests = new IFederatedTask.JoinRequest[](1);
            requests[0] = _signJoin(task, _token, _key[person], stake, 1, vm.getBlockTimestamp());
            task.joinTaskFor(requests);
            ++times["joined by relay"];
        }
        if (task.members().length == seats) ++times["took a vacant seat"];
    }

    function depart(uint256 word) external audited {
        word = _mix(word);
        uint32 selected = task.roundOf(task.round()).selected;
        address person = _person(word);
        for (uint256 i; word & 256 == 0 && i < _people.length; ++i) {
            if (_owesReveal(_people[i])) person = _people[i];
        }
        vm.prank(person);
        task.removeWorker();
        if (task.roundOf(task.round()).selected < selected) ++times["deselected"];
    }

    // Whether somebody could leave and would pay for a reveal that never came.
    function _owesReveal(address person) private view returns (bool) {
        IFederatedTask.Member memory member = task.memberOf(person);
        return member.committedRound <= task.finalRounds() && member.committedRound != 0
            && member.slashedRound != member.committedRound && !task.hasRevealed(member.committedRound, person);
    }

    function start(uint256) external audited {
        vm.prank(task.requester());
        task.startTask();
    }

    function extend(uint256 word) external audited {
        word = _mix(word);
        if (task.rounds() > 30) return;
        vm.prank(task.requester());
        task.extendTask(1, uint96(word % 100 ether) + 1);
    }

    function open(uint256 word) external audited {
        word = _mix(word);
        uint256[] memory selection = new uint256[](word % 4 == 0 ? 1 : 0);
        if (selection.length == 1) {
            address[] memory members = task.members();
            for (uint256 i; i < members.length; ++i) {
                bool active = task.memberOf(members[i]).position == i + 1;
                if (active && (word >> (8 + i % 200)) & 1 == 1) selection[0] |= 1 << i;
            }
        }
        bytes32 calibration = _commitmentToCalibration(task.round() + 1);
        vm.prank(task.requester());
        task.nextRound(selection, calibration);
    }

    function commit(uint256 word) external audited {
        word = _mix(word);
        uint32 round = task.round();
        for (uint256 i; i < _people.length; ++i) {
            if ((word >> (64 + 3 * i)) & 7 == 0) continue;
            address person = _people[i];
            bool committed;
            bytes32 commitment = _commitmentOfKind((word >> (128 + 3 * i)) & 7, person, _person(word), round);
            if ((word >> 32) & 1 == 0) {
                vm.prank(person);
                try task.commit(round, commitment) {
                    committed = true;
                    if (commitment == _payload(person, round)) ++times["committed to what cannot be opened"];
                } catch {}
            } else {
                IFederatedTask.CommitRequest[] memory requests = new IFederatedTask.CommitRequest[](1);
                requests[0] = _signCommit(task, _key[person], round, commitment);
                try task.commitFor(round, requests) {
                    committed = true;
                } catch {}
            }
            Vm.Log[] memory logs = vm.getRecordedLogs();
            if (committed) _read(logs, address(task)); // the recorder keeps what a reverted call emitted, too
        }
    }

    // Mostly the person's own; sometimes a copy, sometimes the bare payload hash, which nobody can open.
    function _commitmentOfKind(uint256 kind, address person, address other, uint32 round)
        private
        view
        returns (bytes32)
    {
        if (kind == 0) return _commitment(other, round);
        return kind == 1 ? _payload(person, round) : _commitment(person, round);
    }

    function reveal(uint256 word) external audited {
        word = _mix(word);
        uint32 round = task.round();
        for (uint256 i; i < _people.length; ++i) {
            if ((word >> (8 + i)) & 1 == 0) continue;
            IFederatedTask.Reveal[] memory openings = new IFederatedTask.Reveal[](1);
            address person = _people[i];
            openings[0] = IFederatedTask.Reveal(
                person, _digest(person, round), keccak256(_report(person, round)), _salt(person, round)
            );
            vm.prank((word >> (64 + 3 * i)) & 7 == 0 ? person : task.requester());
            try task.reveal(round, openings) {} catch {}
        }
    }

    function revealInFull(uint256 word) external audited {
        word = _mix(word);
        uint32 round = task.round();
        address person = _person(word);
        vm.prank(word & 256 == 0 ? person : _bystander(word));
        task.revealReport(round, person, _digest(person, round), _report(person, round), _salt(person, round));
    }

    function slash(uint256 word) external audited {
        word = _mix(word);
        address[] memory missing = new address[](1);
        missing[0] = _person(word);
        task.slashMissing(word & 768 == 0 ? _round(word) : task.round(), missing);
    }

    function post(uint256 word) external audited {
        word = _mix(word);
        uint32 round = task.round();
        address[] memory who = _revealed(round);
        // A bystander may know the calibration or not, and may post with it or without.
        bool bystander = word & 24 == 0;
        bool calibrated = task.roundOf(round).calibration != 0 && (!bystander || word & 32 == 0);
        bytes memory calibration = calibrated ? _calibration(round) : bytes("");
        (int256[] memory scores, uint256[] memory qualities) = _scores(round, who, calibration);
        if (word & 256 == 0 && who.length > 0) {
            uint256 victim = (word >> 16) % who.length;
            if (word & 512 == 0) scores[victim] += int256(word >> 32) % 10 ether - 5 ether;
            else qualities[victim] = (word >> 32) % 1 ether;
        }
        vm.prank(bystander ? _bystander(word) : task.requester());
        task.postScores(round, who, scores, qualities, calibration, calibrated ? _calibrationSalt(round) : bytes32(0));
        _postedWho[round] = who;
        _postedScores[round] = scores;
        _postedQualities[round] = qualities;
        _postedCalibration[round] = calibration;
    }

    function calibrate(uint256 word) external audited {
        word = _mix(word);
        uint32 round = _round(word);
        vm.prank(word & 31 == 0 ? _bystander(word) : task.requester());
        task.revealCalibration(round, _calibration(round), _calibrationSalt(round));
        _postedCalibration[round] = _calibration(round);
    }

    function challenge(uint256 word) external audited {
        word = _mix(word);
        uint32 round = _round(word);
        vm.prank(_bystander(word));
        task.challenge(round);
    }

    function publish(uint256 word) external audited {
        word = _mix(word);
        uint32 round = _round(word);
        for (uint256 i; i < _people.length; ++i) {
            if ((word >> (64 + 3 * i)) & 7 == 0) continue;
            address person = _people[i];
            try task.publishReport(round, person, _digest(person, round), _report(person, round), _salt(person, round)) {} catch {}
        }
    }

    function resolve(uint256 word) external audited {
        word = _mix(word);
        uint32 round = _round(word);
        address[] memory who = _s.onchain ? _revealed(round) : _postedWho[round];
        for (uint256 step = word & 256 == 0 ? 0 : (word >> 16) % 12; step < 12; ++step) {
            // Sometimes all at once, sometimes what a liar would like the scorer to go on with.
            bytes memory progress = word & 31 == 0 ? abi.encode(word) : _progress[round];
            uint256 work = word & 256 == 0 ? type(uint256).max : 1;
            _compute(round, who, progress, work);
            if (task.roundOf(round).status >= IFederatedTask.RoundStatus.Paid) return;
        }
    }

    function _compute(uint32 round, address[] memory who, bytes memory progress, uint256 work) private {
        task.computeScores(
            round, who, _postedScores[round], _postedQualities[round], _postedCalibration[round], progress, work
        );
        Vm.Log[] memory logs = vm.getRecordedLogs();
        _remember(logs);
        _read(logs, address(task));
    }

    function recordReputation(uint256 word) external audited {
        word = _mix(word);
        uint32 round = word & 3 == 0 ? _round(word) : task.recordedRounds() + 1 + uint32((word >> 8) & 1);
        task.recordReputation(
            round, _paidWho[round], _paidScores[round], _paidQualities[round], uint32((word >> 16) % 4)
        );
    }

    function pay(uint256 word) external {
        word = _mix(word);
        this.payPosted(_round(word));
    }

    function abandon(uint256 word) external audited {
        word = _mix(word);
        if (word & 3 == 0) vm.warp(vm.getBlockTimestamp() + 31 days);
        task.voidRound(_round(word));
    }

    function complete(uint256 word) external audited {
        word = _mix(word);
        if (word % 16 > 1) return;
        vm.prank(word % 16 == 0 ? task.requester() : _bystander(word));
        task.completeTask();
    }

    function withdraw(uint256 word) external audited {
        word = _mix(word);
        address[] memory owners = everybody();
        for (uint256 i; i < owners.length; ++i) {
            if ((word >> i) & 1 == 0) owners[i] = owners[0];
        }
        vm.prank(_bystander(word));
        task.withdraw(owners);
    }

    function wait(uint256 word) external {
        word = _mix(word);
        uint32[4] memory spans = [_s.commitSeconds, _s.revealSeconds, _s.settleSeconds, _s.challengeSeconds];
        vm.warp(vm.getBlockTimestamp() + (word & 256 == 0 ? word >> 16 & 63 : spans[(word >> 16) & 3] + 1));
    }

    // The steps that bring a round to its posting or its computation, so that random play gets deep; each may still fail.
    function play(uint256 word) external {
        try this.start(word) {} catch {}
        try this.open(word) {} catch {}
        this.commit(word);
        vm.warp(vm.getBlockTimestamp() + _s.commitSeconds + 1);
        this.reveal(word + 1);
        this.reveal(word + 2);
        try this.revealInFull(word) {} catch {}
        vm.warp(vm.getBlockTimestamp() + _s.revealSeconds + 1);
        for (uint256 i; i < _people.length && word % 2 == 0; ++i) {
            try this.slash(word + i) {} catch {}
        }
        if (!_s.onchain) {
            try this.post(word) {} catch {}
            if (word % 4 > 0) return;
            try this.challenge(word) {} catch {}
        } else if (word % 3 > 0) {
            try this.calibrate(word) {} catch {}
        }
        if (word % 5 > 0) this.publish(word);
        if (word % 7 > 2) try this.resolve(word) {} catch {}
    }

    function selectors() external pure returns (bytes4[] memory list) {
        list = new bytes4[](21);
        (list[0], list[1], list[2], list[3], list[4], list[5]) =
        (
            this.join.selector,
            this.depart.selector,
            this.start.selector,
            this.extend.selector,
            this.open.selector,
            this.commit.selector
        );
        (list[6], list[7], list[8], list[9], list[10], list[11]) =
        (
            this.reveal.selector,
            this.slash.selector,
            this.post.selector,
            this.challenge.selector,
            this.publish.selector,
            this.resolve.selector
        );
        (list[18], list[19], list[20]) =
            (this.revealInFull.selector, this.calibrate.selector, this.recordReputation.selector);
        (list[12], list[13], list[14], list[15], list[16], list[17]) =
        (
            this.pay.selector,
            this.abandon.selector,
            this.complete.selector,
            this.withdraw.selector,
            this.wait.selector,
            this.play.selector
        );
    }

    function payPosted(uint32 round) external audited {
        task.distributeRewards(
            round, _postedWho[round], _postedScores[round], _postedQualities[round], _postedCalibration[round]
        );
    }
}
