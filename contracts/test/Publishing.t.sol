// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Putting the reports of a challenged round on chain.
contract PublishingTest is TaskTest {
    uint32 private round;

    function test_report_unpublished_by_the_deadline_scores_zero_and_is_not_slashed() public {
        _playAll();
        _post(round, _who(4), _falseScores(4));
        _challenge(round);
        for (uint256 i; i < 3; ++i) {
            _publish(i, round);
        }
        skip(CHALLENGE + 1);
        _resolve(round, _who(4), _falseScores(4));
        assertEq(_stakeOf(3), STAKE, "it cannot help what the requester does not publish");
        assertEq(task.balances(people[3]), 0);
        for (uint256 i; i < 3; ++i) {
            assertEq(task.balances(people[i]), POOL / ROUNDS / 3);
        }
    }

    function test_posting_that_rests_on_an_unpublished_report_is_overturned() public {
        _playAll();
        int256[] memory right = _rightScores(4);
        _post(round, _who(4), right);
        _challenge(round);
        skip(CHALLENGE + 1);
        _resolve(round, _who(4), right);
        assertEq(task.balances(challenger), 2 * BOND);
        assertEq(task.pool(), POOL, "nobody earned");
        assertEq(_stakeOf(0), STAKE);
    }

    function test_position_of_a_published_report_follows_the_posting() public {
        _start(5);
        round = _playToReveal(5);
        _post(round, _who(5), _falseScores(5));
        _challenge(round);
        for (uint256 i = 1; i < 5; ++i) {
            _publish(i, round);
        }
        skip(CHALLENGE + 1);
        _resolve(round, _who(5), _falseScores(5));
        assertEq(task.balances(people[0]), 0, "the unpublished one earns nothing");
        assertEq(task.balances(people[3]), 0, "the constant one neither");
        for (uint256 i = 1; i < 5; ++i) {
            if (i != 3) assertGt(task.balances(people[i]), POOL / ROUNDS / 3 - 1);
        }
    }

    function test_order_of_publication_does_not_matter() public {
        _playAll();
        int256[] memory right = _rightScores(4);
        _post(round, _who(4), right);
        _challenge(round);
        for (uint256 i = 4; i > 0; --i) {
            _publish(i - 1, round);
        }
        _resolve(round, _who(4), right);
        assertEq(task.balances(requester), 2 * BOND);
    }

    function test_report_other_than_the_revealed_one_is_refused() public {
        _playAll();
        _post(round, _who(4), _rightScores(4));
        _challenge(round);
        bytes32 digest = _digest(people[0], round);
        bytes32 salt = _salt(people[0], round);
        bytes memory report = _report(0);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.publishReport(round, people[0], digest, _report(3), salt);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.publishReport(round, people[0], WRONG, report, salt);
        vm.expectPartialRevert(IFederatedTask.CommitmentMismatch.selector);
        task.publishReport(round, people[0], digest, report, WRONG);
        vm.expectPartialRevert(IFederatedTask.NotRevealed.selector);
        task.publishReport(round, stranger, digest, report, salt);
    }

    function test_report_is_published_once_and_in_time() public {
        _playAll();
        _post(round, _who(4), _rightScores(4));
        _challenge(round);
        _publish(0, round);
        bytes32 digest = _digest(people[0], round);
        bytes memory report = _report(0);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyPublished.selector, people[0], round));
        task.publishReport(round, people[0], digest, report, _salt(people[0], round));
        digest = _digest(people[1], round);
        report = _report(1);
        skip(CHALLENGE + 1);
        vm.expectPartialRevert(IFederatedTask.DeadlinePassed.selector);
        task.publishReport(round, people[1], digest, report, _salt(people[1], round));
    }

    function test_report_needs_a_challenge() public {
        _playAll();
        _post(round, _who(4), _rightScores(4));
        bytes32 digest = _digest(people[0], round);
        bytes memory report = _report(0);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.publishReport(round, people[0], digest, report, _salt(people[0], round));
    }

    function test_commitment_that_was_not_revealed_cannot_be_published() public {
        _playWithSquatters(4, 1);
        _post(round, _who(4), _rightScores(4));
        _challenge(round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRevealed.selector, people[4], round));
        _publish(4, round);
        task.slashMissing(round, _list(people[4]));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRevealed.selector, people[4], round));
        _publish(4, round);
    }

    function test_right_posting_is_upheld_whatever_a_member_that_did_not_reveal_tries() public {
        _playWithSquatters(4, 1);
        int256[] memory right = _rightScores(4);
        _post(round, _who(4), right);
        _challenge(round);
        vm.expectPartialRevert(IFederatedTask.NotRevealed.selector);
        _publish(4, round);
        _publishAll(4, round);
        _resolve(round, _who(4), right);
        assertEq(task.balances(requester), 2 * BOND, "the poster was right");
        assertGt(task.balances(people[0]), 0, "the first was truthful");
        assertEq(task.roundOf(round).published, 4);
        task.slashMissing(round, _list(people[4]));
        assertEq(_stakeOf(4), STAKE - STAKE / 10, "the squatter owes a reveal");
    }

    function test_dispute_cannot_be_resolved_before_all_reports_are_there() public {
        _playWithSquatters(3, 2);
        int256[] memory right = _rightScores(3);
        _post(round, _who(3), right);
        _challenge(round);
        _publish(0, round);
        for (uint256 i = 3; i < 5; ++i) {
            vm.expectPartialRevert(IFederatedTask.NotRevealed.selector);
            _publish(i, round);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTask.ReportsMissing.selector, 1, 3, task.roundOf(round).settleDeadline)
        );
        _resolve(round, _who(3), right);
    }

    function _playAll() private {
        _start(4);
        round = _playToReveal(4);
    }

    // The first few play by the rules; the others do not reveal, and try to publish all the same.
    function _playWithSquatters(uint256 honest, uint256 squatters) private {
        _start(honest + squatters);
        round = _open();
        _commitAll(honest, round);
        for (uint256 i = honest; i < honest + squatters; ++i) {
            _commit(i, round);
        }
        _reveal(round, _openings(honest, round));
        skip(COMMIT + REVEAL + 1);
    }
}
