// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {Reputation} from "../Reputation.sol";
import {IReputation} from "../interfaces/IReputation.sol";
import {Shipped} from "./Shipped.sol";

/// @title The registry of reputations: vectors computed by hand from its formulas, and who may record.
contract ReputationTest is Test {
    Reputation private registry = Shipped.reputation();
    address private task = makeAddr("task");
    address private other = makeAddr("other task");
    address private person = makeAddr("person");

    function setUp() public {
        registry.authorise(task);
        registry.authorise(other);
    }

    function test_newcomer_has_seven_twentieths() public view {
        assertEq(registry.reputationOf(person), 0.35 ether);
        assertEq(registry.opinionOf(person).count, 0);
    }

    function test_first_round() public {
        _record(1, 1, 0.8 ether);
        // E = (0.8 + 1) / (0.8 + 0.2 + 2) = 0.6, A = 1, S = 0.5: 0.6 · (0.6 + 0.2 + 0.1)
        _assertOpinion(0.8e9, 0.2e9, 1e9, 1e9);
        assertEq(registry.reputationOf(person), 0.54 ether);
        assertEq(registry.opinionOf(person).history, 8_000);
    }

    function test_second_round_counts_disagreement_twice_where_the_score_is_negative() public {
        _record(1, 1, 0.8 ether);
        _record(2, -1, 0.6 ether);
        // P = 0.72 + 0.6, N = 0.18 + 2 · 0.4, E = 2.32 / 4.3 = 0.539534883, A = 1, S = 1 - 0.1 / 0.5
        _assertOpinion(1.32e9, 0.98e9, 1.9e9, 1.9e9);
        assertEq(registry.reputationOf(person), 0.517953487 ether);
        assertEq(registry.opinionOf(person).history, 8_000 << 16 | 6_000);
    }

    function test_seven_rounds_with_a_gap() public {
        _record(1, 1, 0.8 ether);
        _record(2, -1, 0.6 ether);
        _record(3, 1, 0.9 ether);
        _record(4, 1, 0.95 ether);
        // Rounds 5 to 7 are missed: present = 0.9^4 · 3.439 + 1, possible = 0.9^4 · 3.439 + 0.729 + 0.81 + 0.9 + 1.
        _record(8, 1, 0.7 ether);
        _assertOpinion(3.24628e9, 1.14042e9, 3.2563279e9, 5.6953279e9);
        _record(9, 0, 0.5 ether);
        _record(10, 1, 0.85 ether);
        _assertOpinion(3.9294868e9, 1.5237402e9, 4.537625599e9, 6.513215599e9);
        // E = 4.9294868 / 7.453227, A = 4.537625599 / 6.513215599; the last five qualities 0.9, 0.95, 0.7, 0.5, 0.85
        // deviate by 0.1630.
        assertEq(registry.reputationOf(person), 0.578144426 ether);
        IReputation.Opinion memory opinion = registry.opinionOf(person);
        assertEq(opinion.count, 5);
        assertEq(opinion.lastRound, 10);
        assertEq(opinion.history, uint80(9_000) << 64 | uint80(9_500) << 48 | uint80(7_000) << 32 | 5_000 << 16 | 8_500);
    }

    function test_unstable_participant_has_no_stability() public {
        _record(1, 1, 1 ether);
        _record(2, -1, 0);
        // E = 1.9 / 4.9, A = 1, S = 0
        assertEq(registry.reputationOf(person), 0.310204081 ether);
    }

    function test_perfect_participant_comes_close_to_one() public {
        for (uint32 round = 1; round <= 200; ++round) {
            _record(round, 1, 1 ether);
        }
        // P comes close to 10: E = 11 / 12
        assertApproxEqAbs(registry.reputationOf(person), 0.916666 ether, 0.000001 ether);
        assertLt(registry.opinionOf(person).agreements, 10e9);
    }

    function test_worst_participant_loses_its_name_however_steady_it_is() public {
        for (uint32 round = 1; round <= 200; ++round) {
            _record(round, -1, 0);
        }
        assertLt(registry.opinionOf(person).disagreements, 20e9);
        // E = 1 / 22
        assertApproxEqAbs(registry.reputationOf(person), 0.045454 ether, 0.000001 ether);
    }

    function test_gap_counts_up_to_64_rounds() public {
        _record(1, 1, 1 ether);
        uint256 snapshot = vm.snapshotState();
        _record(65, 1, 1 ether);
        _assertOpinion(1.9e9, 0, 1_001_179_014, 9_989_388_829);
        bytes32 longest = keccak256(abi.encode(registry.reputationOf(person)));
        vm.revertToState(snapshot);
        _record(4_000_000_000, 1, 1 ether);
        _assertOpinion(1.9e9, 0, 1_001_179_014, 9_989_388_829);
        assertEq(keccak256(abi.encode(registry.reputationOf(person))), longest);
    }

    function test_quality_above_one_counts_as_one() public {
        _record(1, 1, type(uint256).max);
        _assertOpinion(1e9, 0, 1e9, 1e9);
    }

    function test_round_of_a_task_is_recorded_once_and_in_order() public {
        _record(5, 1, 1 ether);
        for (uint32 round = 4; round <= 5; ++round) {
            vm.expectRevert(abi.encodeWithSelector(IReputation.RoundNotLater.selector, person, round, 5));
            _record(round, 1, 1 ether);
        }
        _record(6, 1, 1 ether);
    }

    function test_reputation_goes_along_to_another_task_where_rounds_begin_anew() public {
        _record(50, 1, 0.8 ether);
        vm.prank(other);
        registry.record(1, _one(), _score(1), _quality(0.8 ether));
        _assertOpinion(1.52e9, 0.38e9, 1.9e9, 1.9e9);
        assertEq(registry.opinionOf(person).task, 2);
        assertEq(registry.opinionOf(person).lastRound, 1);
    }

    function test_everybody_of_a_round_is_recorded_apart() public {
        address[] memory who = new address[](3);
        int256[] memory scores = new int256[](3);
        uint256[] memory qualities = new uint256[](3);
        for (uint256 i; i < 3; ++i) {
            who[i] = makeAddr(vm.toString(i));
            scores[i] = int256(i) - 1;
            qualities[i] = 0.5 ether * i;
            vm.expectEmit(address(registry));
            uint256 expectation = i == 0 ? 0.25 ether : i == 1 ? 0.5 ether : 2 ether / uint256(3) / 1e9 * 1e9;
            emit IReputation.ReputationUpdated(who[i], task, 1, expectation * 9 / 10 / 1e9 * 1e9);
        }
        vm.prank(task);
        registry.record(1, who, scores, qualities);
    }

    function test_only_authorised_tasks_record() public {
        address stranger = makeAddr("stranger");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IReputation.NotAuthorised.selector, stranger));
        registry.record(1, _one(), _score(1), _quality(1));
        assertFalse(registry.isRecorder(stranger));
        assertTrue(registry.isRecorder(task));
    }

    function test_only_the_owner_authorises_and_once() public {
        address owner = address(this);
        vm.prank(person);
        vm.expectRevert(abi.encodeWithSelector(IReputation.NotOwner.selector, person, owner));
        registry.authorise(person);
        vm.recordLogs();
        registry.authorise(task);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(registry.recorderIndex(task), 1);
        vm.expectEmit(address(registry));
        emit IReputation.RecorderAuthorised(person, 3);
        registry.authorise(person);
    }

    function test_lists_of_different_lengths_are_refused() public {
        vm.startPrank(task);
        vm.expectRevert(abi.encodeWithSelector(IReputation.LengthMismatch.selector, 2, 1));
        registry.record(1, _one(), new int256[](2), _quality(1));
        vm.expectRevert(abi.encodeWithSelector(IReputation.LengthMismatch.selector, 0, 1));
        registry.record(1, _one(), _score(1), new uint256[](0));
    }

    function testFuzz_reputation_lies_between_zero_and_one(uint256 seed, uint8 rounds) public {
        uint32 round;
        for (uint256 i; i < rounds % 24; ++i) {
            uint256 word = uint256(keccak256(abi.encode(seed, i)));
            round += 1 + uint32(word % (word % 4 == 0 ? 90 : 2));
            _record(round, int256(word), word % 3 == 0 ? 1 ether * (word >> 255) : (word >> 8) % 1 ether);
            uint256 reputation = registry.reputationOf(person);
            assertLe(reputation, 1 ether);
            assertGt(reputation, 0);
            IReputation.Opinion memory opinion = registry.opinionOf(person);
            assertLe(opinion.present, opinion.possible);
            assertLe(opinion.possible, 10e9);
            assertLe(uint256(opinion.agreements) + opinion.disagreements, 20e9);
        }
    }

    function _record(uint32 round, int256 score, uint256 quality) private {
        vm.prank(task);
        registry.record(round, _one(), _score(score), _quality(quality));
    }

    function _assertOpinion(uint256 agreements, uint256 disagreements, uint256 present, uint256 possible) private view {
        IReputation.Opinion memory opinion = registry.opinionOf(person);
        assertEq(opinion.agreements, agreements, "agreements");
        assertEq(opinion.disagreements, disagreements, "disagreements");
        assertEq(opinion.present, present, "present");
        assertEq(opinion.possible, possible, "possible");
    }

    function _one() private view returns (address[] memory list) {
        list = new address[](1);
        list[0] = person;
    }

    function _score(int256 score) private pure returns (int256[] memory list) {
        list = new int256[](1);
        list[0] = score;
    }

    function _quality(uint256 quality) private pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = quality;
    }
}
