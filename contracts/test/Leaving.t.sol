// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Members that leave.
contract LeavingTest is TaskTest {
    function test_leaving_before_the_start_gives_the_stake_back() public {
        _join(people[0]);
        _leave(0);
        assertEq(task.balances(people[0]), STAKE);
        assertEq(task.activeMembers(), 0);
        assertEq(task.memberOf(people[0]).position, 0);
        task.withdraw(_list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH);
    }

    function test_leaving_after_a_final_round_gives_the_stake_less_slashes() public {
        _start(4);
        uint32 round = _open();
        _commitAll(4, round);
        _reveal(1, round);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.slashMissing(round, _list(people[0]));
        task.voidRound(round);
        _leave(0);
        assertEq(task.balances(people[0]), STAKE - STAKE / 10);
    }

    function test_leaving_with_an_open_commitment_is_refused() public {
        _start(4);
        uint32 round = _open();
        _commit(0, round);
        _expectStay(round);
        _leave(0);
    }

    function test_leaving_while_the_last_round_is_in_its_challenge_window_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _post(round, _who(4), _rightScores(4));
        _expectStay(round);
        _leave(0);
        _challenge(round);
        _expectStay(round);
        _leave(0);
        _publishAll(4, round);
        _resolve(round, _who(4), _rightScores(4));
        _leave(0);
    }

    function test_member_that_did_not_commit_may_leave_an_open_round() public {
        _start(4);
        _open();
        _leave(3);
        assertEq(task.activeMembers(), 3);
    }

    function test_member_that_left_is_not_selected() public {
        _start(4);
        _leave(3);
        uint32 round = _open();
        assertEq(task.roundOf(round).selected, 3);
        vm.prank(people[3]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotMember.selector, people[3]));
        task.commit(round, WRONG);
        skip(COMMIT + 1);
        task.voidRound(round);
        uint256[] memory selection = new uint256[](1);
        selection[0] = 8;
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotActive.selector, 0, 8));
        task.nextRound(selection, 0);
    }

    function test_stranger_cannot_leave_and_nobody_leaves_twice() public {
        _join(people[0]);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotMember.selector, stranger));
        task.removeWorker();
        _leave(0);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotMember.selector, people[0]));
        _leave(0);
    }

    function test_leaving_a_completed_task_costs_nothing_and_locks_nothing() public {
        _start(3);
        uint32 round = _open();
        _commitAll(3, round);
        _reveal(1, round);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.voidRound(round);
        vm.prank(requester);
        task.completeTask();
        _leave(0);
        assertEq(task.balances(people[0]), STAKE);
        task.withdraw(_who(3));
        task.withdraw(_list(requester));
        assertEq(token.balanceOf(address(task)), 0);
    }

    function test_stake_is_paid_once_whether_by_leaving_or_by_completion() public {
        _start(4);
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH);
        _leave(0);
        task.withdraw(_list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH);

        _leave(1);
        task.withdraw(_list(people[1], people[1]));
        assertEq(token.balanceOf(people[1]), WEALTH);
    }

    function _leave(uint256 i) private {
        vm.prank(people[i]);
        task.removeWorker();
    }

    function _expectStay(uint32 round) private {
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RoundNotFinal.selector, round));
    }
}
