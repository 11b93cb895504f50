// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {CheckedReports} from "../scorers/CheckedReports.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title A task whose contract computes the scores of every round.
contract OnchainTest is TaskTest {
    bytes private constant ITEMS = hex"000101000202000402";
    bytes32 private constant SALT = "salt";

    bool private onchain = true;
    bool private calibrated;
    uint32 private round;

    function _makeScorer() internal override returns (CheckedReports) {
        return Shipped.weightedPeerTruthSerumScorer(3, 12, 0);
    }

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.onchain = onchain;
    }

    function _commitmentToCalibration() internal view override returns (bytes32) {
        return calibrated ? keccak256(abi.encode(ITEMS, SALT)) : bytes32(0);
    }

    function test_round_is_paid_by_computing_it() public {
        _play();
        _publishAll(4, round);
        _compute("");
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
        assertEq(task.finalRounds(), round);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
        assertEq(task.balances(requester) + task.balances(stranger), 0, "no bonds");
        (int256[] memory scores, uint256[] memory qualities) = _score(4, "");
        assertEq(task.roundOf(round).postingHash, _paidFor(_who(4), scores, qualities));
    }

    function testFuzz_pay_is_that_of_an_undisputed_posting(uint256 work, bool calibrated_) public {
        calibrated = calibrated_;
        onchain = false;
        task = _deploy(_settings());
        _fund(task);
        _play();
        bytes memory items = calibrated ? ITEMS : bytes("");
        (int256[] memory scores, uint256[] memory qualities) = _score(4, items);
        vm.prank(requester);
        task.postScores(round, _who(4), scores, qualities, items, calibrated ? SALT : bytes32(0));
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(4), scores, qualities, items);
        uint256[] memory pay = new uint256[](4);
        uint256[] memory stakes = new uint256[](4);
        for (uint256 i; i < 4; ++i) {
            (pay[i], stakes[i]) = (task.balances(people[i]), _stakeOf(i));
        }

        onchain = true;
        task = _deploy(_settings());
        _fund(task);
        _play();
        _publishAll(4, round);
        if (calibrated) _revealCalibration();
        bytes memory progress;
        do {
            progress = _step(round, _who(4), new int256[](0), new uint256[](0), items, progress, work % 200);
        } while (progress.length > 0);
        for (uint256 i; i < 4; ++i) {
            assertEq(task.balances(people[i]), pay[i]);
            assertEq(_stakeOf(i), stakes[i]);
        }
    }

    function test_report_revealed_in_full_is_published_with_that() public {
        _start(4);
        round = _open();
        _commitAll(4, round);
        for (uint256 i; i < 4; ++i) {
            vm.expectEmit(address(task));
            emit IFederatedTask.ReportPublished(round, people[i], _digest(people[i], round));
            _revealReport(i, round);
        }
        assertEq(task.roundOf(round).published, 4);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyPublished.selector, people[0], round));
        _publish(0, round);
        _compute("");
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
    }

    function test_reports_are_published_from_the_end_of_the_reveals_to_the_middle_of_the_settlement() public {
        _start(4);
        round = _open();
        _commitAll(4, round);
        _reveal(0, round);
        uint64 revealDeadline = task.roundOf(round).revealDeadline;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseOpen.selector, round, revealDeadline));
        _publish(0, round);
        vm.warp(revealDeadline + SETTLE / 2);
        _publish(0, round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRevealed.selector, people[1], round));
        _publish(1, round);
    }

    function test_report_comes_too_late_after_the_middle_of_the_settlement() public {
        _play();
        uint64 deadline = task.roundOf(round).revealDeadline + SETTLE / 2;
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlinePassed.selector, deadline));
        _publish(0, round);
    }

    function test_scoring_waits_for_all_reports_or_for_their_deadline() public {
        _play();
        for (uint256 i; i < 3; ++i) {
            _publish(i, round);
        }
        uint64 deadline = task.roundOf(round).revealDeadline + SETTLE / 2;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.ReportsMissing.selector, 3, 4, deadline));
        _compute("");
        skip(1);
        _compute("");
        for (uint256 i; i < 3; ++i) {
            assertEq(task.balances(people[i]), POOL / ROUNDS / 3);
        }
        assertEq(_stakeOf(3), STAKE, "an unpublished report is not slashed");
    }

    function test_nothing_is_published_or_calibrated_once_scoring_has_begun() public {
        calibrated = true;
        _play();
        _publishAll(3, round);
        skip(COMMIT + REVEAL + SETTLE / 2 + 1);
        _step(round, _who(4), new int256[](0), new uint256[](0), "", "", 0);
        bytes memory refusal = abi.encodeWithSelector(IFederatedTask.ScoringBegun.selector, round);
        vm.expectRevert(refusal);
        _publish(3, round);
        vm.expectRevert(refusal);
        _revealCalibration();
    }

    function test_committed_calibration_is_waited_for_and_used() public {
        calibrated = true;
        _play();
        _publishAll(4, round);
        uint64 deadline = task.roundOf(round).revealDeadline + SETTLE / 2;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationMissing.selector, round, deadline));
        _compute("");
        vm.expectEmit(address(task));
        emit IFederatedTask.CalibrationRevealed(round, ITEMS, SALT);
        _revealCalibration();
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationMismatch.selector, keccak256(""), keccak256(ITEMS)));
        _compute("");
        vm.expectPartialRevert(IFederatedTask.CalibrationMismatch.selector);
        _compute(hex"000001");
        vm.expectEmit(true, true, false, false, address(task));
        emit IFederatedTask.Receipt(round, people[0], 0, 0, 0, 0, 0, 0);
        _compute(ITEMS);
        (int256[] memory scores, uint256[] memory qualities) = _score(4, ITEMS);
        assertEq(qualities[3], 0, "the constant is not above chance");
        assertEq(task.roundOf(round).postingHash, _paidFor(_who(4), scores, qualities));
    }

    function test_calibration_that_is_not_revealed_in_time_is_not_used() public {
        calibrated = true;
        _play();
        _publishAll(4, round);
        uint64 deadline = task.roundOf(round).revealDeadline + SETTLE / 2;
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlinePassed.selector, deadline));
        _revealCalibration();
        vm.expectPartialRevert(IFederatedTask.CalibrationMismatch.selector);
        _compute(ITEMS);
        _compute("");
        (int256[] memory scores, uint256[] memory qualities) = _score(4, "");
        assertGt(qualities[3], 0);
        assertEq(task.roundOf(round).postingHash, _paidFor(_who(4), scores, qualities));
    }

    function test_calibration_is_the_requesters_to_reveal_and_the_one_it_committed_to() public {
        calibrated = true;
        _start(4);
        round = _open();
        _commitAll(4, round);
        vm.expectPartialRevert(IFederatedTask.RevealPhaseOpen.selector);
        _revealCalibration();
        _reveal(round, _openings(4, round));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRequester.selector, stranger, requester));
        vm.prank(stranger);
        task.revealCalibration(round, ITEMS, SALT);
        vm.startPrank(requester);
        vm.expectPartialRevert(IFederatedTask.CalibrationMismatch.selector);
        task.revealCalibration(round, ITEMS, WRONG);
        vm.expectPartialRevert(IFederatedTask.CalibrationMismatch.selector);
        task.revealCalibration(round, hex"000001", SALT);
    }

    function test_no_calibration_is_revealed_where_none_was_committed_to() public {
        _play();
        bytes32 hash = keccak256(abi.encode(ITEMS, SALT));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationMismatch.selector, hash, 0));
        _revealCalibration();
        _publishAll(4, round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationMismatch.selector, keccak256(ITEMS), 0));
        _compute(ITEMS);
    }

    function test_participants_are_all_that_revealed_in_order() public {
        _play();
        _publishAll(4, round);
        address[] memory who = _who(4);
        (int256[] memory none, uint256[] memory noQualities) = (new int256[](0), new uint256[](0));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 3, 4));
        task.computeScores(round, _who(3), none, noQualities, "", "", 0);
        (who[1], who[2]) = (who[2], who[1]);
        vm.expectPartialRevert(IFederatedTask.ParticipantsNotAscending.selector);
        task.computeScores(round, who, none, noQualities, "", "", 0);
        who = _who(4);
        who[3] = address(type(uint160).max);
        vm.expectPartialRevert(IFederatedTask.NotRevealed.selector);
        task.computeScores(round, who, none, noQualities, "", "", 0);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 4, 0));
        task.computeScores(round, _who(4), new int256[](4), noQualities, "", "", 0);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 4, 0));
        task.computeScores(round, _who(4), none, new uint256[](4), "", "", 0);
    }

    function test_nothing_can_be_posted_or_challenged() public {
        _play();
        (int256[] memory scores, uint256[] memory qualities) = _score(4, "");
        vm.prank(requester);
        vm.expectRevert(IFederatedTask.WrongSettlement.selector);
        task.postScores(round, _who(4), scores, qualities, "", 0);
        vm.prank(challenger);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.challenge(round);
    }

    function test_round_without_a_reveal_is_void_at_once_and_not_computed() public {
        _start(4);
        round = _open();
        skip(COMMIT + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NobodyRevealed.selector, round));
        task.computeScores(round, _who(0), new int256[](0), new uint256[](0), "", "", 0);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
    }

    function test_round_that_nobody_computes_is_voided() public {
        _play();
        _publishAll(4, round);
        uint64 deadline = task.roundOf(round).settleDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, deadline));
        task.voidRound(round);
        skip(1);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        _compute("");
    }

    function test_step_puts_off_the_voiding() public {
        _play();
        _publishAll(4, round);
        vm.warp(task.roundOf(round).settleDeadline);
        _step(round, _who(4), new int256[](0), new uint256[](0), "", "", 0);
        assertEq(task.roundOf(round).settleDeadline, block.timestamp + CHALLENGE);
        skip(CHALLENGE);
        vm.expectPartialRevert(IFederatedTask.DeadlineNotReached.selector);
        task.voidRound(round);
        skip(1);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
    }

    function test_next_round_waits_for_the_computation() public {
        _play();
        vm.prank(requester);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.nextRound(new uint256[](0), 0);
        _publishAll(4, round);
        _compute("");
        _open();
    }

    function test_report_that_cannot_be_scored_scores_zero_and_blocks_nobody() public {
        _start(4);
        round = _open();
        _commitAll(3, round);
        bytes32 payload = keccak256(abi.encode(WRONG, keccak256("")));
        vm.prank(people[3]);
        task.commit(round, keccak256(abi.encode(block.chainid, address(task), round, people[3], payload, bytes32(0))));
        for (uint256 i; i < 3; ++i) {
            _revealReport(i, round);
        }
        task.revealReport(round, people[3], WRONG, "", 0);
        _compute("");
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
        assertEq(task.balances(people[3]), 0);
        assertEq(_stakeOf(3), STAKE);
    }

    function _play() private {
        _start(4);
        round = _playToReveal(4);
    }

    function _compute(bytes memory calibration) private {
        vm.prank(stranger);
        task.computeScores(
            round, _who(4), new int256[](0), new uint256[](0), calibration, "", type(uint256).max
        );
    }

    function _revealCalibration() private {
        vm.prank(requester);
        task.revealCalibration(round, ITEMS, SALT);
    }

    function _paidFor(address[] memory who, int256[] memory scores, uint256[] memory qualities)
        private
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256(abi.encodePacked(who)),
                keccak256(abi.encodePacked(scores)),
                keccak256(abi.encodePacked(qualities))
            )
        );
    }
}
