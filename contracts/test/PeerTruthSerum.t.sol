// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {IScorer} from "../interfaces/IScorer.sol";
import {CheckedReports} from "../scorers/CheckedReports.sol";
import {PeerTruthSerumScorer} from "../scorers/PeerTruthSerumScorer.sol";
import {PeerTruthSerum} from "../libraries/PeerTruthSerum.sol";
import {NaivePeerTruthSerum} from "./NaivePeerTruthSerum.sol";
import {Shipped} from "./Shipped.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title The peer truth serum against a slow reference, vectors computed by hand, and its bounds.
contract PeerTruthSerumTest is Test {
    function test_scores_equal_those_computed_by_hand() public pure {
        bytes[] memory reports = new bytes[](3);
        reports[0] = hex"0001";
        reports[1] = hex"0001";
        reports[2] = hex"0000";
        int256[] memory scores = PeerTruthSerum.score(reports, 2);
        // Agreements of 0: two on label 0, reported 3 times by peers: 2·4/(5·2); one on label 1: 1·4/(3·2).
        assertEq(scores[0], 0.8 ether + 0.666666666666666666 ether - 1 ether);
        assertEq(scores[1], scores[0]);
        // Agreements of 2: two on label 0 with the first task, none with the second: 2·4/(4·2).
        assertEq(scores[2], 0);
    }

    function test_fewer_than_three_reports_score_zero() public pure {
        bytes[] memory reports = new bytes[](2);
        (reports[0], reports[1]) = (bytes(hex"0001"), bytes(hex"0001"));
        int256[] memory scores = PeerTruthSerum.score(reports, 2);
        assertEq(scores[0], 0);
        assertEq(scores[1], 0);
    }

    function testFuzz_scores_equal_the_slow_reference(uint256 seed, uint8 n, uint8 tasks, uint8 classes) public pure {
        uint256 k = bound(classes, 2, 12);
        bytes[] memory reports = _random(seed, bound(n, 0, 6), bound(tasks, 1, 24), k);
        assertEq(PeerTruthSerum.score(reports, k), NaivePeerTruthSerum.score(reports, k));
    }

    // Few of many classes occur, so that peers agree; the highest label is always among them.
    function testFuzz_scores_equal_the_slow_reference_with_many_classes(
        uint256 seed,
        uint8 n,
        uint8 tasks,
        uint8 classes
    ) public pure {
        uint256 k = bound(classes, 2, 255);
        bytes[] memory reports = _random(seed, bound(n, 3, 5), bound(tasks, 1, 70), k < 4 ? k : 4);
        for (uint256 i; i < reports.length; ++i) {
            for (uint256 t; t < reports[i].length; ++t) {
                reports[i][t] = bytes1(uint8(k - 1 - uint8(reports[i][t])));
            }
        }
        assertEq(PeerTruthSerum.score(reports, k), NaivePeerTruthSerum.score(reports, k));
    }

    function test_scores_equal_the_slow_reference_around_whole_words() public pure {
        for (uint256 tasks = 31; tasks <= 65; tasks += tasks == 33 ? 30 : 1) {
            bytes[] memory reports = _random(tasks, 4, tasks, 255);
            assertEq(PeerTruthSerum.score(reports, 255), NaivePeerTruthSerum.score(reports, 255));
        }
    }

    // The counting is in assembly: what lies in memory before and after it must not change.
    function testFuzz_scoring_leaves_its_input_and_the_memory_alone(uint256 seed, uint8 tasks) public pure {
        bytes[] memory reports = _random(seed, 4, bound(tasks, 1, 70), 255);
        bytes32 before = keccak256(abi.encode(reports));
        int256[] memory first = PeerTruthSerum.score(reports, 255);
        bytes32 scored = keccak256(abi.encode(first));
        PeerTruthSerum.score(reports, 255);
        assertEq(keccak256(abi.encode(reports)), before);
        assertEq(keccak256(abi.encode(first)), scored);
    }

    function testFuzz_permuting_participants_permutes_scores(uint256 seed, uint8 n, uint8 shift) public pure {
        uint256 count = bound(n, 3, 8);
        bytes[] memory reports = _random(seed, count, 16, 4);
        bytes[] memory turned = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            turned[(i + shift) % count] = reports[i];
        }
        int256[] memory scores = PeerTruthSerum.score(reports, 4);
        int256[] memory turnedScores = PeerTruthSerum.score(turned, 4);
        for (uint256 i; i < count; ++i) {
            assertEq(turnedScores[(i + shift) % count], scores[i]);
        }
    }

    // A constant k agrees as often as its peers report k: WAD·c·(T+K)/((c+m)·T) − WAD is below WAD·K/T, whatever c is.
    function testFuzz_constant_report_earns_less_than_classes_over_tasks(uint256 seed, uint8 n, uint8 tasks, uint8 k)
        public
        pure
    {
        uint256 length = bound(tasks, 1, 60);
        uint256 classes = bound(k, 2, 12);
        bytes[] memory reports = _random(seed, bound(n, 3, 8), length, classes);
        reports[0] = new bytes(length);
        int256 score = PeerTruthSerum.score(reports, classes)[0];
        assertLe(score, int256(1 ether * classes / length));
        assertGe(score, -1 ether);
    }

    // Where the peers' labels are spread over the classes, a constant earns nothing.
    function test_constant_report_among_balanced_peers_earns_nothing() public pure {
        bytes[] memory reports = new bytes[](5);
        for (uint256 i = 1; i < 5; ++i) {
            reports[i] = hex"000102000102000102000102";
        }
        reports[0] = hex"010101010101010101010101";
        int256[] memory scores = PeerTruthSerum.score(reports, 3);
        assertEq(scores[0], 0);
        assertGt(scores[1], 1 ether / 2);
    }

    function testFuzz_malformed_report_scores_zero_and_is_nobodys_peer(
        uint256 seed,
        uint8 n,
        uint8 where,
        bytes memory junk
    ) public {
        PeerTruthSerumScorer scorer = Shipped.peerTruthSerumScorer(4, 16);
        uint256 count = bound(n, 3, 6);
        if (junk.length == 16) junk[uint8(where) % 16] = 0x04;
        bytes[] memory reports = _random(seed, count, 16, 4);
        uint256 position = bound(where, 0, count);
        bytes[] memory withJunk = new bytes[](count + 1);
        for (uint256 i; i <= count; ++i) {
            withJunk[i] = i == position ? junk : reports[i < position ? i : i - 1];
        }
        (int256[] memory scores,) = scorer.score(withJunk, plainFacts(new uint64[](count + 1), "", 0));
        (int256[] memory clean,) = scorer.score(reports, plainFacts(new uint64[](count), "", 0));
        assertEq(scores[position], 0);
        for (uint256 i; i < count; ++i) {
            assertEq(scores[i < position ? i : i + 1], clean[i]);
        }
    }

    function test_scorer_refuses_parameters_out_of_range() public {
        for (uint256 i; i < 2; ++i) {
            uint256 classes = i == 0 ? 1 : 256;
            vm.expectRevert(abi.encodeWithSelector(CheckedReports.ClassesOutOfRange.selector, classes, 2, 255));
            Shipped.peerTruthSerumScorer(classes, 1);
        }
        for (uint256 i; i < 2; ++i) {
            uint256 tasks = i == 0 ? 0 : 24_576;
            vm.expectRevert(abi.encodeWithSelector(CheckedReports.TasksOutOfRange.selector, tasks, 1, 24_575));
            Shipped.peerTruthSerumScorer(2, tasks);
        }
        assertEq(Shipped.peerTruthSerumScorer(255, 24_575).tasks(), 24_575);
    }

    function _random(uint256 seed, uint256 n, uint256 tasks, uint256 classes)
        private
        pure
        returns (bytes[] memory reports)
    {
        reports = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            reports[i] = new bytes(tasks);
            for (uint256 t; t < tasks; ++t) {
                reports[i][t] = bytes1(uint8(uint256(keccak256(abi.encode(seed, i, t))) % classes));
            }
        }
    }
}
