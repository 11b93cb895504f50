// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {CheckedReports} from "../scorers/CheckedReports.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Tasks whose right label the requester knows, committed to before a round and revealed after the reports.
/// @dev Three of six members report the truth and three relabel together; ties go to these, unless a calibration tells.
contract CalibrationsTest is TaskTest {
    bytes private constant ITEMS = hex"000002000100000201000302000400000501";
    bytes32 private constant SALT = "salt";

    uint32 private round;
    int256[] private scores;
    uint256[] private qualities;

    function setUp() public override {
        super.setUp();
        _start(6);
        round = _playToReveal(6);
        (scores, qualities) = _score(6, ITEMS);
    }

    function _makeScorer() internal override returns (CheckedReports) {
        return Shipped.weightedPeerTruthSerumScorer(3, 12, 1);
    }

    function _report(uint256 i) internal pure override returns (bytes memory) {
        return i < 3 ? bytes(hex"020001020001020001020001") : bytes(hex"000102000102000102000102");
    }

    function _commitmentToCalibration() internal pure override returns (bytes32) {
        return keccak256(abi.encode(ITEMS, SALT));
    }

    function test_calibration_tells_the_coalition_from_the_honest() public {
        for (uint256 i; i < 6; ++i) {
            assertEq(scores[i] > 0, i < 3);
            assertEq(qualities[i], i < 3 ? 1 ether : 0);
        }
        (int256[] memory without,) = _score(6, "");
        assertLt(without[0], 0);
        assertGt(without[5], 0);
        vm.expectEmit(address(task));
        emit IFederatedTask.CalibrationRevealed(round, ITEMS, SALT);
        _postCalibrated(requester, ITEMS, SALT);
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(6), scores, qualities, ITEMS);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
        assertEq(task.balances(people[5]), 0);
    }

    function test_round_names_its_commitment() public {
        assertEq(task.roundOf(round).calibration, _commitmentToCalibration());
        _postCalibrated(requester, ITEMS, SALT);
        uint64 opened = uint64(block.timestamp);
        vm.expectEmit(address(task));
        emit IFederatedTask.RoundOpened(
            2, POOL / ROUNDS, 0, 6, opened + COMMIT, opened + COMMIT + REVEAL, _commitmentToCalibration()
        );
        _open();
    }

    function test_requester_posts_with_the_calibration_that_it_committed_to() public {
        bytes32 committed = _commitmentToCalibration();
        bytes32 hash = keccak256(abi.encode("", bytes32(0)));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationMismatch.selector, hash, committed));
        _postCalibrated(requester, "", 0);
        hash = keccak256(abi.encode(ITEMS, WRONG));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationMismatch.selector, hash, committed));
        _postCalibrated(requester, ITEMS, WRONG);
        vm.expectPartialRevert(IFederatedTask.CalibrationMismatch.selector);
        _postCalibrated(requester, hex"000000", SALT);
    }

    function test_others_post_with_the_calibration_or_without_one_but_with_no_other() public {
        vm.warp(task.roundOf(round).settleDeadline);
        vm.expectPartialRevert(IFederatedTask.CalibrationMismatch.selector);
        _postCalibrated(challenger, hex"000000", SALT);
        vm.expectPartialRevert(IFederatedTask.CalibrationMismatch.selector);
        _postCalibrated(challenger, "", SALT);
        uint256 snapshot = vm.snapshotState();
        _postCalibrated(challenger, ITEMS, SALT);
        vm.revertToState(snapshot);
        vm.recordLogs();
        _postCalibrated(challenger, "", 0);
        assertEq(vm.getRecordedLogs()[0].topics[0], IFederatedTask.ScoresPosted.selector, "no calibration revealed");
    }

    // Else whoever posts could choose who is usable.
    function test_no_calibration_is_posted_where_none_was_committed_to() public {
        vm.warp(task.roundOf(round).settleDeadline + 1);
        task.voidRound(round);
        vm.prank(requester);
        task.nextRound(new uint256[](0), 0);
        round = task.round();
        _commitAll(6, round);
        _reveal(round, _openings(6, round));
        bytes32 hash = keccak256(abi.encode(ITEMS, SALT));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationMismatch.selector, hash, 0));
        _postCalibrated(requester, ITEMS, SALT);
        _postCalibrated(requester, "", 0);
    }

    // Else a posting could be made too dear to compute.
    function test_calibration_has_a_longest_length() public {
        bytes memory items = new bytes(24_577);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.CalibrationTooLong.selector, 24_577, 24_576));
        _postCalibrated(requester, items, SALT);
    }

    function test_calibrated_posting_is_upheld() public {
        _postCalibrated(requester, ITEMS, SALT);
        _challenge(round);
        _publishAll(6, round);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.computeScores(round, _who(6), scores, qualities, "", "", type(uint256).max);
        uint256 steps = _stepThrough(round, _who(6), scores, qualities, ITEMS);
        assertGe(steps, 10);
        assertEq(task.balances(requester), 2 * BOND);
        assertEq(task.balances(people[5]), 0);
    }

    function test_posting_that_does_not_heed_its_calibration_is_overturned() public {
        (int256[] memory without, uint256[] memory withoutQualities) = _score(6, "");
        vm.prank(requester);
        task.postScores(round, _who(6), without, withoutQualities, ITEMS, SALT);
        _challenge(round);
        _publishAll(6, round);
        task.computeScores(round, _who(6), without, withoutQualities, ITEMS, "", type(uint256).max);
        assertEq(task.balances(challenger), 2 * BOND);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
        assertEq(task.balances(people[5]), 0);
    }

    function test_paying_with_another_calibration_than_posted_is_refused() public {
        _postCalibrated(requester, ITEMS, SALT);
        skip(CHALLENGE + 1);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.distributeRewards(round, _who(6), scores, qualities, "");
    }

    function test_calibration_is_not_revealed_apart_from_a_posting() public {
        vm.prank(requester);
        vm.expectRevert(IFederatedTask.WrongSettlement.selector);
        task.revealCalibration(round, ITEMS, SALT);
    }

    function _postCalibrated(address poster, bytes memory items, bytes32 salt) private {
        vm.prank(poster);
        task.postScores(round, _who(6), scores, qualities, items, salt);
    }
}
