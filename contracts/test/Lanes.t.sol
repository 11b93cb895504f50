// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Where a round's submissions are kept, and that none stands for one of another round.
contract LanesTest is TaskTest {
    uint32 private constant LANES = 128;

    function test_a_lane_serves_again_once_its_round_is_closed() public {
        _start(4);
        for (uint256 r; r < 2; ++r) {
            _post(_playToReveal(4), _who(4), _rightScores(4));
        }
        assertEq(task.roundOf(1).lane, 0);
        assertEq(task.roundOf(2).lane, 1);
        skip(CHALLENGE + 1);
        _pay(1, _who(4), _rightScores(4));
        assertEq(task.roundOf(_open()).lane, 0);
    }

    function test_a_void_round_leaves_its_lane() public {
        _start(4);
        _voidRound();
        assertEq(task.roundOf(_open()).lane, 0);
    }

    function test_committing_again_in_a_lane_costs_a_change_and_no_new_slot() public {
        _start(4);
        uint256[2] memory used;
        for (uint256 r; r < 2; ++r) {
            uint32 round = _open();
            vm.cool(address(task));
            uint256 before = gasleft();
            _commit(0, round);
            used[r] = before - gasleft();
            skip(COMMIT + 1);
            _reveal(0, round);
            _post(round, _list(people[0]), _rightScores(1));
            skip(CHALLENGE + 1);
            _pay(round, _list(people[0]), _rightScores(1));
        }
        assertLt(used[1] + 14_000, used[0]); // an empty slot is 17,100 more than one that is changed
    }

    function test_a_report_of_an_earlier_round_in_the_lane_cannot_be_published_for_a_later_one() public {
        _start(5);
        uint32 first = _playToReveal(5);
        _post(first, _who(5), _rightScores(5));
        skip(CHALLENGE + 1);
        _pay(first, _who(5), _rightScores(5));
        uint32 second = _open();
        _commitAll(4, second); // the fifth sits it out; what it revealed before is still in the lane
        skip(COMMIT + 1);
        _reveal(second, _openings(4, second));
        assertEq(task.roundOf(second).lane, task.roundOf(first).lane);
        _post(second, _who(4), _rightScores(4));
        _challenge(second);
        bytes32 digest = _digest(people[4], first);
        bytes memory report = _report(4);
        bytes32 salt = _salt(people[4], first);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRevealed.selector, people[4], second));
        task.publishReport(second, people[4], digest, report, salt);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.publishReport(second, people[0], _digest(people[0], first), _report(0), _salt(people[0], first));
    }

    function test_who_was_slashed_in_a_later_round_stays_until_the_earlier_ones_are_paid() public {
        _start(4);
        uint32 first = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        scores[0] = -1 ether; // what would be taken from its stake, had it not left
        _post(first, _who(4), scores);
        uint32 second = _open();
        _commitAll(4, second);
        _reveal(1, second);
        skip(COMMIT + REVEAL + 1);
        task.slashMissing(second, _list(people[0]));
        uint256 stake = _stakeOf(0);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RoundNotFinal.selector, second));
        vm.prank(people[0]);
        task.removeWorker();
        skip(CHALLENGE + 1);
        _pay(first, _who(4), scores);
        assertLt(_stakeOf(0), stake);
        task.slashMissing(second, _list(people[0])); // it owes nothing any more
        assertEq(task.memberOf(people[0]).slashedRound, second);
    }

    function test_a_commitment_of_an_earlier_round_in_the_lane_cannot_be_opened_in_a_later_one() public {
        _start(3);
        uint32 first = _open();
        _commitAll(3, first);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.voidRound(first); // nobody revealed
        uint32 second = _open();
        assertEq(task.roundOf(second).lane, task.roundOf(first).lane);
        _commit(0, second);
        skip(COMMIT + 1);
        IFederatedTask.Reveal[] memory stale = new IFederatedTask.Reveal[](1);
        stale[0] = _opening(1, first);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotCommitted.selector, people[1], second));
        _reveal(second, stale);
        stale[0] = _opening(0, first);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        _reveal(second, stale);
    }

    function test_an_older_round_is_disputed_with_what_was_revealed_in_it() public {
        _start(4);
        for (uint256 r; r < 3; ++r) {
            uint32 round = _playToReveal(4);
            _post(round, _who(4), r == 1 ? _falseScores(4) : _rightScores(4));
        }
        _challenge(2);
        _publishAll(4, 2);
        _resolve(2, _who(4), _falseScores(4));
        assertEq(task.balances(challenger), 2 * BOND);
    }

    function test_more_unsettled_rounds_than_lanes_have_one_each() public {
        vm.prank(requester);
        task.extendTask(LANES + 2, POOL);
        _start(2);
        for (uint32 r = 1; r <= LANES + 2; ++r) {
            uint32 round = _playToReveal(2);
            _post(round, _who(2), _rightScores(2));
            assertEq(task.roundOf(round).lane, r <= LANES ? r - 1 : LANES + r);
        }
        skip(CHALLENGE + 1);
        _pay(LANES + 2, _who(2), _rightScores(2));
        _pay(7, _who(2), _rightScores(2));
        assertEq(task.roundOf(_open()).lane, 6);
    }
}
