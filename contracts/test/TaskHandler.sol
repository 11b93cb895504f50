// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {TestToken} from "../TestToken.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {EventLedger} from "./EventLedger.sol";
import {Signer} from "./Signer.sol";

/// @title Everybody who deals with a task, honest or not, doing anything at any time.
/// @dev Each action takes one random word. It aims at what could succeed and does not care whether it does. Time is
///      asked of the cheat code: the compiler takes block.timestamp for the same throughout a call.
contract TaskHandler is EventLedger, Signer {
    FederatedTask public immutable task;
    TestToken private immutable _token;
    IScorer private immutable _scorer;
    IFederatedTask.Settings private _s;

    address[] private _people; // ascending
    mapping(address person => uint256) private _key;
    address[] private _bystanders; // who posts, challenges and meddles
    mapping(uint32 round => address[]) private _postedWho;
    mapping(uint32 round => int256[]) private _postedScores;

    constructor(FederatedTask task_, uint256[] memory keys, address[] memory bystanders)
        EventLedger(task_.settings().bond, task_.requester())
    {
        task = task_;
        _s = task_.settings();
        _token = TestToken(_s.token);
        _scorer = IScorer(_s.scorer);
        for (uint256 i; i < keys.length; ++i) {
            address person = vm.addr(keys[i]);
            _people.push(person);
            _key[person] = keys[i];
        }
        _bystanders = bystanders;
    }

    // Spreads the fuzzer's mostly small words over all their bits.
    function _mix(uint256 word) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(word)));
    }

    modifier audited() {
        vm.recordLogs();
        _;
        _read(vm.getRecordedLogs(), address(task));
    }

    function initialize(uint32 rounds, uint96 pool) external audited {
        vm.prank(task.requester());
        task.initializeTask("terms", rounds, pool);
    }

    function join(uint256 word) external audited {
        word = _mix(word);
        address person = _person(word);
        uint96 stake = _s.minimumStake + uint96(word >> 64) % _s.minimumStake;
        if (word & 256 == 0) {
            vm.prank(person);
            _token.approve(address(task), stake);
            vm.prank(person);
            task.joinTask(stake, 1);
            return;
        }
        IFederatedTask.JoinRequest[] memory requests = new IFederatedTask.JoinRequest[](1);
        requests[0] = _signJoin(task, _token, _key[person], stake, 1, vm.getBlockTimestamp());
        task.joinTaskFor(requests);
        ++times["joined by relay"];
    }

    function leave(uint256 word) external audited {
        word = _mix(word);
        vm.prank(_person(word));
        task.removeWorker();
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
        vm.prank(task.requester());
        task.nextRound(selection);
    }

    function commit(uint256 word) external audited {
        word = _mix(word);
        uint32 round = task.round();
        for (uint256 i; i < _people.length; ++i) {
            if ((word >> (64 + 3 * i)) & 7 == 0) continue;
            address person = _people[i];
            bytes32 commitment = _commitment((word >> (128 + 3 * i)) & 7 == 0 ? _person(word) : person, round);
            if ((word >> 32) & 1 == 0) {
                vm.prank(person);
                try task.commit(round, commitment) {} catch {}
            } else {
                IFederatedTask.CommitRequest[] memory requests = new IFederatedTask.CommitRequest[](1);
                requests[0] = _signCommit(task, _key[person], round, commitment);
                try task.commitFor(round, requests) {} catch {}
            }
        }
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
            try task.reveal(round, openings) {} catch {}
        }
    }

    function slash(uint256 word) external audited {
        word = _mix(word);
        address[] memory missing = new address[](1);
        missing[0] = _person(word);
        task.slashMissing(task.round(), missing);
    }

    function post(uint256 word) external audited {
        word = _mix(word);
        uint32 round = task.round();
        address[] memory who = _revealed(round);
        int256[] memory scores = _scores(round, who);
        if (word & 256 == 0 && who.length > 0) {
            scores[(word >> 16) % who.length] += int256(word >> 32) % 10 ether - 5 ether;
        }
        vm.prank(_bystander(word));
        task.postScores(round, who, scores);
        _postedWho[round] = who;
        _postedScores[round] = scores;
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
            if ((word >> (64 + i)) & 3 == 0) continue;
            address person = _people[i];
            try task.publishReport(round, person, _digest(person, round), _report(person, round)) {} catch {}
        }
    }

    function resolve(uint256 word) external audited {
        word = _mix(word);
        uint32 round = _round(word);
        task.resolveChallenge(round, _postedWho[round], _postedScores[round]);
    }

    function pay(uint256 word) external audited {
        word = _mix(word);
        uint32 round = _round(word);
        task.distributeRewards(round, _postedWho[round], _postedScores[round]);
    }

    function abandon(uint256 word) external audited {
        word = _mix(word);
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

    // The steps that bring a round to its posting, so that random play gets deep; each may still fail.
    function play(uint256 word) external {
        try this.start(word) {} catch {}
        try this.open(word) {} catch {}
        this.commit(word);
        vm.warp(vm.getBlockTimestamp() + _s.commitSeconds + 1);
        this.reveal(word + 1);
        this.reveal(word + 2);
        vm.warp(vm.getBlockTimestamp() + _s.revealSeconds + 1);
        for (uint256 i; i < _people.length && word % 2 == 0; ++i) {
            try this.slash(word + i) {} catch {}
        }
        this.post(word);
    }

    function selectors() external pure returns (bytes4[] memory list) {
        list = new bytes4[](18);
        (list[0], list[1], list[2], list[3]) = (this.join.selector, this.leave.selector, this.start.selector, this.extend.selector);
        (list[4], list[5], list[6], list[7]) = (this.open.selector, this.commit.selector, this.reveal.selector, this.slash.selector);
        (list[8], list[9], list[10]) = (this.post.selector, this.challenge.selector, this.publish.selector);
        (list[11], list[12], list[13]) = (this.resolve.selector, this.pay.selector, this.abandon.selector);
        (list[14], list[15], list[16]) = (this.complete.selector, this.withdraw.selector, this.wait.selector);
        list[17] = this.play.selector;
    }

    function everybody() public view returns (address[] memory all) {
        all = new address[](_people.length + _bystanders.length + 1);
        for (uint256 i; i < _people.length; ++i) {
            all[i] = _people[i];
        }
        for (uint256 i; i < _bystanders.length; ++i) {
            all[_people.length + i] = _bystanders[i];
        }
        all[all.length - 1] = task.requester();
    }

    function postingOf(uint32 round) external view returns (address[] memory, int256[] memory) {
        return (_postedWho[round], _postedScores[round]);
    }

    function _person(uint256 word) private view returns (address) {
        return _people[word % _people.length];
    }

    function _bystander(uint256 word) private view returns (address) {
        return _bystanders[(word >> 9) % _bystanders.length];
    }

    // One of the five newest rounds.
    function _round(uint256 word) private view returns (uint32) {
        uint32 back = uint32((word >> 40) % 5);
        return task.round() > back ? task.round() - back : task.round();
    }

    function _revealed(uint32 round) private view returns (address[] memory who) {
        who = new address[](task.roundOf(round).revealed);
        uint256 next;
        for (uint256 i; i < _people.length; ++i) {
            if (task.memberOf(_people[i]).revealedRound == round) who[next++] = _people[i];
        }
    }

    function _scores(uint32 round, address[] memory who) private view returns (int256[] memory) {
        bytes[] memory reports = new bytes[](who.length);
        for (uint256 i; i < who.length; ++i) {
            reports[i] = _report(who[i], round);
        }
        return _scorer.score(reports, new uint64[](who.length));
    }

    // Mostly the truth, sometimes a constant, sometimes nothing that could be scored.
    function _report(address person, uint32 round) private pure returns (bytes memory) {
        uint256 kind = uint256(keccak256(abi.encode(person, round))) % 8;
        if (kind == 0) return hex"ff00";
        if (kind < 3) return hex"000000000000";
        return hex"000102010200";
    }

    function _digest(address person, uint32 round) private pure returns (bytes32) {
        return keccak256(abi.encode("content", person, round));
    }

    function _salt(address person, uint32 round) private pure returns (bytes32) {
        return keccak256(abi.encode("salt", person, round));
    }

    function _commitment(address person, uint32 round) private view returns (bytes32) {
        bytes32 payload = keccak256(abi.encode(_digest(person, round), keccak256(_report(person, round))));
        return keccak256(abi.encode(block.chainid, address(task), round, person, payload, _salt(person, round)));
    }
}
