// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title The end of a task, and getting the money out.
contract CompletionTest is TaskTest {
    function test_requester_may_complete_between_rounds_and_gets_the_rest_of_the_pool() public {
        _start(4);
        _playRound(4);
        vm.prank(requester);
        task.completeTask();
        assertEq(task.balances(requester), 600 ether + BOND);
        assertEq(task.pool(), 0);
        assertEq(uint8(task.status()), uint8(IFederatedTask.TaskStatus.Completed));
    }

    function test_completion_waits_for_every_round() public {
        _start(4);
        uint32 round = _playToReveal(4);
        bytes memory refusal = abi.encodeWithSelector(IFederatedTask.RoundNotFinal.selector, round);
        vm.startPrank(requester);
        vm.expectRevert(refusal);
        task.completeTask();
        vm.stopPrank();
        _post(round, _who(4), _rightScores(4));
        vm.startPrank(requester);
        vm.expectRevert(refusal);
        task.completeTask();
    }

    function test_no_round_opens_after_completion() public {
        _start(4);
        vm.prank(requester);
        task.completeTask();
        vm.expectPartialRevert(IFederatedTask.WrongTaskStatus.selector);
        _open();
    }

    function test_stranger_cannot_complete_while_rounds_are_promised() public {
        _start(4);
        uint32 round = _playRound(4);
        uint64 idle = task.roundOf(round).revealDeadline + 2 * SETTLE + 2 * CHALLENGE;
        vm.warp(idle);
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, idle));
        task.completeTask();
        vm.warp(idle + 1);
        task.completeTask();
        assertEq(task.balances(requester), 600 ether + BOND);
    }

    function test_stranger_cannot_complete_before_the_first_round() public {
        _start(4);
        skip(365 days);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRequester.selector, stranger, requester));
        task.completeTask();
    }

    function test_anyone_may_complete_once_the_promised_rounds_are_over() public {
        _start(4);
        uint32 round;
        for (uint256 r; r < ROUNDS; ++r) {
            round = _playRound(4);
        }
        uint64 openToAll = task.roundOf(round).revealDeadline + SETTLE;
        vm.warp(openToAll);
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, openToAll));
        task.completeTask();
        skip(1);
        task.completeTask();
        assertEq(uint8(task.status()), uint8(IFederatedTask.TaskStatus.Completed));
    }

    function test_missing_reveals_of_the_last_round_can_be_slashed_before_a_member_completes() public {
        _start(3);
        _voidRound();
        _voidRound();
        uint32 round = _open();
        _commitAll(3, round);
        _reveal(1, round);
        vm.warp(task.roundOf(round).revealDeadline + 1);
        int256[] memory scores = new int256[](1);
        scores[0] = 1 ether;
        _post(round, _list(people[1]), scores);
        vm.prank(people[0]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RoundNotFinal.selector, round));
        task.completeTask();
        task.slashMissing(round, _list(people[0], people[2]));
        skip(CHALLENGE + 1);
        _pay(round, _list(people[1]), scores);
        vm.prank(people[0]);
        task.completeTask();
        task.withdraw(_who(3));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE / 10);
        assertEq(token.balanceOf(people[1]), WEALTH + POOL + 2 * STAKE / 10);
    }

    function test_member_cannot_void_the_last_round_and_complete_in_one_go() public {
        _start(3);
        _voidRound();
        _voidRound();
        uint32 round = _open();
        uint64 openToAll = task.roundOf(round).revealDeadline + SETTLE;
        skip(COMMIT + REVEAL + 1);
        vm.startPrank(people[0]);
        task.voidRound(round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, openToAll));
        task.completeTask();
    }

    function test_withdrawal_by_a_stranger_pays_the_owner_only() public {
        _start(4);
        _playRound(4);
        vm.prank(stranger);
        vm.expectEmit(address(task));
        emit IFederatedTask.Withdrawn(people[0], 100 ether);
        task.withdraw(_list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE + 100 ether);
        assertEq(token.balanceOf(stranger), 0);
        assertEq(task.balances(people[0]), 0);
    }

    function test_withdrawing_twice_pays_once() public {
        _start(4);
        _playRound(4);
        task.withdraw(_list(people[0], people[0]));
        task.withdraw(_list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE + 100 ether);
    }

    function test_one_withdrawn_owner_does_not_block_a_batch() public {
        _start(4);
        _playRound(4);
        task.withdraw(_list(people[0]));
        task.withdraw(_list(people[0], stranger, people[1]));
        assertEq(token.balanceOf(people[1]), WEALTH - STAKE + 100 ether);
    }

    function test_stake_stays_until_completion() public {
        _start(4);
        task.withdraw(_who(4));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE);
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_who(4));
        assertEq(token.balanceOf(people[0]), WEALTH);
    }
}
