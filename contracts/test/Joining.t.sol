// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Who can join, when and with what.
contract JoiningTest is TaskTest {
    function test_joining_takes_the_stake_and_records_the_member() public {
        _join(people[0]);
        IFederatedTask.Member memory member = task.memberOf(people[0]);
        assertEq(member.stake, STAKE);
        assertEq(member.samples, SAMPLES);
        assertEq(member.position, 1);
        assertEq(task.activeMembers(), 1);
        assertEq(task.members(), _list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE);
        assertEq(token.balanceOf(address(task)), POOL + STAKE);
    }

    function test_too_small_a_stake_is_refused() public {
        vm.prank(people[0]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.StakeTooSmall.selector, people[0], STAKE - 1, STAKE));
        task.joinTask(STAKE - 1, SAMPLES, "");
    }

    function test_joining_twice_is_refused() public {
        _join(people[0]);
        vm.prank(people[0]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyJoined.selector, people[0]));
        task.joinTask(STAKE, SAMPLES, "");
    }

    function test_requester_cannot_join_its_own_task() public {
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RequesterCannotJoin.selector, requester));
        task.joinTask(STAKE, SAMPLES, "");
    }

    function test_joining_without_an_allowance_is_refused() public {
        vm.prank(people[0]);
        vm.expectRevert();
        task.joinTask(STAKE, SAMPLES, "");
        assertEq(task.activeMembers(), 0);
    }

    function test_joining_before_the_funding_is_refused() public {
        task = _deploy(_settings());
        _expectClosed(IFederatedTask.TaskStatus.Created);
        vm.prank(people[0]);
        task.joinTask(STAKE, SAMPLES, "");
    }

    function test_joining_after_the_start_is_refused() public {
        _start(2);
        _expectClosed(IFederatedTask.TaskStatus.Running);
        vm.prank(people[2]);
        task.joinTask(STAKE, SAMPLES, "");
    }

    function test_joining_a_completed_task_is_refused() public {
        vm.prank(requester);
        task.completeTask();
        _expectClosed(IFederatedTask.TaskStatus.Completed);
        vm.prank(people[2]);
        task.joinTask(STAKE, SAMPLES, "");
    }

    function _expectClosed(IFederatedTask.TaskStatus status) private {
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTask.WrongTaskStatus.selector, status, IFederatedTask.TaskStatus.Open)
        );
    }
}

/// @title Joining a task that allows late members, but few.
contract LateJoiningTest is TaskTest {
    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.lateJoin = true;
        s.maximumMembers = 3;
    }

    function test_late_member_takes_part_from_the_next_round() public {
        _start(2);
        uint32 round = _open();
        _join(people[2]);
        bytes32 commitment = _commitment(2, round);
        vm.prank(people[2]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotSelected.selector, people[2], round));
        task.commit(round, commitment);
        skip(COMMIT + 1);
        task.voidRound(round);
        _commit(2, _open());
    }

    function test_more_members_than_allowed_are_refused() public {
        for (uint256 i; i < 3; ++i) {
            _join(people[i]);
        }
        vm.prank(people[3]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.TooManyMembers.selector, 4, 3));
        task.joinTask(STAKE, SAMPLES, "");
    }
}
