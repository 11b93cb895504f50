// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Whole tasks, from the funding to the last withdrawal.
contract LifeCycleTest is TaskTest {
    function test_direct_task_pays_the_truthful_and_empties_the_contract() public {
        _start(4);
        for (uint256 r; r < ROUNDS; ++r) {
            _playRound(4);
        }
        assertEq(task.finalRounds(), ROUNDS);
        assertEq(task.pool(), 0, "every round's whole budget was earned");
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_who(4));
        task.withdraw(_list(requester));

        for (uint256 i; i < 3; ++i) {
            assertEq(token.balanceOf(people[i]) / 1 ether, (WEALTH + POOL / 3) / 1 ether, "a third of the pool");
        }
        assertLe(token.balanceOf(people[3]), WEALTH, "a constant earns nothing");
        assertEq(token.balanceOf(requester), WEALTH - POOL, "the bonds came back");
        assertEq(token.balanceOf(address(task)), 0);
    }

    function test_relayed_task_pays_what_the_direct_one_pays() public {
        IFederatedTask.JoinRequest[] memory joins = new IFederatedTask.JoinRequest[](4);
        for (uint256 i; i < 4; ++i) {
            joins[i] = _signJoin(task, token, keys[people[i]], STAKE, SAMPLES, block.timestamp + 1 hours);
        }
        vm.prank(stranger);
        task.joinTaskFor(joins);
        vm.prank(requester);
        task.startTask();
        uint32 round = _open();
        IFederatedTask.CommitRequest[] memory commits = new IFederatedTask.CommitRequest[](4);
        for (uint256 i; i < 4; ++i) {
            commits[i] = _signCommit(task, keys[people[i]], round, _commitment(i, round));
        }
        vm.prank(stranger);
        task.commitFor(round, commits);
        _reveal(round, _openings(4, round));
        _post(round, _who(4), _rightScores(4));
        skip(CHALLENGE + 1);
        vm.prank(stranger);
        _pay(round, _who(4), _rightScores(4));

        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
        assertEq(task.balances(people[3]), 0);
        assertEq(task.balances(stranger), 0);
    }

    function test_receipt_names_commitment_score_payout_slash_and_formula() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        scores[3] = -2 ether;
        _post(round, _who(4), scores);
        skip(CHALLENGE + 1);
        uint256 slash = 20 ether;
        for (uint256 i; i < 3; ++i) {
            vm.expectEmit(address(task));
            emit IFederatedTask.Receipt(
                round,
                people[i],
                _commitment(i, round),
                scores[i],
                (300 ether + slash + 2 - i) / 3,
                0,
                "PeerTruthSerum/1",
                1 ether
            );
        }
        vm.expectEmit(address(task));
        emit IFederatedTask.Receipt(
            round, people[3], _commitment(3, round), scores[3], 0, slash, "PeerTruthSerum/1", 1 ether / uint256(3)
        );
        _pay(round, _who(4), scores);
        assertEq(_stakeOf(3), STAKE - slash);
    }

    function test_scores_above_the_floor_are_not_slashed() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        scores[2] = -0.01 ether + 1;
        scores[3] = -0.01 ether;
        _post(round, _who(4), scores);
        skip(CHALLENGE + 1);
        _pay(round, _who(4), scores);
        assertEq(_stakeOf(2), STAKE);
        assertEq(_stakeOf(3), STAKE - 0.1 ether);
    }

    function test_slash_takes_no_more_than_the_stake() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        scores[3] = -type(int128).max;
        _post(round, _who(4), scores);
        skip(CHALLENGE + 1);
        _pay(round, _who(4), scores);
        assertEq(_stakeOf(3), 0);
        assertEq(task.balances(people[0]), (300 ether + STAKE) / uint256(3) + 1);
    }

    function test_budget_that_nobody_earned_returns_to_the_pool() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory nothing = new int256[](4);
        _post(round, _who(4), nothing);
        assertEq(task.pool(), 600 ether);
        skip(CHALLENGE + 1);
        _pay(round, _who(4), nothing);
        assertEq(task.pool(), POOL);
        assertEq(task.roundOf(round).budget, 0);
    }

    function test_each_round_gets_an_equal_part_of_what_is_left() public {
        _start(4);
        _voidRound();
        uint32 second = _open();
        assertEq(task.roundOf(second).budget, POOL / 2, "the void round's money serves those to come");
        skip(COMMIT + 1);
        task.voidRound(second);
        uint32 third = _open();
        assertEq(task.roundOf(third).budget, POOL);
        assertEq(task.pool(), 0);
    }

    function test_extension_adds_rounds_and_money() public {
        _start(4);
        _playRound(4);
        vm.prank(requester);
        task.extendTask(1, 300 ether);
        assertEq(task.rounds(), ROUNDS + 1);
        uint32 second = _open();
        assertEq(task.roundOf(second).budget, 300 ether);
    }

    function test_no_more_rounds_than_promised() public {
        _start(4);
        for (uint256 r; r < ROUNDS; ++r) {
            _voidRound();
        }
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RoundsExhausted.selector, ROUNDS));
        _open();
    }

    function test_next_round_waits_for_the_open_one() public {
        _start(4);
        uint32 round = _open();
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTask.WrongRoundStatus.selector,
                round,
                IFederatedTask.RoundStatus.Open,
                IFederatedTask.RoundStatus.Posted
            )
        );
        _open();
    }

    function test_start_needs_the_minimum_of_members() public {
        _join(people[0]);
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.TooFewMembers.selector, 1, 2));
        task.startTask();
    }

    function test_round_without_members_is_refused() public {
        _start(2);
        for (uint256 i; i < 2; ++i) {
            vm.prank(people[i]);
            task.removeWorker();
        }
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.TooFewMembers.selector, 0, 1));
        _open();
    }
}
