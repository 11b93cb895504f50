// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {CorrelatedAgreementScorer} from "../scorers/CorrelatedAgreementScorer.sol";
import {OutputAgreementScorer} from "../scorers/OutputAgreementScorer.sol";
import {PeerTruthSerumScorer} from "../scorers/PeerTruthSerumScorer.sol";
import {SampleCountScorer} from "../scorers/SampleCountScorer.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";
import {Games} from "./Games.sol";
import {Shipped} from "./Shipped.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title Scoring stored reports in steps gives what scoring them at once gives, however it is cut.
contract ResumingTest is Games {
    function testFuzz_steps_give_what_one_call_gives(uint256 seed, uint256 n, uint256 tasks, uint256 classes, uint256 cut)
        public
    {
        (n, tasks, classes) = (bound(n, 0, 9), bound(tasks, 1, 100), bound(classes, 2, 255));
        bytes memory calibration = _calibration(seed, seed % 12, tasks, classes);
        IScorer scorer = seed % 8 == 0
            ? IScorer(Shipped.peerTruthSerumScorer(classes, tasks))
            : Shipped.weightedPeerTruthSerumScorer(classes, tasks, seed % 3);
        _assertStepsEqual(scorer, _reports(seed, n, tasks, classes), calibration, seed, bound(cut, 0, 2 * n * tasks));
    }

    function testFuzz_matches_in_steps_give_what_one_call_gives(uint256 seed, uint256 n, uint256 tasks, uint256 cut) public {
        (n, tasks) = (bound(n, 0, 9), bound(tasks, 6, 100));
        uint256 classes = 2 + seed % 5;
        IScorer scorer = seed % 3 == 0
            ? IScorer(Shipped.outputAgreementScorer(classes, tasks, 1 + seed % 6, seed % 3))
            : Shipped.correlatedAgreementScorer(classes, tasks, 1 + seed % tasks, 1 + seed % 6, seed % 3);
        bytes memory calibration = _calibration(seed, seed % 12, tasks, classes);
        _assertStepsEqual(scorer, _reports(seed, n, tasks, classes), calibration, seed, bound(cut, 0, 12 * n * tasks));
    }

    function test_smallest_steps_give_what_one_call_gives() public {
        IScorer scorer = Shipped.weightedPeerTruthSerumScorer(10, 100, 1);
        bytes[] memory reports = _reports(7, 8, 100, 10);
        for (uint256 i; i < 8; ++i) {
            if (reports[i].length != 100) reports[i] = new bytes(100);
        }
        uint256 steps = _assertStepsEqual(scorer, reports, _calibration(7, 9, 100, 10), 7, 0);
        assertEq(steps, 8 + 3 * 4 + 1, "reports, words of labels three times over, and the result");
    }

    function test_report_that_nobody_published_counts_as_an_empty_one() public {
        bytes[] memory reports = _reports(3, 6, 40, 4);
        address[] memory pointers = _store(reports);
        (reports[1], pointers[1]) = ("", address(0));
        reports[4] = "";
        IScorer scorer = Shipped.weightedPeerTruthSerumScorer(4, 40, 1);
        (int256[] memory expected,) = scorer.score(reports, plainFacts(new uint64[](6), "", 0));
        pointers[4] = makeAddr("nobody");
        (int256[] memory scores,,) = _inSteps(scorer, pointers, "", 3, 100);
        assertEq(scores, expected);
    }

    function test_result_that_used_up_the_work_is_delivered_by_the_next_call() public {
        IScorer scorer = Shipped.weightedPeerTruthSerumScorer(4, 40, 1);
        address[] memory pointers = _store(_reports(1, 5, 40, 4));
        IScorer.Facts memory facts = plainFacts(new uint64[](5), "", 0);
        (bool done, bytes memory progress,,) = scorer.resume(pointers, facts, "", 0);
        uint256 length;
        uint256 longest;
        while (!done) {
            length = progress.length;
            if (length > longest) longest = length;
            (done, progress,,) = scorer.resume(pointers, facts, progress, 0);
        }
        assertLe(length + 32 * 3 * 5, longest, "the result, but no cells");
        (done,,,) = scorer.resume(pointers, facts, "", type(uint256).max);
        assertTrue(done, "all at once");
    }

    function test_steps_do_the_work_they_are_given() public {
        IScorer scorer = Shipped.weightedPeerTruthSerumScorer(4, 2_000, 1);
        address[] memory pointers = _store(_reports(2, 5, 2_000, 4));
        (,, uint256 steps) = _inSteps(scorer, pointers, "", 2, 1);
        assertGe(steps, 3 * 63);
        bytes memory progress;
        uint256 few;
        for (bool done; !done; ++few) {
            (done, progress,,) = scorer.resume(pointers, plainFacts(new uint64[](5), "", 0), progress, 5_000);
        }
        assertLe(few, 8, "three times 10,000 labels and the checks, less what words of labels waste");
        assertGe(few, 5);
    }

    function testFuzz_sample_counts_of_stored_reports(uint64[] memory counts, uint64 declared, bytes memory junk) public {
        SampleCountScorer scorer = Shipped.sampleCountScorer();
        uint256 n = counts.length > 8 ? 8 : counts.length;
        bytes[] memory reports = new bytes[](n + 1);
        uint64[] memory samples = new uint64[](n + 1);
        for (uint256 i; i <= n; ++i) {
            reports[i] = i == n ? junk : abi.encodePacked(counts[i]);
            samples[i] = declared;
        }
        (int256[] memory expected, uint256[] memory expectedQualities) = scorer.score(reports, plainFacts(samples, "any", 0));
        address[] memory pointers = _store(reports);
        (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities) =
            scorer.resume(pointers, plainFacts(samples, "any", 0), "", 0);
        assertTrue(done && next.length == 0);
        assertEq(scores, expected);
        assertEq(qualities, expectedQualities);
        pointers[0] = address(0);
        (,, scores, qualities) = scorer.resume(pointers, plainFacts(samples, "", 0), "", 1);
        assertEq(scores[0], 0);
        assertEq(qualities[0], 0);
    }

    function _assertStepsEqual(
        IScorer scorer,
        bytes[] memory reports,
        bytes memory calibration,
        uint256 seed,
        uint256 most
    ) private returns (uint256 steps) {
        (int256[] memory expected, uint256[] memory expectedQualities) =
            scorer.score(reports, plainFacts(new uint64[](reports.length), calibration, bytes32(seed)));
        int256[] memory scores;
        uint256[] memory qualities;
        (scores, qualities, steps) = _inSteps(scorer, _store(reports), calibration, seed, most);
        assertEq(scores, expected, "scores");
        assertEq(qualities, expectedQualities, "qualities");
    }
}
