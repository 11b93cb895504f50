// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {CheckedReports} from "../scorers/CheckedReports.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title Disputes that take several transactions to compute.
contract StepsTest is TaskTest {
    uint32 private round;
    int256[] private right;
    uint256[] private qualities;

    function setUp() public override {
        super.setUp();
        _start(4);
        round = _playToReveal(4);
        (right, qualities) = _score(4, "");
    }

    function _makeScorer() internal override returns (CheckedReports) {
        return Shipped.weightedPeerTruthSerumScorer(3, 12, 1);
    }

    function test_false_posting_is_overturned_in_many_steps_and_changes_nobodys_pay() public {
        uint256 snapshot = vm.snapshotState();
        _post(round, _who(4), right, qualities);
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(4), right, qualities, "");
        uint256[] memory pay = new uint256[](4);
        for (uint256 i; i < 4; ++i) {
            pay[i] = task.balances(people[i]) + _stakeOf(i);
        }
        vm.revertToState(snapshot);

        _dispute(_falseScores(4), qualities);
        uint256 steps = _stepThrough(round, _who(4), _falseScores(4), qualities, "");
        assertEq(steps, 4 + 3 + 1, "reports, phases and the payment");
        assertEq(task.balances(challenger), 2 * BOND);
        assertEq(task.balances(stranger), 0);
        for (uint256 i; i < 4; ++i) {
            assertEq(task.balances(people[i]) + _stakeOf(i), pay[i]);
        }
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function test_true_posting_is_upheld_in_many_steps() public {
        _dispute(right, qualities);
        _stepThrough(round, _who(4), right, qualities, "");
        assertEq(task.balances(requester), 2 * BOND);
        assertEq(task.balances(challenger), 0);
    }

    function test_false_qualities_are_overturned_in_many_steps() public {
        uint256[] memory falsified = qualities;
        falsified[3] = 1 ether;
        _dispute(right, falsified);
        _stepThrough(round, _who(4), right, falsified, "");
        assertEq(task.balances(challenger), 2 * BOND);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
    }

    function test_step_tells_what_the_next_one_begins_with() public {
        _dispute(right, qualities);
        (, bytes memory expected,,) = scorer.resume(_pointers(), plainFacts(new uint64[](4), "", 0), "", 0);
        vm.expectEmit(address(task));
        emit IFederatedTask.ScoringProgressed(round, expected);
        task.computeScores(round, _who(4), right, qualities, "", "", 0);
        assertEq(task.roundOf(round).progress, keccak256(expected));
    }

    function test_any_other_progress_is_refused() public {
        _dispute(right, qualities);
        _expectMismatch("made up", 0);
        _compute("made up");
        bytes memory first = _step(round, _who(4), right, qualities, "", "", 0);
        bytes32 begun = keccak256(first);
        _expectMismatch("", begun);
        _compute("");
        bytes memory tampered = bytes.concat(first);
        tampered[63] = bytes1(uint8(tampered[63]) ^ 1);
        _expectMismatch(tampered, begun);
        _compute(tampered);
        bytes memory second = _step(round, _who(4), right, qualities, "", first, 0);
        _expectMismatch(first, keccak256(second));
        _compute(first);
        assertEq(_status(round), uint8(IFederatedTask.RoundStatus.Challenged));
    }

    function test_progress_of_another_round_is_refused() public {
        _dispute(right, qualities);
        bytes memory progress = _step(round, _who(4), right, qualities, "", "", 0);
        uint32 second = _playToReveal(4);
        _post(second, _who(4), right, qualities);
        _challenge(second);
        _publishAll(4, second);
        round = second;
        _expectMismatch(progress, 0);
        _compute(progress);
    }

    function test_participants_are_those_of_the_posting_in_every_step() public {
        _dispute(right, qualities);
        bytes memory progress = _step(round, _who(4), right, qualities, "", "", 0);
        address[] memory who = _who(4);
        (who[0], who[3]) = (who[3], who[0]);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.computeScores(round, who, right, qualities, "", progress, 0);
    }

    function test_no_report_is_published_after_scoring_has_begun() public {
        _post(round, _who(4), right, qualities);
        _challenge(round);
        for (uint256 i; i < 3; ++i) {
            _publish(i, round);
        }
        vm.expectPartialRevert(IFederatedTask.ReportsMissing.selector);
        _compute("");
        skip(CHALLENGE + 1);
        _step(round, _who(4), right, qualities, "", "", 0);
        assertGt(task.roundOf(round).settleDeadline, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.ScoringBegun.selector, round));
        _publish(3, round);
    }

    function test_each_step_leaves_time_for_the_next() public {
        _dispute(right, qualities);
        uint64 deadline = task.roundOf(round).settleDeadline;
        bytes memory progress = _step(round, _who(4), right, qualities, "", "", 0);
        assertEq(task.roundOf(round).settleDeadline, deadline);
        vm.warp(deadline + SETTLE);
        progress = _step(round, _who(4), right, qualities, "", progress, 0);
        assertEq(task.roundOf(round).settleDeadline, deadline + SETTLE + CHALLENGE);
        skip(1);
        vm.expectPartialRevert(IFederatedTask.DeadlineNotReached.selector);
        task.voidRound(round);
    }

    function test_computation_that_nobody_ends_is_voided() public {
        _dispute(right, qualities);
        bytes memory progress = _step(round, _who(4), right, qualities, "", "", 0);
        skip(CHALLENGE + SETTLE + 1);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
        assertEq(task.balances(requester), BOND);
        assertEq(task.forfeited(), BOND);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        _compute(progress);
    }

    function test_undisputed_round_is_not_computed() public {
        _post(round, _who(4), right, qualities);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        _compute("");
    }

    function _dispute(int256[] memory scores, uint256[] memory qualities_) private {
        _post(round, _who(4), scores, qualities_);
        _challenge(round);
        _publishAll(4, round);
    }

    function _compute(bytes memory progress) private {
        task.computeScores(round, _who(4), right, qualities, "", progress, 0);
    }

    function _expectMismatch(bytes memory progress, bytes32 expected) private {
        bytes32 hash = progress.length == 0 ? bytes32(0) : keccak256(progress);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.ProgressMismatch.selector, hash, expected));
    }

    // Copies of what was published, in the order of the people.
    function _pointers() private returns (address[] memory pointers) {
        pointers = new address[](4);
        for (uint256 i; i < 4; ++i) {
            pointers[i] = makeAddr(vm.toString(i));
            vm.etch(pointers[i], bytes.concat(hex"00", _report(i)));
        }
    }
}
