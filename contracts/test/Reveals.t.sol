// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Opening a commitment.
contract RevealsTest is TaskTest {
    uint32 private round;

    function setUp() public override {
        super.setUp();
        _start(3);
        round = _open();
    }

    function test_reveal_opens_a_commitment() public {
        _commitAll(3, round);
        IFederatedTask.Reveal memory opening = _opening(0, round);
        vm.expectEmit(address(task));
        emit IFederatedTask.Revealed(round, people[0], opening.contentDigest, opening.reportHash, opening.salt);
        _reveal(0, round);
        assertTrue(task.hasRevealed(round, people[0]));
        assertEq(task.roundOf(round).revealed, 1);
    }

    function test_copied_commitment_cannot_be_revealed_by_the_copier() public {
        _commit(0, round);
        bytes32 copied = _commitment(0, round);
        vm.prank(people[1]);
        task.commit(round, copied);
        skip(COMMIT + 1);
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        _reveal(round, openings);
        openings[0].participant = people[1];
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        _reveal(round, openings);
    }

    function test_revealing_while_others_still_commit_is_refused() public {
        _commit(0, round);
        _commit(1, round);
        uint64 deadline = task.roundOf(round).commitDeadline;
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CommitPhaseOpen.selector, round, deadline));
        _reveal(round, openings);
        vm.warp(deadline + 1);
        _reveal(round, openings);
    }

    function test_revealing_may_begin_once_all_have_committed() public {
        _commitAll(3, round);
        _reveal(0, round);
    }

    function test_one_that_revealed_already_does_not_block_a_batch() public {
        _commitAll(3, round);
        _revealReport(0, round);
        _reveal(round, _openings(2, round));
        _reveal(round, _openings(2, round));
        assertEq(task.roundOf(round).revealed, 2);
        assertTrue(task.hasRevealed(round, people[1]));
    }

    function test_only_the_requester_reveals_without_the_report() public {
        _commitAll(3, round);
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        vm.prank(people[0]);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRequester.selector, people[0], requester));
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
            _reveal(round, openings);
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
        _reveal(round, openings);
    }

    function test_commitment_of_another_round_cannot_be_revealed() public {
        bytes32 next = _commitment(0, round + 1);
        vm.prank(people[0]);
        task.commit(round, next);
        skip(COMMIT + 1);
        IFederatedTask.Reveal[] memory openings = _openings(1, round);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        _reveal(round, openings);
    }

    function test_revealing_without_a_commitment_is_refused() public {
        _commit(0, round);
        skip(COMMIT + 1);
        IFederatedTask.Reveal[] memory openings = _openings(2, round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotCommitted.selector, people[1], round));
        _reveal(round, openings);
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
        _reveal(round, openings);
    }
}
