// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {LabelReports} from "../libraries/LabelReports.sol";
import {WeightedPeerTruthSerum} from "../libraries/WeightedPeerTruthSerum.sol";
import {PeerTruthSerumScorer} from "../scorers/PeerTruthSerumScorer.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";
import {Games} from "./Games.sol";
import {NaiveWeightedPeerTruthSerum} from "./NaiveWeightedPeerTruthSerum.sol";
import {Shipped} from "./Shipped.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title The weighted peer truth serum, its qualities and its calibration: vectors computed by hand, a slow reference,
///        and what it is for.
contract WeightedPeerTruthSerumTest is Games {
    function test_scores_and_qualities_equal_those_computed_by_hand() public {
        bytes[] memory reports = new bytes[](3);
        (reports[0], reports[1], reports[2]) = (bytes(hex"00010001"), bytes(hex"00010001"), bytes(hex"00010100"));
        // Unweighted: 0.5, 0.5 and 0, so the first two vote, 0101 wins, and 4, 4 and 2 of 4 labels agree with it. Their
        // weights are 1, 1 and 0. The first agrees twice on each label with the second, which is all its peers' weight:
        // 2·6/((2 + 1)·4) a label. The third agrees once on each label with two peers that gave it four times in all:
        // 2·6/((4 + 2)·4) a label.
        (int256[] memory scores, uint256[] memory qualities) = _score(2, 4, 0, reports, "");
        assertEq(scores[0], 1 ether);
        assertEq(scores[1], 1 ether);
        assertEq(scores[2], 0);
        assertEq(qualities[0], 1 ether);
        assertEq(qualities[1], 1 ether);
        assertEq(qualities[2], 0.5 ether);
    }

    function test_tie_goes_to_the_first_tied_class_from_the_tasks_own_on() public {
        bytes[] memory reports = new bytes[](2);
        (reports[0], reports[1]) = (bytes(hex"000000000000"), bytes(hex"020202020202"));
        // Tasks 0 and 3 begin at class 0; tasks 1 and 4 at 1 and come to 2 first; tasks 2 and 5 begin at 2.
        (int256[] memory scores, uint256[] memory qualities) = _score(3, 6, 0, reports, "");
        assertEq(qualities[0], 1 ether / uint256(3));
        assertEq(qualities[1], 2 ether / uint256(3));
        assertEq(scores[0], 0);
        assertEq(scores[1], 0);
    }

    function test_single_report_has_full_quality_and_scores_zero() public {
        bytes[] memory reports = new bytes[](1);
        reports[0] = hex"010200";
        (int256[] memory scores, uint256[] memory qualities) = _score(3, 3, 0, reports, "");
        assertEq(scores[0], 0);
        assertEq(qualities[0], 1 ether);
    }

    function test_no_reports_have_no_scores() public {
        (int256[] memory scores, uint256[] memory qualities) = _score(3, 3, 0, new bytes[](0), "");
        assertEq(scores.length + qualities.length, 0);
    }

    function testFuzz_scores_equal_the_slow_reference(
        uint256 seed,
        uint256 n,
        uint256 tasks,
        uint256 classes,
        uint256 items
    ) public {
        _assertEqual(seed, bound(n, 0, 7), bound(tasks, 1, 40), bound(classes, 2, 12), bound(items, 0, 20));
    }

    function testFuzz_scores_equal_the_slow_reference_with_many_classes(
        uint256 seed,
        uint256 n,
        uint256 tasks,
        uint256 classes
    ) public {
        _assertEqual(seed, bound(n, 3, 4), bound(tasks, 1, 34), bound(classes, 120, 136), 3);
    }

    function test_scores_equal_the_slow_reference_around_whole_words() public {
        for (uint256 tasks = 31; tasks <= 65; tasks += tasks == 33 ? 30 : 1) {
            _assertEqual(tasks, 5, tasks, 3, 9);
            _assertEqual(tasks + 1, 5, tasks, 2, 9);
        }
    }

    function test_scores_equal_the_slow_reference_with_the_most_classes() public {
        _assertEqual(1, 4, 33, 255, 9);
    }

    // With 2 classes and 16 items, 2 deviations are at 12 hits.
    function test_report_must_be_above_chance_not_at_its_bound() public {
        bytes[] memory reports = new bytes[](5);
        bytes memory calibration;
        for (uint256 i; i < 5; ++i) {
            reports[i] = new bytes(16);
            for (uint256 t; t < (i == 3 ? 4 : i == 4 ? 3 : 0); ++t) {
                reports[i][t] = 0x01;
            }
        }
        for (uint256 t; t < 16; ++t) {
            calibration = abi.encodePacked(calibration, uint16(t), uint8(0));
        }
        (, uint256[] memory qualities) = _score(2, 16, 2, reports, calibration);
        assertEq(qualities[3], 0, "12 hits");
        assertEq(qualities[4], 13 ether / uint256(16), "13 hits");
        (, qualities) = _score(2, 16, 0, reports, calibration);
        assertGt(qualities[3], 0, "without deviations");
    }

    function test_chance_needs_more_than_its_mean_even_without_deviations() public pure {
        assertFalse(LabelReports.isAboveChance(4, 8, 2, 0));
        assertTrue(LabelReports.isAboveChance(5, 8, 2, 0));
        assertFalse(LabelReports.isAboveChance(0, 8, 2, 1));
        assertFalse(LabelReports.isAboveChance(0, 0, 2, 0));
        assertTrue(LabelReports.isAboveChance(8_192, 8_192, 255, 10_000 / uint256(16)));
    }

    function test_calibration_that_nobody_meets_or_that_says_nothing_is_ignored() public {
        bytes[] memory reports = new bytes[](4);
        for (uint256 i; i < 4; ++i) {
            reports[i] = hex"000102000102";
        }
        reports[3] = hex"000000000000";
        bytes32 expected = _hash(3, 6, 1, reports, "");
        assertEq(_hash(3, 6, 1, reports, hex"000001000102000200"), expected, "nobody");
        assertEq(_hash(3, 6, 1, reports, hex"000003"), expected, "no class");
        assertEq(_hash(3, 6, 1, reports, hex"000600ffff00"), expected, "no task");
        assertEq(_hash(3, 6, 1, reports, hex"0000"), expected, "no item");
        assertNotEq(_hash(3, 6, 1, reports, hex"000101000202"), expected, "tasks 1 and 2 tell");
        assertEq(_hash(3, 6, 1, reports, hex"000101000202"), _hash(3, 6, 1, reports, hex"0001010002020003ff0006000001"));
    }

    // Four of seven answer k + 1 for k together: their vote wins, and only a calibration tells them from the honest.
    function test_calibration_turns_a_majority_that_relabels_together() public {
        bytes[] memory reports = new bytes[](7);
        for (uint256 i; i < 7; ++i) {
            reports[i] = new bytes(30);
            for (uint256 t; t < 30; ++t) {
                uint256 answer = (t * 7 + i) % 10 == 0 ? t + 2 : t;
                reports[i][t] = bytes1(uint8((answer + (i < 4 ? 1 : 0)) % 3));
            }
        }
        (int256[] memory scores,) = _score(3, 30, 2, reports, "");
        assertGt(scores[0], scores[6]);
        (int256[] memory calibrated, uint256[] memory qualities) =
            _score(3, 30, 2, reports, hex"000000000101000202000300000401000502000600000701000802000900");
        for (uint256 i; i < 7; ++i) {
            assertEq(calibrated[i] > 0, i >= 4);
            assertEq(qualities[i] > 0, i >= 4);
        }
    }

    function test_unusable_report_is_nobodys_peer() public {
        bytes[] memory reports = _reports(5, 6, 20, 4);
        for (uint256 i; i < 6; ++i) {
            reports[i] = i < 3 ? reports[i] : i == 3 ? new bytes(19) : i == 4 ? new bytes(0) : new bytes(20);
        }
        reports[5][7] = 0x04;
        bytes[] memory clean = new bytes[](3);
        (clean[0], clean[1], clean[2]) = (reports[0], reports[1], reports[2]);
        (int256[] memory scores, uint256[] memory qualities) = _score(4, 20, 2, reports, "");
        (int256[] memory alone, uint256[] memory aloneQualities) = _score(4, 20, 2, clean, "");
        for (uint256 i; i < 6; ++i) {
            assertEq(scores[i], i < 3 ? alone[i] : int256(0));
            assertEq(qualities[i], i < 3 ? aloneQualities[i] : 0);
        }
    }

    function testFuzz_labels_are_classes_just_when_each_byte_is(bytes memory report, uint8 classes, uint256 seed)
        public
        pure
    {
        uint256 k = bound(classes, 2, 255);
        for (uint256 i; i < report.length && seed % 8 > 0; ++i) {
            report[i] = bytes1(uint8(uint8(report[i]) % k));
        }
        if (seed % 8 > 4 && report.length > 0) report[(seed >> 8) % report.length] = bytes1(uint8(k - (seed >> 4) % 2));
        bool expected = true;
        for (uint256 i; i < report.length; ++i) {
            if (uint8(report[i]) >= k) expected = false;
        }
        assertEq(LabelReports.areClasses(report, k), expected);
    }

    function test_weight_rises_from_chance_to_one() public pure {
        uint256[] memory agreements = new uint256[](4);
        (agreements[0], agreements[1], agreements[2], agreements[3]) = (0, 2, 3, 10);
        uint256[] memory weights = WeightedPeerTruthSerum.weightsOf(agreements, 5, 10);
        assertEq(weights[0], 0);
        assertEq(weights[1], 0, "chance");
        assertEq(weights[2], 125_000, "(5 * 3 - 10) / (4 * 10)");
        assertEq(weights[3], 1_000_000);
    }

    function test_votes_are_the_positive_scores_in_millionths_or_else_one_each() public pure {
        int256[] memory scores = new int256[](3);
        (scores[0], scores[1], scores[2]) = (-1 ether, 1e12 - 1, 2.5 ether);
        uint256[] memory votes = WeightedPeerTruthSerum.votesOf(scores);
        assertEq(votes[0] + votes[1], 0);
        assertEq(votes[2], 2_500_000);
        scores[2] = 0;
        votes = WeightedPeerTruthSerum.votesOf(scores);
        assertEq(votes[0] + votes[1] + votes[2], 3);
    }

    function test_scorer_refuses_parameters_out_of_range() public {
        vm.expectPartialRevert(bytes4(keccak256("ClassesOutOfRange(uint256,uint256,uint256)")));
        Shipped.weightedPeerTruthSerumScorer(1, 1, 1);
        vm.expectRevert(
            abi.encodeWithSelector(WeightedPeerTruthSerumScorer.DeviationsOutOfRange.selector, 10_001, 0, 10_000)
        );
        Shipped.weightedPeerTruthSerumScorer(2, 1, 10_001);
        assertEq(Shipped.weightedPeerTruthSerumScorer(2, 1, 10_000).version(), bytes32("WeightedPeerTruthSerum/1"));
    }

    function _assertEqual(uint256 seed, uint256 n, uint256 tasks, uint256 classes, uint256 items) private {
        bytes[] memory reports = _reports(seed, n, tasks, classes);
        bytes memory calibration = _calibration(seed, items, tasks, classes);
        NaiveWeightedPeerTruthSerum.Game memory game =
            NaiveWeightedPeerTruthSerum.Game(classes, tasks, seed % 4, true);
        (int256[] memory expected, uint256[] memory expectedQualities) =
            NaiveWeightedPeerTruthSerum.score(reports, calibration, game);
        (int256[] memory scores, uint256[] memory qualities) = _score(classes, tasks, seed % 4, reports, calibration);
        assertEq(scores, expected, "weighted");
        assertEq(qualities, expectedQualities, "qualities");

        game.weighted = false;
        (expected, expectedQualities) = NaiveWeightedPeerTruthSerum.score(reports, calibration, game);
        (scores, qualities) =
            Shipped.peerTruthSerumScorer(classes, tasks).score(reports, plainFacts(new uint64[](n), calibration, 0));
        assertEq(scores, expected, "unweighted");
        assertEq(qualities, expectedQualities, "qualities by majority");
    }

    function _score(uint256 classes, uint256 tasks, uint256 deviations, bytes[] memory reports, bytes memory calibration)
        private
        returns (int256[] memory, uint256[] memory)
    {
        WeightedPeerTruthSerumScorer scorer = Shipped.weightedPeerTruthSerumScorer(classes, tasks, deviations);
        return scorer.score(reports, plainFacts(new uint64[](reports.length), calibration, 0));
    }

    function _hash(uint256 classes, uint256 tasks, uint256 deviations, bytes[] memory reports, bytes memory calibration)
        private
        returns (bytes32)
    {
        (int256[] memory scores, uint256[] memory qualities) = _score(classes, tasks, deviations, reports, calibration);
        return keccak256(abi.encode(scores, qualities));
    }
}
