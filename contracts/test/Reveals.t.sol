// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Opening a commitment, and what it costs not to.
contract RevealsTest is TaskTest {
    uint32 private round;

    function setUp() public override {
        super.setUp();
        _start(3);
        round = _open();
    }

    function test_reveal_replaces_the_commitment_by_the_payload_hash() public {
        _commitAll(3, round);
        IFederatedTask.Reveal memory opening = _opening(0, round);
        vm.expectEmit(address(task));
        emit IFederatedTask.Revealed(round, people[0], opening.contentDigest, opening.reportHash, opening.salt);
        _reveal(0, round);
        assertEq(task.submissionOf(round, people[0]), _payload(0, round));
        assertEq(task.memberOf(people[0]).revealedRound, round);
        assertEq(task.roundOf(round).revealed, 1);
    }

    function test_copied_commitment_cannot_be_revealed_by_the_copier() public {
        _commit(0, round);
        bytes32 copied = _commitment(0, round);
        vm.prank(people[1]);
        task.commit(round, copied);
        skip(COMMIT + 1);
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        task.reveal(round, openings);
        openings[0].participant = people[1];
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.reveal(round, openings);
    }

    function test_revealing_while_others_still_commit_is_refused() public {
        _commit(0, round);
        _commit(1, round);
        uint64 deadline = task.roundOf(round).commitDeadline;
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CommitPhaseOpen.selector, round, deadline));
        task.reveal(round, openings);
        vm.warp(deadline + 1);
        task.reveal(round, openings);
    }

    function test_revealing_may_begin_once_all_have_committed() public {
        _commitAll(3, round);
        _reveal(0, round);
    }

    function test_revealing_twice_is_refused() public {
        _commitAll(3, round);
        _reveal(0, round);
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyRevealed.selector, people[0], round));
        task.reveal(round, openings);
    }

    function test_wrong_preimage_is_refused() public {
        _commitAll(3, round);
        for (uint256 part; part < 3; ++part) {
            IFederatedTask.Reveal[] memory openings = _openings(1, round);
            if (part == 0) openings[0].contentDigest = WRONG;
            if (part == 1) openings[0].reportHash = WRONG;
            if (part == 2) openings[0].salt = WRONG;
            vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
            task.reveal(round, openings);
        }
    }

    function test_commitment_of_another_chain_cannot_be_revealed() public {
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        bytes32 elsewhere = keccak256(
            abi.encode(block.chainid + 1, address(task), round, people[0], _payload(0, round), openings[0].salt)
        );
        vm.prank(people[0]);
        task.commit(round, elsewhere);
        skip(COMMIT + 1);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.reveal(round, openings);
    }

    function test_commitment_of_another_round_cannot_be_revealed() public {
        bytes32 next = _commitment(0, round + 1);
        vm.prank(people[0]);
        task.commit(round, next);
        skip(COMMIT + 1);
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.reveal(round, openings);
    }

    function test_revealing_without_a_commitment_is_refused() public {
        _commit(0, round);
        skip(COMMIT + 1);
        IFederatedTask.Reveal[] memory openings = _openings(2, round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotCommitted.selector, people[1], round));
        task.reveal(round, openings);
    }

    function test_revealing_late_is_refused() public {
        _commitAll(3, round);
        uint64 deadline = task.roundOf(round).revealDeadline;
        vm.warp(deadline);
        _reveal(0, round);
        IFederatedTask.Reveal[] memory openings = new IFederatedTask.Reveal[](1);
        openings[0] = _opening(1, round);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseClosed.selector, round, deadline));
        task.reveal(round, openings);
    }

    function test_missing_reveal_is_slashed_into_the_budget() public {
        _commitAll(3, round);
        _reveal(0, round);
        skip(COMMIT + REVEAL + 1);
        task.slashMissing(round, _list(people[1], people[2]));
        uint256 slash = STAKE / 10;
        assertEq(_stakeOf(1), STAKE - slash);
        assertEq(_stakeOf(2), STAKE - slash);
        assertEq(task.roundOf(round).budget, POOL / ROUNDS + 2 * slash);

        int256[] memory one = new int256[](1);
        one[0] = 1 ether;
        _post(round, _who(1), one);
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(1), one);
        assertEq(task.balances(people[0]), POOL / ROUNDS + 2 * slash, "who revealed gets the slash");
    }

    function test_missing_reveal_is_slashed_once() public {
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotCommitted.selector, people[1], round));
        task.slashMissing(round, _list(people[1], people[1]));
    }

    function test_slash_waits_for_the_reveal_deadline() public {
        _commitAll(3, round);
        uint64 deadline = task.roundOf(round).revealDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseOpen.selector, round, deadline));
        task.slashMissing(round, _list(people[1]));
    }

    function test_who_revealed_or_never_committed_is_not_slashed() public {
        _commit(0, round);
        _commit(1, round);
        skip(COMMIT + 1);
        _reveal(0, round);
        skip(REVEAL + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyRevealed.selector, people[0], round));
        task.slashMissing(round, _list(people[0]));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotCommitted.selector, people[2], round));
        task.slashMissing(round, _list(people[2]));
    }
}
