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

    function test_missing_reveal_is_slashed_into_the_rounds_pay() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        task.slashMissing(round, _list(people[1], people[2]));
        assertEq(_stakeOf(1), STAKE - SLASH);
        assertEq(_stakeOf(2), STAKE - SLASH);
        assertEq(task.roundOf(round).budget, POOL / ROUNDS);
        assertEq(task.roundOf(round).forfeits, 2 * SLASH);
        _payTheOne();
        assertEq(task.balances(people[0]), POOL / ROUNDS + 2 * SLASH, "who revealed gets the slash");
        assertEq(task.forfeited(), 0);
    }

    function test_missing_reveal_is_slashed_once() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        task.slashMissing(round, _list(people[1], people[1]));
        task.slashMissing(round, _list(people[1]));
        assertEq(_stakeOf(1), STAKE - SLASH);
    }

    function test_slash_waits_for_the_reveal_deadline() public {
        _commitAll(3, round);
        _reveal(0, round);
        uint64 deadline = task.roundOf(round).revealDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseOpen.selector, round, deadline));
        task.slashMissing(round, _list(people[1]));
    }

    function test_nobody_is_slashed_in_a_round_in_which_nobody_revealed() public {
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        bytes memory refusal = abi.encodeWithSelector(IFederatedTask.NobodyRevealed.selector, round);
        vm.expectRevert(refusal);
        task.slashMissing(round, _who(3));
        task.voidRound(round);
        vm.expectRevert(refusal);
        task.slashMissing(round, _who(3));

        uint32 second = _open();
        _commit(0, second);
        assertEq(_stakeOf(0), STAKE);
        vm.expectRevert(refusal);
        task.slashMissing(round, _who(3));
        vm.prank(people[1]);
        task.removeWorker();
        assertEq(task.balances(people[1]), STAKE);
        assertEq(task.forfeited(), 0);
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

    function test_slash_after_the_posting_joins_the_rounds_pay() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        _post(round, _who(1), new int256[](1));
        _expectSlash(2, true);
        task.slashMissing(round, _list(people[2]));
        _challenge(round);
        task.slashMissing(round, _who(3));
        assertEq(task.roundOf(round).forfeits, 2 * SLASH);
        skip(CHALLENGE + SETTLE + 1);
        task.voidRound(round);
        assertEq(task.roundOf(round).forfeits, 0);
        assertEq(task.pool(), POOL);
        assertEq(task.forfeited(), 2 * SLASH + BOND);
    }

    function test_slash_after_the_round_is_void_is_for_the_next_round() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + SETTLE + 1);
        vm.prank(people[2]);
        task.voidRound(round);
        _expectSlash(2, false);
        task.slashMissing(round, _list(people[2]));
        assertEq(_stakeOf(2), STAKE - SLASH);
        assertEq(task.roundOf(round).forfeits, 0);
        assertEq(task.forfeited(), SLASH);
        assertEq(task.pool(), POOL);
    }

    function test_slash_after_the_round_is_paid_is_for_the_next_round_to_open() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        _payTheOne();
        uint32 second = _open();
        task.slashMissing(round, _who(3));
        assertEq(task.roundOf(round).forfeits, 0);
        assertEq(task.roundOf(second).forfeits, 0);
        assertEq(task.forfeited(), 2 * SLASH);
        assertEq(task.pool(), (POOL - POOL / ROUNDS) / 2);
    }

    function test_committing_again_pays_for_the_missing_reveal() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        _post(round, _who(1), new int256[](1));
        uint32 second = _open();
        _commit(0, second);
        _expectSlash(1, false);
        _commit(1, second);
        assertEq(_stakeOf(0), STAKE);
        assertEq(_stakeOf(1), STAKE - SLASH);
        assertEq(task.forfeited(), SLASH, "for the round after this one");
        assertEq(task.roundOf(round).forfeits + task.roundOf(second).forfeits, 0);
        task.slashMissing(round, _list(people[1]));
        assertEq(_stakeOf(1), STAKE - SLASH);
    }

    function test_every_missing_reveal_is_paid_for_by_whoever_goes_on() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.voidRound(round);
        uint32 second = _open();
        _commitAll(3, second);
        _reveal(0, second);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.voidRound(second);
        vm.prank(people[1]);
        task.removeWorker();
        assertEq(task.balances(people[1]), (STAKE - SLASH) * 9 / 10);
        assertEq(task.forfeited(), 2 * SLASH + (STAKE - SLASH) / 10, "one of two that owe has left");
    }

    function test_debt_that_takes_the_whole_stake_ends_the_committing() public {
        IFederatedTask.Settings memory s = _settings();
        s.missingSlashBps = 10_000;
        task = _deploy(s);
        _fund(task);
        _start(2);
        uint32 first = _open();
        _commitAll(2, first);
        _reveal(1, first);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.voidRound(first);
        uint32 second = _open();
        bytes32 commitment = _commitment(0, second);
        vm.prank(people[0]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.StakeTooSmall.selector, people[0], 0, 1));
        task.commit(second, commitment);
    }

    function test_leaving_pays_for_the_missing_reveal() public {
        _commitAll(3, round);
        _reveal(1, round);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.voidRound(round);
        _expectSlash(0, false);
        vm.prank(people[0]);
        task.removeWorker();
        assertEq(task.balances(people[0]), STAKE - SLASH);
        assertEq(task.forfeited(), SLASH);
        task.slashMissing(round, _list(people[0]));
        assertEq(task.forfeited(), SLASH);
        assertEq(task.pool(), POOL);
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

    function _payTheOne() private {
        int256[] memory one = new int256[](1);
        one[0] = 1 ether;
        _post(round, _who(1), one);
        skip(CHALLENGE + 1);
        _pay(round, _who(1), one);
    }

    function _expectSlash(uint256 i, bool intoRound) private {
        vm.expectEmit(address(task));
        emit IFederatedTask.MissingRevealSlashed(round, people[i], SLASH, intoRound);
    }
}
