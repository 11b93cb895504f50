// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Several rounds in their challenge windows at once.
contract PipeliningTest is TaskTest {
    function test_rounds_settled_out_of_order_become_final_in_a_row() public {
        _start(4);
        for (uint256 r; r < 3; ++r) {
            uint32 round = _playToReveal(4);
            _post(round, _who(4), r == 0 ? _falseScores(4) : _rightScores(4));
        }
        assertEq(task.round(), 3);
        assertEq(task.pool(), 0);
        _challenge(1);
        skip(CHALLENGE + 1);

        _pay(3, _who(4), _rightScores(4));
        assertEq(task.finalRounds(), 0);
        _pay(2, _who(4), _rightScores(4));
        assertEq(task.finalRounds(), 0);
        skip(SETTLE);
        task.voidRound(1);
        assertEq(task.finalRounds(), 3);
        assertEq(task.pool(), 300 ether);
        assertEq(task.balances(people[0]), 200 ether);
    }

    function test_open_round_stops_the_count_of_final_ones() public {
        _start(4);
        uint32 first = _playToReveal(4);
        _post(first, _who(4), _rightScores(4));
        _playToReveal(4);
        skip(CHALLENGE + 1);
        _pay(first, _who(4), _rightScores(4));
        assertEq(task.finalRounds(), 1);
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RoundNotFinal.selector, uint32(2)));
        task.completeTask();
    }

    function test_challenge_of_an_old_round_uses_that_rounds_reports() public {
        _start(4);
        uint32 first = _playToReveal(4);
        _post(first, _who(4), _falseScores(4));
        uint32 second = _playToReveal(4);
        _post(second, _who(4), _rightScores(4));
        _challenge(first);
        _publishAll(4, first);
        _resolve(first, _who(4), _falseScores(4));
        _assertStatus(first, IFederatedTask.RoundStatus.Paid);
        _assertStatus(second, IFederatedTask.RoundStatus.Posted);
        assertEq(task.balances(people[0]), 100 ether);
        bytes32 digest = _digest(people[0], second);
        bytes memory report = _report(0);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.publishReport(second, people[0], digest, report, _salt(people[0], second));
    }

    function test_late_reveal_of_an_older_round_is_refused() public {
        _start(4);
        uint32 first = _playToReveal(4);
        _post(first, _who(4), _rightScores(4));
        uint32 second = _open();
        IFederatedTask.Reveal[] memory openings = _openings(1, first);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.WrongRound.selector, first, second));
        _reveal(first, openings);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.WrongRound.selector, first, second));
        _revealReport(0, first);
    }
}
