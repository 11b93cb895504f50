// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {IScorer} from "../interfaces/IScorer.sol";
import {Proportional} from "../schedules/Proportional.sol";
import {SampleCountScorer} from "../scorers/SampleCountScorer.sol";
import {Shipped} from "./Shipped.sol";
import {plainFacts, plainSplit} from "./PlainFacts.sol";

/// @title Proportional pay and the sample-count score.
contract ScorersAndSchedulesTest is Test {
    SampleCountScorer private counter = Shipped.sampleCountScorer();

    function testFuzz_scores_below_the_minimum_earn_nothing(uint96 budget, uint64 minimum, int72[] memory raw) public {
        Proportional schedule = Shipped.proportional(int256(uint256(minimum)));
        int256[] memory scores = new int256[](raw.length > 30 ? 30 : raw.length);
        uint256 earners;
        for (uint256 i; i < scores.length; ++i) {
            scores[i] = raw[i];
            if (scores[i] > 0 && scores[i] >= int256(uint256(minimum))) ++earners;
        }
        uint256[] memory amounts = schedule.split(budget, 0, scores, plainSplit(scores.length));
        uint256 sum;
        for (uint256 i; i < scores.length; ++i) {
            sum += amounts[i];
            if (scores[i] <= 0 || scores[i] < int256(uint256(minimum))) assertEq(amounts[i], 0);
        }
        assertEq(sum, earners == 0 ? 0 : budget);
    }

    function test_score_at_the_minimum_earns() public {
        Proportional schedule = Shipped.proportional(0.5 ether);
        int256[] memory scores = new int256[](3);
        (scores[0], scores[1], scores[2]) = (0.5 ether, 0.5 ether - 1, 1.5 ether);
        uint256[] memory amounts = schedule.split(60, 40, scores, plainSplit(3));
        assertEq(amounts[0], 25);
        assertEq(amounts[1], 0);
        assertEq(amounts[2], 75);
    }

    function test_negative_minimum_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(Proportional.NegativeMinimumScore.selector, int256(-1)));
        Shipped.proportional(-1);
    }

    function testFuzz_sample_count_scores_up_to_what_was_declared(uint64 claimed, uint64 declared) public view {
        int256 score = _score(abi.encodePacked(claimed), declared);
        assertEq(score, claimed <= declared ? int256(uint256(claimed)) * 1 ether : int256(0));
        assertEq(_score(abi.encodePacked(declared), declared), int256(uint256(declared)) * 1 ether);
    }

    function testFuzz_sample_count_of_another_length_scores_zero(bytes memory report) public view {
        vm.assume(report.length != 8);
        assertEq(_score(report, type(uint64).max), 0);
    }

    function _score(bytes memory report, uint64 declared) private view returns (int256) {
        bytes[] memory reports = new bytes[](1);
        uint64[] memory samples = new uint64[](1);
        (reports[0], samples[0]) = (report, declared);
        (int256[] memory scores, uint256[] memory qualities) = counter.score(reports, plainFacts(samples, "", 0));
        (bool usable, uint256 quality) = (report.length == 8 && uint64(bytes8(report)) <= declared, qualities[0]);
        assertEq(quality, usable ? 1 ether : 0);
        return scores[0];
    }
}
