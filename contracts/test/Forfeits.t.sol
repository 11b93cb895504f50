// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Where the money of slashes goes: to those who earn, else to nobody, never to the requester.
contract ForfeitsTest is TaskTest {
    uint256 private constant SLASH = STAKE / 10;

    function setUp() public override {
        super.setUp();
        _start(4);
    }

    function test_requester_that_withholds_every_reveal_gains_nothing() public {
        for (uint256 r; r < ROUNDS; ++r) {
            uint32 round = _open();
            _commitAll(4, round);
            skip(COMMIT + REVEAL + 1);
            vm.prank(requester);
            vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NobodyRevealed.selector, round));
            task.slashMissing(round, _who(4));
            task.voidRound(round);
        }
        _complete();
        _expectBurnt(0);
        assertEq(token.balanceOf(requester), WEALTH);
        for (uint256 i; i < 4; ++i) {
            assertEq(token.balanceOf(people[i]), WEALTH);
        }
    }

    function test_requester_gains_nothing_from_slashes_that_nobody_earned() public {
        for (uint256 r; r < ROUNDS; ++r) {
            uint32 round = _revealOne();
            task.slashMissing(round, _who(4));
            skip(SETTLE);
            task.voidRound(round);
        }
        uint256 kept = STAKE;
        for (uint256 r; r < ROUNDS; ++r) {
            kept -= kept / 10;
        }
        assertEq(_stakeOf(1), kept);
        assertEq(task.forfeited(), 3 * (STAKE - kept));
        _complete();
        _expectBurnt(3 * (STAKE - kept));
        assertEq(token.balanceOf(requester), WEALTH);
    }

    function test_slashes_are_paid_to_the_others() public {
        uint32 first = _revealOne();
        skip(SETTLE);
        task.voidRound(first);
        task.slashMissing(first, _list(people[3]));
        assertEq(task.forfeited(), SLASH);
        uint64 opened = uint64(block.timestamp);
        vm.expectEmit(address(task));
        emit IFederatedTask.RoundOpened(2, POOL / 2, SLASH, 4, opened + COMMIT, opened + COMMIT + REVEAL, 0);
        uint32 second = _open();
        assertEq(task.forfeited(), 0);
        _commit(0, second);
        skip(COMMIT + 1);
        _reveal(0, second);
        int256[] memory one = new int256[](1);
        one[0] = 1 ether;
        _post(second, _who(1), one);
        skip(CHALLENGE + 1);
        _pay(second, _who(1), one);
        assertEq(task.balances(people[0]), POOL / 2 + SLASH);
        _complete();
        _expectBurnt(0);
        assertEq(token.balanceOf(requester), WEALTH - POOL / 2);
        assertEq(token.balanceOf(people[0]), WEALTH + POOL / 2 + SLASH);
    }

    function test_no_more_than_the_budget_returns_when_nobody_earns() public {
        uint32 round = _revealOne();
        task.slashMissing(round, _who(4));
        int256[] memory negative = new int256[](1);
        negative[0] = -2 ether;
        _post(round, _who(1), negative);
        skip(CHALLENGE + 1);
        vm.expectEmit(address(task));
        emit IFederatedTask.RoundPaid(round, 0, 20 ether, POOL / ROUNDS);
        _pay(round, _who(1), negative);
        assertEq(_stakeOf(0), STAKE - 20 ether);
        assertEq(task.pool(), POOL);
        assertEq(task.forfeited(), 3 * SLASH + 20 ether);
        _complete();
        _expectBurnt(3 * SLASH + 20 ether);
        assertEq(token.balanceOf(requester), WEALTH);
    }

    function test_completion_tells_what_it_burns_and_anyone_may_send_it_off() public {
        uint32 round = _revealOne();
        skip(SETTLE);
        task.voidRound(round);
        task.slashMissing(round, _who(4));
        vm.expectEmit(address(task));
        emit IFederatedTask.TaskCompleted(POOL, 3 * SLASH);
        vm.prank(requester);
        task.completeTask();
        assertEq(task.forfeited(), 0);
        assertEq(task.balances(BURN), 3 * SLASH);
        vm.expectEmit(address(task));
        emit IFederatedTask.Withdrawn(BURN, 3 * SLASH);
        vm.prank(stranger);
        task.withdraw(_list(BURN));
        assertEq(token.balanceOf(BURN), 3 * SLASH);
    }

    function test_bond_of_an_idle_challenger_is_paid_to_the_members() public {
        uint32 first = _playToReveal(4);
        _post(first, _who(4), _rightScores(4));
        _challenge(first);
        skip(CHALLENGE + SETTLE + 1);
        task.voidRound(first);
        _playRound(4);
        assertEq(task.balances(people[0]), (POOL / 2 + BOND + 2) / 3);
        assertEq(task.balances(challenger), 0);
    }

    // All four commit, the first reveals.
    function _revealOne() private returns (uint32 round) {
        round = _open();
        _commitAll(4, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
    }

    function _complete() private {
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_who(4));
        task.withdraw(_list(requester, challenger, BURN));
        assertEq(token.balanceOf(address(task)), 0);
    }

    function _expectBurnt(uint256 amount) private view {
        assertEq(token.balanceOf(BURN), amount);
    }
}
