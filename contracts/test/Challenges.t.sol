// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Disputes over a posting.
contract ChallengesTest is TaskTest {
    uint32 private round;

    function setUp() public override {
        super.setUp();
        _start(4);
        round = _playToReveal(4);
    }

    function test_false_posting_is_overturned_and_pays_the_challenger_its_bond() public {
        _post(round, _who(4), _falseScores(4));
        _challenge(round);
        assertEq(token.balanceOf(challenger), WEALTH - BOND);
        _publishAll(4, round);
        int256[] memory right = _rightScores(4);
        vm.expectEmit(address(task));
        emit IFederatedTask.ChallengeResolved(round, false, challenger, right);
        _resolve(round, _who(4), _falseScores(4));
        assertEq(task.balances(challenger), 2 * BOND);
        assertEq(task.balances(requester), 0);
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function test_false_posting_does_not_change_anybodys_pay() public {
        uint256 snapshot = vm.snapshotState();
        _post(round, _who(4), _rightScores(4));
        skip(CHALLENGE + 1);
        _pay(round, _who(4), _rightScores(4));
        uint256[] memory pay = new uint256[](4);
        uint256[] memory stakes = new uint256[](4);
        for (uint256 i; i < 4; ++i) {
            (pay[i], stakes[i]) = (task.balances(people[i]), _stakeOf(i));
        }
        vm.revertToState(snapshot);

        _post(round, _who(4), _falseScores(4));
        _challenge(round);
        _publishAll(4, round);
        _resolve(round, _who(4), _falseScores(4));
        for (uint256 i; i < 4; ++i) {
            assertEq(task.balances(people[i]), pay[i]);
            assertEq(_stakeOf(i), stakes[i]);
        }
    }

    function test_right_posting_is_upheld_and_costs_the_challenger_its_bond() public {
        int256[] memory right = _rightScores(4);
        _post(round, _who(4), right);
        _challenge(round);
        _publishAll(4, round);
        vm.expectEmit(address(task));
        emit IFederatedTask.ChallengeResolved(round, true, requester, right);
        _resolve(round, _who(4), right);
        assertEq(task.balances(requester), 2 * BOND);
        assertEq(task.balances(challenger), 0);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
    }

    function test_posting_wrong_in_one_unit_is_overturned() public {
        int256[] memory scores = _rightScores(4);
        ++scores[2];
        _post(round, _who(4), scores);
        _challenge(round);
        _publishAll(4, round);
        _resolve(round, _who(4), scores);
        assertEq(task.balances(challenger), 2 * BOND);
    }

    function test_posting_with_a_false_quality_is_overturned_and_changes_nobodys_pay() public {
        int256[] memory right = _rightScores(4);
        uint256[] memory qualities = _rightQualities(4);
        --qualities[0];
        _post(round, _who(4), right, qualities);
        _challenge(round);
        _publishAll(4, round);
        vm.expectEmit(address(task));
        emit IFederatedTask.ChallengeResolved(round, false, challenger, right);
        vm.expectEmit(true, true, false, false, address(task));
        emit IFederatedTask.Receipt(round, people[0], 0, 0, 0, 0, 0, 0);
        task.computeScores(round, _who(4), right, qualities, "", "", type(uint256).max);
        assertEq(task.balances(challenger), 2 * BOND);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
    }

    function test_anyone_may_resolve_once_all_reports_are_published() public {
        _post(round, _who(4), _rightScores(4));
        _challenge(round);
        int256[] memory right = _rightScores(4);
        for (uint256 i; i < 3; ++i) {
            _publish(i, round);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTask.ReportsMissing.selector, 3, 4, uint64(block.timestamp + CHALLENGE))
        );
        _resolve(round, _who(4), right);
        _publish(3, round);
        vm.prank(stranger);
        _resolve(round, _who(4), right);
        assertEq(task.balances(stranger), 0);
    }

    function test_poster_that_challenges_itself_changes_nobodys_pay() public {
        _post(round, _who(4), _falseScores(4));
        vm.prank(requester);
        task.challenge(round);
        _publishAll(4, round);
        _resolve(round, _who(4), _falseScores(4));
        assertEq(task.balances(requester), 2 * BOND);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
        assertEq(task.balances(people[3]), 0);
    }

    function test_challenge_after_the_window_is_refused() public {
        _post(round, _who(4), _rightScores(4));
        uint64 deadline = task.roundOf(round).settleDeadline;
        vm.warp(deadline + 1);
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlinePassed.selector, deadline));
        task.challenge(round);
    }

    function test_posting_is_challenged_once() public {
        _post(round, _who(4), _rightScores(4));
        _challenge(round);
        vm.prank(stranger);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.challenge(round);
    }

    function test_challenged_round_cannot_be_paid_as_posted() public {
        int256[] memory falsified = _falseScores(4);
        _post(round, _who(4), falsified);
        _challenge(round);
        skip(2 * CHALLENGE);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        _pay(round, _who(4), falsified);
    }

    function test_resolving_with_another_posting_is_refused() public {
        int256[] memory right = _rightScores(4);
        _post(round, _who(4), _falseScores(4));
        _challenge(round);
        _publishAll(4, round);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        _resolve(round, _who(4), right);
    }

    function test_unresolved_challenge_is_voided_and_costs_the_challenger_its_bond() public {
        _post(round, _who(4), _falseScores(4));
        _challenge(round);
        uint64 deadline = task.roundOf(round).settleDeadline + SETTLE;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, deadline));
        task.voidRound(round);
        vm.warp(deadline + 1);
        task.voidRound(round);
        assertEq(task.balances(requester), BOND);
        assertEq(task.balances(challenger), 0);
        assertEq(task.forfeited(), BOND);
        assertEq(task.pool(), POOL);
        assertEq(task.finalRounds(), 1);
        assertEq(task.roundOf(_open()).forfeits, BOND);
    }

    function test_malformed_report_scores_zero_and_does_not_block_the_others() public {
        skip(2 * CHALLENGE);
        task.voidRound(round);
        round = _open();
        _commitAll(3, round);
        bytes memory malformed = hex"ff";
        bytes32 payload = keccak256(abi.encode(WRONG, keccak256(malformed)));
        vm.prank(people[3]);
        task.commit(round, keccak256(abi.encode(block.chainid, address(task), round, people[3], payload, bytes32(0))));
        IFederatedTask.Reveal[] memory openings = _openings(4, round);
        openings[3] = IFederatedTask.Reveal(people[3], WRONG, keccak256(malformed), 0);
        _reveal(round, openings);
        _post(round, _who(4), _falseScores(4));
        _challenge(round);
        _publishAll(3, round);
        task.publishReport(round, people[3], WRONG, malformed, 0);
        _resolve(round, _who(4), _falseScores(4));
        assertEq(task.balances(people[3]), 0);
        assertEq(task.balances(people[0]), POOL / uint256(ROUNDS - 1) / 3);
        assertEq(_stakeOf(3), STAKE);
    }
}
