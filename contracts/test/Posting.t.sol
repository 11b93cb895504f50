// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Posting scores and paying by them when nobody objects.
contract PostingTest is TaskTest {
    function test_posting_takes_a_bond_that_comes_back() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _post(round, _who(4), _rightScores(4));
        assertEq(token.balanceOf(requester), WEALTH - POOL - BOND);
        skip(CHALLENGE + 1);
        _pay(round, _who(4), _rightScores(4));
        assertEq(task.balances(requester), BOND);
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function test_bond_comes_from_the_balance_here_before_the_allowance() public {
        _start(4);
        _playRound(4);
        uint32 second = _playToReveal(4);
        uint256 held = token.balanceOf(requester);
        _post(second, _who(4), _rightScores(4));
        assertEq(task.balances(requester), 0);
        assertEq(token.balanceOf(requester), held);
        vm.expectEmit(address(task));
        emit IFederatedTask.BondDeposited(challenger, BOND);
        _challenge(second);
        assertEq(token.balanceOf(challenger), WEALTH - BOND);
    }

    function test_first_half_of_the_settlement_period_is_the_requesters() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        uint256[] memory qualities = _rightQualities(4);
        uint64 openToAll = task.roundOf(round).settleDeadline - SETTLE / 2;
        bytes memory refusal = abi.encodeWithSelector(IFederatedTask.NotRequester.selector, challenger, requester);
        vm.startPrank(challenger);
        vm.expectRevert(refusal);
        task.postScores(round, _who(4), scores, qualities, "", 0);
        vm.warp(openToAll);
        vm.expectRevert(refusal);
        task.postScores(round, _who(4), scores, qualities, "", 0);
        skip(1);
        task.postScores(round, _who(4), scores, qualities, "", 0);
        assertEq(task.roundOf(round).poster, challenger);
    }

    function test_posting_of_a_round_in_which_nobody_revealed_is_refused() public {
        _start(4);
        uint32 round = _open();
        _commitAll(4, round);
        skip(COMMIT + REVEAL + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NobodyRevealed.selector, round));
        _post(round, _who(0), new int256[](0));
    }

    function test_posting_before_the_reveals_are_over_is_refused() public {
        _start(4);
        uint32 round = _open();
        _commitAll(4, round);
        _reveal(0, round);
        uint64 deadline = task.roundOf(round).revealDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseOpen.selector, round, deadline));
        _post(round, _who(1), new int256[](1));
    }

    function test_posting_out_of_order_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        address[] memory who = _who(4);
        (who[1], who[2]) = (who[2], who[1]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.ParticipantsNotAscending.selector, people[2], people[1]));
        _post(round, who, new int256[](4));
    }

    function test_posting_a_participant_twice_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        address[] memory who = _who(4);
        who[2] = who[1];
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.ParticipantsNotAscending.selector, people[1], people[1]));
        _post(round, who, new int256[](4));
    }

    function test_posting_without_somebody_who_revealed_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 3, 4));
        _post(round, _who(3), new int256[](3));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 3, 4));
        _post(round, _who(4), new int256[](3));
    }

    function test_posting_somebody_who_did_not_reveal_is_refused() public {
        _start(4);
        uint32 round = _open();
        _commitAll(4, round);
        for (uint256 i; i < 3; ++i) {
            _reveal(i, round);
        }
        skip(COMMIT + REVEAL + 1);
        address[] memory who = _list(people[0], people[1], people[3]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRevealed.selector, people[3], round));
        _post(round, who, new int256[](3));
    }

    function test_posting_scores_out_of_bounds_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = new int256[](4);
        int256 bound = type(int128).max;
        scores[1] = bound + 1;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.ScoreOutOfBounds.selector, people[1], scores[1]));
        _post(round, _who(4), scores);
        scores[1] = -bound - 1;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.ScoreOutOfBounds.selector, people[1], scores[1]));
        _post(round, _who(4), scores);
    }

    function test_posting_qualities_above_one_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        uint256[] memory qualities = new uint256[](4);
        qualities[2] = 1 ether + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTask.QualityOutOfBounds.selector, people[2], qualities[2])
        );
        _post(round, _who(4), new int256[](4), qualities);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 3, 4));
        _post(round, _who(4), new int256[](4), new uint256[](3));
        qualities[2] = 1 ether;
        _post(round, _who(4), new int256[](4), qualities);
    }

    function test_paying_other_qualities_than_were_posted_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        _post(round, _who(4), scores);
        skip(CHALLENGE + 1);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.distributeRewards(round, _who(4), scores, new uint256[](4), "");
    }

    function test_largest_scores_can_be_paid() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = new int256[](4);
        for (uint256 i; i < 4; ++i) {
            scores[i] = i % 2 == 0 ? int256(type(int128).max) : -int256(type(int128).max);
        }
        _post(round, _who(4), scores);
        skip(CHALLENGE + 1);
        _pay(round, _who(4), scores);
        assertEq(task.balances(people[0]), (POOL / ROUNDS + 2 * STAKE) / 2);
    }

    function test_round_is_posted_once() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _post(round, _who(4), _rightScores(4));
        int256[] memory falsified = _falseScores(4);
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTask.WrongRoundStatus.selector,
                round,
                IFederatedTask.RoundStatus.Posted,
                IFederatedTask.RoundStatus.Open
            )
        );
        _post(round, _who(4), falsified);
    }

    function test_paying_within_the_challenge_window_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        _post(round, _who(4), scores);
        skip(CHALLENGE);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, uint64(block.timestamp)));
        _pay(round, _who(4), scores);
    }

    function test_paying_anything_but_what_was_posted_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _post(round, _who(4), _rightScores(4));
        skip(CHALLENGE + 1);
        int256[] memory falsified = _falseScores(4);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        _pay(round, _who(4), falsified);
    }

    function test_round_is_paid_once() public {
        _start(4);
        uint32 round = _playRound(4);
        int256[] memory scores = _rightScores(4);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        _pay(round, _who(4), scores);
    }

    function test_nobody_posting_voids_the_round_and_refills_the_pool() public {
        _start(4);
        uint32 round = _playToReveal(4);
        assertEq(task.pool(), POOL - POOL / ROUNDS);
        uint64 deadline = task.roundOf(round).settleDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, deadline));
        task.voidRound(round);
        vm.warp(deadline + 1);
        vm.prank(stranger);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
        assertEq(task.roundOf(round).budget, 0);
        assertEq(task.finalRounds(), 1);
        _assertStatus(round, IFederatedTask.RoundStatus.Void);
    }

    function test_round_without_a_reveal_is_void_at_once() public {
        _start(4);
        uint32 round = _open();
        _commit(0, round);
        skip(COMMIT + REVEAL);
        vm.expectPartialRevert(IFederatedTask.DeadlineNotReached.selector);
        task.voidRound(round);
        skip(1);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
    }

    function test_round_is_voided_once_and_a_paid_one_never() public {
        _start(4);
        uint32 first = _voidRound();
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.voidRound(first);
        uint32 second = _playRound(4);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.voidRound(second);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.voidRound(second + 1);
    }

    function test_bond_is_taken_from_what_a_member_earned() public {
        _start(4);
        uint32 first = _playRound(4);
        uint256 earned = task.balances(people[0]);
        assertEq(task.memberOf(people[0]).earned, earned);
        assertGt(earned, BOND);
        uint32 second = _playToReveal(4);
        assertGt(second, first);
        _post(second, _who(4), _rightScores(4));
        uint256 held = token.balanceOf(address(task));
        vm.prank(people[0]);
        task.challenge(second);
        assertEq(task.balances(people[0]), earned - BOND);
        assertEq(token.balanceOf(address(task)), held, "nothing moved");
        task.withdraw(_list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE + earned - BOND);
        assertEq(task.balances(people[0]), 0);
    }

    function test_pay_beyond_what_a_members_record_holds_is_kept_all_the_same() public {
        uint96 most = type(uint96).max;
        token.mint(_list(requester), 2 * uint256(most));
        _start(2);
        for (uint256 r; r < 3; ++r) {
            _payOne();
        }
        for (uint256 r; r < 2; ++r) {
            vm.prank(requester);
            task.extendTask(1, most);
            _payOne();
        }
        assertEq(task.balances(people[0]), uint256(POOL) + 2 * uint256(most));
        assertLe(task.memberOf(people[0]).earned, most);
        task.withdraw(_list(people[0]));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE + POOL + 2 * uint256(most));
    }

    // A round in which one member alone takes part, and gets all.
    function _payOne() private {
        uint32 round = _open();
        _commit(0, round);
        skip(COMMIT + 1);
        _reveal(0, round);
        int256[] memory scores = new int256[](1);
        scores[0] = 1 ether;
        _post(round, _list(people[0]), scores);
        skip(CHALLENGE + 1);
        _pay(round, _list(people[0]), scores);
    }
}
