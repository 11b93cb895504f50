// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Opening a commitment with the whole report, for a member that the requester leaves out.
contract RevealReportTest is TaskTest {
    uint32 private round;

    function setUp() public override {
        super.setUp();
        _start(3);
        round = _open();
    }

    function test_revealed_report_is_there_for_everybody() public {
        _commitAll(3, round);
        IFederatedTask.Reveal memory opening = _opening(0, round);
        vm.expectEmit(address(task));
        emit IFederatedTask.Revealed(round, people[0], opening.contentDigest, opening.reportHash, opening.salt);
        vm.expectEmit(address(task));
        emit IFederatedTask.ReportRevealed(round, people[0], _report(0));
        vm.prank(people[0]);
        _revealReport(0, round);
        assertTrue(task.hasRevealed(round, people[0]));
        assertEq(task.roundOf(round).revealed, 1);
    }

    function test_whoever_knows_the_report_may_reveal_it_once() public {
        _commitAll(3, round);
        vm.prank(stranger);
        _revealReport(0, round);
        vm.recordLogs();
        _revealReport(0, round);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(task.roundOf(round).revealed, 1);
    }

    function test_left_out_member_is_posted_and_paid_like_the_others() public {
        _commitAll(3, round);
        _reveal(round, _openings(2, round));
        _revealReport(2, round);
        int256[] memory scores = _rightScores(3);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 2, 3));
        _post(round, _who(2), new int256[](2));
        _post(round, _who(3), scores);
        skip(CHALLENGE + 1);
        _pay(round, _who(3), scores);
        assertEq(task.balances(people[2]), POOL / ROUNDS / 3);
    }

    function test_wrong_report_digest_or_salt_is_refused() public {
        _commitAll(3, round);
        (bytes32 digest, bytes32 salt) = (_digest(people[0], round), _salt(people[0], round));
        bytes memory report = _report(0);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.revealReport(round, people[0], digest, "another", salt);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.revealReport(round, people[0], WRONG, report, salt);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.revealReport(round, people[0], digest, report, WRONG);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.revealReport(round, people[1], digest, report, salt);
    }

    function test_report_is_revealed_within_the_reveal_phase() public {
        _commit(0, round);
        IFederatedTask.Round memory r = task.roundOf(round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CommitPhaseOpen.selector, round, r.commitDeadline));
        _revealReport(0, round);
        vm.warp(r.revealDeadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseClosed.selector, round, r.revealDeadline));
        _revealReport(0, round);
    }

    function test_report_without_a_commitment_cannot_be_revealed() public {
        _commit(0, round);
        skip(COMMIT + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotCommitted.selector, people[1], round));
        _revealReport(1, round);
    }
}
