// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {FederatedTask} from "../FederatedTask.sol";
import {Reputation} from "../Reputation.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";
import {UnreliableReputation} from "./doubles/UnreliableReputation.sol";

/// @title Paid rounds on their way into the registry of reputations.
contract RecordingTest is TaskTest {
    Reputation private registry = Shipped.reputation();
    int256[] private scoresOfFour; // so that recording them takes one call, of which a test can expect something

    function setUp() public override {
        super.setUp();
        scoresOfFour = _rightScores(4);
    }

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.reputation = address(registry);
    }

    function _deploy(IFederatedTask.Settings memory s) internal override returns (FederatedTask deployed) {
        deployed = super._deploy(s);
        registry.authorise(address(deployed));
    }

    function test_paid_round_is_recorded_by_anyone() public {
        _start(4);
        uint32 round = _playRound(4);
        vm.expectEmit(address(task));
        emit IFederatedTask.ReputationRecorded(round, 0, 4);
        _record(round, 400);
        // The truthful: quality 1, E = 2/3; the constant: quality 1/3, E = (1/3 + 1) / 3. All A = 1 and S = 1/2: 0.9 E.
        assertEq(registry.reputationOf(people[0]), 0.599999999 ether);
        assertEq(registry.reputationOf(people[3]), 0.399999999 ether);
        assertEq(registry.opinionOf(people[0]).lastRound, round);
        assertEq(task.recordedRounds(), round);
    }

    function test_round_is_recorded_in_batches_and_once() public {
        _start(4);
        uint32 round = _playRound(4);
        _record(round, 3);
        assertEq(task.roundOf(round).recorded, 3);
        assertEq(task.recordedRounds(), 0);
        assertEq(registry.opinionOf(people[3]).count, 0);
        vm.expectEmit(address(task));
        emit IFederatedTask.ReputationRecorded(round, 3, 4);
        _record(round, 3);
        for (uint256 i; i < 4; ++i) {
            assertEq(registry.opinionOf(people[i]).count, 1);
        }
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyRecorded.selector, round, 4));
        _record(round, 3);
    }

    function test_recording_nobody_is_refused() public {
        _start(4);
        uint32 round = _playRound(4);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyRecorded.selector, round, 0));
        _record(round, 0);
    }

    function test_recording_anything_but_what_was_paid_is_refused() public {
        _start(4);
        uint32 round = _playRound(4);
        int256[] memory scores = _rightScores(4);
        uint256[] memory qualities = _rightQualities(4);
        qualities[3] = 1 ether;
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.recordReputation(round, _who(4), scores, qualities, 4);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.recordReputation(round, _who(3), scores, _rightQualities(4), 4);
        scores[3] = 1 ether;
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.recordReputation(round, _who(4), scores, _rightQualities(4), 4);
    }

    function test_overturned_posting_is_recorded_as_computed() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _post(round, _who(4), _falseScores(4));
        _challenge(round);
        _publishAll(4, round);
        _resolve(round, _who(4), _falseScores(4));
        int256[] memory falsified = _falseScores(4);
        uint256[] memory qualities = _rightQualities(4);
        vm.expectPartialRevert(IFederatedTask.PostingMismatch.selector);
        task.recordReputation(round, _who(4), falsified, qualities, 4);
        _record(round, 4);
        assertEq(registry.reputationOf(people[0]), 0.599999999 ether);
    }

    function test_round_that_is_not_paid_cannot_be_recorded() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _post(round, _who(4), _rightScores(4));
        int256[] memory scores = _rightScores(4);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        task.recordReputation(round, _who(4), scores, _rightQualities(4), 4);
    }

    // Were a later round first, the registry would refuse the earlier one, and nobody would learn how it went.
    function test_rounds_are_recorded_one_after_the_other_but_for_void_ones() public {
        _start(4);
        uint32 first = _playToReveal(4);
        _post(first, _who(4), _rightScores(4));
        _challenge(first);
        uint32 second = _playRound(4);
        int256[] memory scores = _rightScores(4);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.WrongRound.selector, second, first));
        task.recordReputation(second, _who(4), scores, _rightQualities(4), 4);
        skip(SETTLE);
        task.voidRound(first);
        _record(second, 2);
        uint32 third = _playRound(4);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.WrongRound.selector, third, second));
        task.recordReputation(third, _who(4), scores, _rightQualities(4), 4);
        _record(second, 2);
        _record(third, 4);
        assertEq(registry.opinionOf(people[0]).count, 2);
    }

    function test_task_needs_the_registrys_authorisation() public {
        FederatedTask bare = super._deploy(_settings());
        vm.startPrank(requester);
        token.approve(address(bare), POOL);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotRecorder.selector, address(bare)));
        bare.initializeTask("terms", ROUNDS, POOL);
        vm.stopPrank();
        registry.authorise(address(bare));
        vm.prank(requester);
        bare.initializeTask("terms", ROUNDS, POOL);
    }

    function test_task_without_a_registry_records_nothing() public {
        IFederatedTask.Settings memory s = _settings();
        s.reputation = address(0);
        task = super._deploy(s);
        _fund(task);
        _start(4);
        uint32 round = _playRound(4);
        int256[] memory scores = _rightScores(4);
        vm.expectRevert(IFederatedTask.NoReputation.selector);
        task.recordReputation(round, _who(4), scores, _rightQualities(4), 4);
    }

    function test_registry_that_fails_holds_up_no_money() public {
        UnreliableReputation unreliable = _useUnreliable();
        unreliable.prepare(true, "");
        _start(4);
        uint32 round = _playRound(4);
        int256[] memory scores = _rightScores(4);
        vm.expectRevert(UnreliableReputation.Broken.selector);
        task.recordReputation(round, _who(4), scores, _rightQualities(4), 4);
        assertEq(task.balances(people[0]), POOL / ROUNDS / 3);
        _playRound(4);
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_who(4));
        task.withdraw(_list(requester, BURN));
        assertEq(token.balanceOf(address(task)), 0);
        unreliable.prepare(false, "");
        _record(round, 4);
        assertEq(unreliable.records(), 1);
    }

    function test_registry_cannot_call_back() public {
        UnreliableReputation unreliable = _useUnreliable();
        _start(4);
        uint32 round = _playRound(4);
        int256[] memory scores = _rightScores(4);
        unreliable.prepare(
            false, abi.encodeCall(task.recordReputation, (round, _who(4), scores, _rightQualities(4), 4))
        );
        _record(round, 1);
        assertFalse(unreliable.succeeded());
        assertEq(
            unreliable.answer(), abi.encodePacked(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(unreliable.records(), 1);
    }

    function _record(uint32 round, uint32 count) private {
        vm.prank(stranger);
        task.recordReputation(round, _who(4), scoresOfFour, _rightQualities(4), count);
    }

    function _useUnreliable() private returns (UnreliableReputation unreliable) {
        unreliable = new UnreliableReputation();
        IFederatedTask.Settings memory s = _settings();
        s.reputation = address(unreliable);
        task = super._deploy(s);
        _fund(task);
    }
}
