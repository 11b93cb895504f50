// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Workers, validators and miners: how they are drawn, and that each does its own part and no other.
contract RolesTest is TaskTest {
    uint32 private constant ASSESS = 150;
    uint32 private constant SEAL = 120;
    bytes32 private constant AGGREGATE = keccak256("aggregate");

    address[] private workers;
    address[] private validators;
    address[] private miners;

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        (s.assessSeconds, s.sealSeconds) = (ASSESS, SEAL);
        (s.workers, s.validators, s.miners) = (4, 3, 3);
        s.mostStrikes = 2;
    }

    function setUp() public override {
        super.setUp();
        _makePeople(4);
        _start(10);
    }

    function _draw() private {
        (address[] memory order, uint256 w, uint256 v) = task.nextRoles();
        delete workers;
        delete validators;
        delete miners;
        for (uint256 k; k < order.length; ++k) {
            if (k < w) workers.push(order[k]);
            else if (k < w + v) validators.push(order[k]);
            else miners.push(order[k]);
        }
    }

    function _indexOf(address who) private view returns (uint256 i) {
        while (people[i] != who) {
            ++i;
        }
    }

    // The workers of the next round commit and reveal; returns the round.
    function _contribute() private returns (uint32 round) {
        _draw();
        round = _open();
        IFederatedTask.Reveal[] memory openings = new IFederatedTask.Reveal[](workers.length);
        for (uint256 k; k < workers.length; ++k) {
            _commit(_indexOf(workers[k]), round);
            openings[k] = _opening(_indexOf(workers[k]), round);
        }
        _reveal(round, openings);
    }

    function _judge(address validator, uint32 round) private {
        vm.prank(validator);
        task.submitScore(round, _list(address(task)), new uint256[](1));
    }

    function _attest(address miner, uint32 round, bytes32 aggregate) private {
        vm.prank(miner);
        task.attest(round, aggregate);
    }

    function _judgeAll(uint32 round) private {
        for (uint256 k; k < validators.length; ++k) {
            _judge(validators[k], round);
        }
    }

    // All ten took part.
    function _result() private view returns (address[] memory who, int256[] memory scores, uint256[] memory qualities) {
        return (_who(10), new int256[](10), new uint256[](10));
    }

    function _payAll(uint32 round) private {
        (address[] memory who, int256[] memory scores, uint256[] memory qualities) = _result();
        vm.prank(requester);
        task.postScores(round, who, scores, qualities, "", 0);
        skip(CHALLENGE + 1);
        task.distributeRewards(round, who, scores, qualities, "");
    }

    function _sealAndPay() private returns (uint32 round) {
        round = _contribute();
        _judgeAll(round);
        for (uint256 k; k < miners.length; ++k) {
            _attest(miners[k], round, AGGREGATE);
        }
        _payAll(round);
    }

    function test_everybody_has_one_role_and_shares_hold() public {
        _draw();
        assertEq(workers.length, 4);
        assertEq(validators.length, 3);
        assertEq(miners.length, 3);
        uint256 seen;
        for (uint256 k; k < 10; ++k) {
            address who = k < 4 ? workers[k] : k < 7 ? validators[k - 4] : miners[k - 7];
            seen |= 1 << _indexOf(who);
        }
        assertEq(seen, 1023);
        vm.expectEmit(address(task));
        (address[] memory order,,) = task.nextRoles();
        emit IFederatedTask.RolesDrawn(1, order, 4, 3);
        _open();
        assertEq(task.roundOf(1).selected, 4);
        assertEq(task.roundOf(1).validators, 3);
        assertEq(task.roundOf(1).miners, 3);
    }

    function test_roles_follow_from_the_salts_of_the_round_before() public {
        _sealAndPay();
        (address[] memory second,,) = task.nextRoles();
        uint256 snapshot = vm.snapshotState();
        vm.prank(requester);
        task.nextRound(new uint256[](0), 0);
        vm.revertToState(snapshot);
        (address[] memory again,,) = task.nextRoles();
        assertEq(second, again);
        bool moved;
        for (uint256 k; k < workers.length; ++k) {
            moved = moved || second[k] != workers[k];
        }
        assertTrue(moved);
    }

    function test_leaving_somebody_out_gives_nobody_another_role() public {
        _draw();
        uint256[] memory selection = new uint256[](1);
        for (uint256 i; i < 10; ++i) {
            if (people[i] != workers[0]) selection[0] |= 1 << (task.memberOf(people[i]).position - 1);
        }
        vm.prank(requester);
        task.nextRound(selection, 0);
        assertEq(task.roundOf(1).selected, 3);
        assertEq(task.roundOf(1).validators, 3);
        bytes32 commitment = _commitment(_indexOf(validators[0]), 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotSelected.selector, validators[0], uint32(1)));
        vm.prank(validators[0]);
        task.commit(1, commitment);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotSelected.selector, workers[0], uint32(1)));
        vm.prank(workers[0]);
        task.commit(1, commitment);
    }

    function test_a_selection_that_leaves_a_role_empty_is_refused() public {
        _draw();
        uint256[] memory selection = new uint256[](1);
        for (uint256 k; k < workers.length; ++k) {
            selection[0] |= 1 << (task.memberOf(workers[k]).position - 1);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTask.RoleEmpty.selector, uint32(1), IFederatedTask.Role.Validator)
        );
        vm.prank(requester);
        task.nextRound(selection, 0);
        selection[0] = 1023 & ~selection[0];
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTask.RoleEmpty.selector, uint32(1), IFederatedTask.Role.Worker)
        );
        vm.prank(requester);
        task.nextRound(selection, 0);
    }

    function test_two_members_are_too_few_for_three_roles() public {
        task = _deploy(_settings());
        _fund(task);
        _start(2);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.TooFewForRoles.selector, 2, 3));
        vm.prank(requester);
        task.nextRound(new uint256[](0), 0);
    }

    function test_shares_without_one_for_every_role_are_refused() public {
        IFederatedTask.Settings memory s = _settings();
        s.miners = 0;
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTask.RolesIncomplete.selector, uint16(4), uint16(3), uint16(0))
        );
        _deploy(s);
        s = _settings();
        s.sealSeconds = 0;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.SettingTooSmall.selector, "sealSeconds", 0, 1));
        _deploy(s);
    }

    function test_only_validators_judge_and_the_task_itself_can_be_judged() public {
        uint32 round = _contribute();
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotAssessor.selector, workers[0], round));
        _judge(workers[0], round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.UnknownSubject.selector, miners[0], round));
        vm.prank(validators[0]);
        task.submitScore(round, _list(miners[0]), new uint256[](1));
        _judge(validators[0], round);
        assertEq(task.getSubmissions()[0].subjects, _list(address(task)));
    }

    function test_a_majority_of_the_miners_seals_and_the_rest_may_still_attest() public {
        uint32 round = _contribute();
        vm.expectPartialRevert(IFederatedTask.AssessPhaseOpen.selector);
        _attest(miners[0], round, AGGREGATE);
        _judgeAll(round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotMiner.selector, workers[0], round));
        _attest(workers[0], round, AGGREGATE);
        _attest(miners[0], round, WRONG);
        _attest(miners[1], round, AGGREGATE);
        assertEq(task.roundOf(round).aggregate, 0);
        (address[] memory who, int256[] memory scores, uint256[] memory qualities) = _result();
        uint64 deadline = task.roundOf(round).revealDeadline + ASSESS + SEAL;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotSealed.selector, round, deadline));
        vm.prank(requester);
        task.postScores(round, who, scores, qualities, "", 0);
        vm.expectEmit(address(task));
        // Equal stakes: the lower hash of the seal before, which is none, and the address.
        address proposer = keccak256(abi.encode(bytes32(0), miners[1])) < keccak256(abi.encode(bytes32(0), miners[2]))
            ? miners[1]
            : miners[2];
        emit IFederatedTask.RoundSealed(round, AGGREGATE, proposer);
        _attest(miners[2], round, AGGREGATE);
        assertEq(task.lastAggregate(), AGGREGATE);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyAttested.selector, miners[0], round));
        _attest(miners[0], round, AGGREGATE);
        _payAll(round);
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function test_signed_attestations_are_taken_from_anybody() public {
        uint32 round = _contribute();
        _judgeAll(round);
        IFederatedTask.SealRequest[] memory requests = new IFederatedTask.SealRequest[](2);
        requests[0] = _signSeal(task, keys[miners[0]], round, AGGREGATE);
        requests[1] = _signSeal(task, keys[miners[1]], round, AGGREGATE);
        task.attestFor(round, requests);
        task.attestFor(round, requests);
        assertEq(task.roundOf(round).attested, 2);
        assertEq(task.roundOf(round).aggregate, AGGREGATE);
        requests[0] = _signSeal(task, keys[miners[2]], round + 1, AGGREGATE);
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.attestFor(round, requests);
        IFederatedTask.SealRequest memory other = _signSeal(task, keys[miners[1]], round, WRONG);
        task.proveEquivocation(
            round,
            miners[1],
            IFederatedTask.Statement.Seal,
            abi.encode(AGGREGATE),
            requests[1].signature,
            abi.encode(WRONG),
            other.signature
        );
        assertEq(_stakeOf(_indexOf(miners[1])), STAKE - STAKE / 10);
    }

    function test_without_a_seal_anybody_can_void_the_round_and_the_next_one_opens() public {
        uint32 round = _contribute();
        _judgeAll(round);
        _attest(miners[0], round, AGGREGATE);
        _attest(miners[1], round, WRONG);
        uint64 deadline = task.roundOf(round).revealDeadline + ASSESS + SEAL;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, deadline));
        task.voidRound(round);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlinePassed.selector, deadline));
        _attest(miners[2], round, AGGREGATE);
        vm.prank(stranger);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
        _sealAndPay();
    }

    function test_who_has_nothing_of_worth_in_its_rounds_is_excluded_until_it_stakes_again() public {
        // Nobody has quality in these rounds.
        uint32 last = _sealAndPay();
        assertEq(task.memberOf(workers[0]).strikes, 1);
        assertEq(task.memberOf(validators[0]).strikes, 0);
        address[] memory before = workers;
        _sealAndPay();
        uint256 excluded;
        for (uint256 k; k < before.length; ++k) {
            address who = before[k];
            if (task.memberOf(who).committedRound == last) continue;
            ++excluded;
            assertEq(task.memberOf(who).strikes, 2);
            vm.prank(who);
            task.removeWorker();
            assertEq(task.balances(who), STAKE);
        }
        assertGt(excluded, 0);
        assertEq(task.activeMembers(), 10 - excluded);
        (address[] memory order,,) = task.nextRoles();
        assertEq(order.length, 10 - excluded);
    }

    function test_a_member_that_leaves_before_it_acts_is_not_waited_for() public {
        _draw();
        uint32 round = _open();
        vm.prank(validators[0]);
        task.removeWorker();
        vm.prank(miners[0]);
        task.removeWorker();
        vm.prank(workers[0]);
        task.removeWorker();
        assertEq(task.roundOf(round).selected, 3);
        assertEq(task.roundOf(round).validators, 2);
        assertEq(task.roundOf(round).miners, 2);
    }

    function test_anybody_opens_the_next_round_once_the_requester_is_idle() public {
        _sealAndPay();
        vm.expectPartialRevert(IFederatedTask.DeadlineNotReached.selector);
        vm.prank(stranger);
        task.nextRound(new uint256[](0), 0);
        uint64 idle = task.roundOf(1).revealDeadline + ASSESS + SEAL + 2 * (SETTLE + CHALLENGE);
        vm.warp(idle + 1);
        vm.expectPartialRevert(IFederatedTask.NotRequester.selector);
        vm.prank(stranger);
        task.nextRound(new uint256[](1), 0);
        vm.prank(stranger);
        task.nextRound(new uint256[](0), 0);
        assertEq(task.round(), 2);
    }
}
