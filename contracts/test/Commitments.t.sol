// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Committing to a contribution.
contract CommitmentsTest is TaskTest {
    function test_commitment_is_recorded_with_its_member() public {
        _start(2);
        uint32 round = _open();
        bytes32 commitment = _commitment(0, round);
        vm.expectEmit(address(task));
        emit IFederatedTask.Committed(round, people[0], commitment);
        _commit(0, round);
        assertEq(task.memberOf(people[0]).committedRound, round);
        assertEq(task.roundOf(round).committed, 1);
    }

    function test_committing_twice_is_refused() public {
        _start(2);
        uint32 round = _open();
        _commit(0, round);
        _expectCommitRevert(
            0, round, WRONG, abi.encodeWithSelector(IFederatedTask.AlreadyCommitted.selector, people[0], round)
        );
    }

    function test_committing_late_is_refused() public {
        _start(2);
        uint32 round = _open();
        uint64 deadline = task.roundOf(round).commitDeadline;
        vm.warp(deadline);
        _commit(0, round);
        vm.warp(deadline + 1);
        _expectCommitRevert(1, round, WRONG, abi.encodeWithSelector(IFederatedTask.DeadlinePassed.selector, deadline));
    }

    function test_committing_without_a_commitment_is_refused() public {
        _start(2);
        uint32 round = _open();
        bytes memory refusal = abi.encodeWithSelector(IFederatedTask.EmptyCommitment.selector, people[0]);
        _expectCommitRevert(0, round, 0, refusal);
    }

    function test_member_without_a_stake_left_cannot_commit() public {
        IFederatedTask.Settings memory s = _settings();
        s.missingSlashBps = 10_000;
        task = _deploy(s);
        _fund(task);
        _start(2);
        uint32 first = _open();
        _commitAll(2, first);
        _reveal(1, first);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.slashMissing(first, _list(people[0]));
        task.voidRound(first);
        assertEq(_stakeOf(0), 0);
        uint32 second = _open();
        _expectCommitRevert(
            0, second, WRONG, abi.encodeWithSelector(IFederatedTask.StakeTooSmall.selector, people[0], 0, 1)
        );
    }

    function test_member_of_a_task_without_stakes_can_commit() public {
        IFederatedTask.Settings memory s = _settings();
        s.minimumStake = 0;
        task = _deploy(s);
        _fund(task);
        for (uint256 i; i < 2; ++i) {
            vm.prank(people[i]);
            task.joinTask(0, SAMPLES, "");
        }
        vm.prank(requester);
        task.startTask();
        _commit(0, _open());
        assertEq(task.roundOf(1).committed, 1);
    }

    function test_stranger_cannot_commit() public {
        _start(2);
        uint32 round = _open();
        _expectCommitRevert(2, round, WRONG, abi.encodeWithSelector(IFederatedTask.NotMember.selector, people[2]));
    }

    function test_unselected_member_cannot_commit() public {
        _start(3);
        uint256[] memory selection = new uint256[](1);
        selection[0] = 5;
        vm.prank(requester);
        task.nextRound(selection, 0);
        assertEq(task.roundOf(1).selected, 2);
        _expectCommitRevert(
            1, 1, WRONG, abi.encodeWithSelector(IFederatedTask.NotSelected.selector, people[1], uint32(1))
        );
        _commit(0, 1);
        _commit(2, 1);
    }

    function test_selection_of_somebody_who_is_no_member_is_refused() public {
        _start(2);
        uint256[] memory selection = new uint256[](1);
        selection[0] = 7;
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotActive.selector, 0, 4));
        task.nextRound(selection, 0);
    }

    function test_selection_longer_than_the_list_of_members_is_refused() public {
        _start(2);
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 2, 1));
        task.nextRound(new uint256[](2), 0);
    }

    function test_selection_reaches_past_the_first_256_members() public {
        _makePeople(258 - people.length);
        _start(258);
        uint256[] memory selection = new uint256[](2);
        selection[1] = 3;
        vm.prank(requester);
        task.nextRound(selection, 0);
        assertEq(task.roundOf(1).selected, 2);
        _expectCommitRevert(
            255, 1, WRONG, abi.encodeWithSelector(IFederatedTask.NotSelected.selector, people[255], uint32(1))
        );
        _commit(256, 1);
        _commit(257, 1);
    }

    function test_committing_to_another_round_is_refused() public {
        _start(2);
        uint32 round = _open();
        _expectCommitRevert(
            0, round + 1, WRONG, abi.encodeWithSelector(IFederatedTask.WrongRound.selector, round + 1, round)
        );
        skip(COMMIT + 1);
        task.voidRound(round);
        uint32 second = _open();
        _expectCommitRevert(0, round, WRONG, abi.encodeWithSelector(IFederatedTask.WrongRound.selector, round, second));
    }

    function test_committing_before_any_round_is_refused() public {
        _start(2);
        _expectCommitRevert(0, 0, WRONG, abi.encodeWithSelector(IFederatedTask.WrongRound.selector, 0, 0));
    }

    function _expectCommitRevert(uint256 i, uint32 round, bytes32 commitment, bytes memory refusal) private {
        vm.prank(people[i]);
        vm.expectRevert(refusal);
        task.commit(round, commitment);
    }
}
