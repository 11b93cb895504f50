// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title The positions of members, and who gets those of members that left.
contract SeatsTest is TaskTest {
    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.lateJoin = true;
        s.maximumMembers = 3;
    }

    function test_seats_of_those_who_left_are_free_again() public {
        for (uint256 k; k < 3; ++k) {
            _join(people[0]);
            _leave(0);
            task.withdraw(_list(people[0]));
        }
        _join(people[1]);
        assertEq(task.members(), _list(people[1]));
        assertEq(task.memberOf(people[1]).position, 1);
        assertEq(task.departures(people[0]), 3);
    }

    function test_newest_vacant_seat_goes_first() public {
        for (uint256 i; i < 3; ++i) {
            _join(people[i]);
        }
        _leave(0);
        _leave(2);
        _join(people[3]);
        assertEq(task.members(), _list(people[0], people[1], people[3]));
        _join(people[4]);
        assertEq(task.members(), _list(people[4], people[1], people[3]));
        assertEq(task.activeMembers(), 3);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.TooManyMembers.selector, 4, 3));
        vm.prank(people[0]);
        task.joinTask(STAKE, SAMPLES, "");
    }

    function test_newcomer_on_a_vacant_seat_is_selected_from_the_next_round() public {
        _start(3);
        _leave(0);
        uint32 first = _open();
        _join(people[3]);
        bytes32 commitment = _commitment(3, first);
        vm.prank(people[3]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotSelected.selector, people[3], first));
        task.commit(first, commitment);
        skip(COMMIT + 1);
        task.voidRound(first);
        uint32 second = _open();
        assertEq(task.roundOf(second).selected, 3);
        _commit(3, second);
    }

    function test_newcomer_on_a_seat_vacated_within_a_round_cannot_commit() public {
        _start(3);
        uint32 round = _open();
        _leave(0);
        assertEq(task.roundOf(round).selected, 2);
        _join(people[4]);
        bytes32 commitment = _commitment(4, round);
        vm.prank(people[4]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotSelected.selector, people[4], round));
        task.commit(round, commitment);
        _commit(1, round);
        _commit(2, round);
        _reveal(1, round);
    }

    function test_round_that_all_selected_have_left_is_void_at_once() public {
        _start(2);
        uint32 round = _open();
        _leave(0);
        _leave(1);
        assertEq(task.roundOf(round).selected, 0);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
    }

    function test_leaving_unselected_or_after_the_posting_deselects_nobody() public {
        _start(3);
        uint256[] memory selection = new uint256[](1);
        selection[0] = 6;
        vm.prank(requester);
        task.nextRound(selection, 0);
        _leave(0);
        assertEq(task.roundOf(1).selected, 2);
        _commit(1, 1);
        skip(COMMIT + 1);
        _reveal(1, 1);
        _post(1, _list(people[1]), new int256[](1));
        _leave(2);
        assertEq(task.roundOf(1).selected, 2);
    }

    function _leave(uint256 i) private {
        vm.prank(people[i]);
        task.removeWorker();
    }
}
