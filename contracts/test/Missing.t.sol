// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title What a commitment without a reveal costs, whenever it is noticed.
contract MissingTest is TaskTest {
    uint256 private constant SLASH = STAKE / 10;
    uint32 private round;

    function setUp() public override {
        super.setUp();
        _start(3);
        round = _open();
    }

    function test_missing_reveal_is_slashed_into_the_budget() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        task.slashMissing(round, _list(people[1], people[2]));
        assertEq(_stakeOf(1), STAKE - SLASH);
        assertEq(_stakeOf(2), STAKE - SLASH);
        assertEq(task.roundOf(round).budget, POOL / ROUNDS + 2 * SLASH);

        int256[] memory one = new int256[](1);
        one[0] = 1 ether;
        _post(round, _who(1), one);
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(1), one);
        assertEq(task.balances(people[0]), POOL / ROUNDS + 2 * SLASH, "who revealed gets the slash");
    }

    function test_missing_reveal_is_slashed_once() public {
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        task.slashMissing(round, _list(people[1], people[1]));
        task.slashMissing(round, _list(people[1]));
        assertEq(_stakeOf(1), STAKE - SLASH);
    }

    function test_slash_waits_for_the_reveal_deadline() public {
        _commitAll(3, round);
        uint64 deadline = task.roundOf(round).revealDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseOpen.selector, round, deadline));
        task.slashMissing(round, _list(people[1]));
    }

    function test_who_revealed_or_never_committed_is_passed_over() public {
        _commit(0, round);
        _commit(1, round);
        skip(COMMIT + 1);
        _reveal(0, round);
        skip(REVEAL + 1);
        task.slashMissing(round, _who(3));
        task.slashMissing(round, _list(stranger));
        assertEq(_stakeOf(0), STAKE);
        assertEq(_stakeOf(1), STAKE - SLASH);
        assertEq(_stakeOf(2), STAKE);
    }

    function test_slash_after_the_posting_joins_the_budget() public {
        _commitAll(3, round);
        _reveal(0, round);
        _reveal(1, round);
        skip(COMMIT + REVEAL + 1);
        int256[] memory scores = new int256[](2);
        scores[0] = 1 ether;
        _post(round, _who(2), scores);
        vm.expectEmit(address(task));
        emit IFederatedTask.MissingRevealSlashed(round, people[2], SLASH);
        task.slashMissing(round, _list(people[2]));
        _challenge(round);
        task.slashMissing(round, _list(people[2]));
        skip(CHALLENGE + SETTLE + 1);
        task.voidRound(round);
        assertEq(task.pool(), POOL + SLASH);
    }

    function test_slash_after_the_round_is_void_joins_the_pool() public {
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        vm.prank(people[2]);
        task.voidRound(round);
        task.slashMissing(round, _list(people[2]));
        assertEq(_stakeOf(2), STAKE - SLASH);
        assertEq(task.roundOf(round).budget, 0);
        assertEq(task.pool(), POOL + SLASH);
    }

    function test_slash_after_the_round_is_paid_joins_the_pool() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        int256[] memory one = new int256[](1);
        one[0] = 1 ether;
        _post(round, _who(1), one);
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(1), one);
        _open();
        task.slashMissing(round, _who(3));
        assertEq(task.roundOf(round).budget, 0);
        assertEq(task.pool(), (POOL - POOL / ROUNDS) / 2 + 2 * SLASH);
    }

    function test_leaving_pays_for_the_missing_reveal() public {
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        task.voidRound(round);
        vm.prank(people[0]);
        vm.expectEmit(address(task));
        emit IFederatedTask.MissingRevealSlashed(round, people[0], SLASH);
        task.removeWorker();
        assertEq(task.balances(people[0]), STAKE - SLASH);
        assertEq(task.pool(), POOL + SLASH);
        task.slashMissing(round, _list(people[0]));
        assertEq(task.pool(), POOL + SLASH);
    }

    function test_slash_of_a_round_that_was_never_opened_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.WrongRound.selector, round + 1, round));
        task.slashMissing(round + 1, _list(people[0]));
    }

    function test_slash_after_completion_is_refused() public {
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        task.voidRound(round);
        vm.prank(requester);
        task.completeTask();
        vm.expectPartialRevert(IFederatedTask.WrongTaskStatus.selector);
        task.slashMissing(round, _list(people[0]));
    }
}
