// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {Split} from "../libraries/Split.sol";

/// @title Largest-remainder apportionment: exact in the sum, fair to less than one unit.
contract SplitTest is Test {
    function test_units_left_over_go_to_the_largest_remainders() public pure {
        uint256[] memory weights = new uint256[](3);
        (weights[0], weights[1], weights[2]) = (1, 3, 3);
        uint256[] memory parts = Split.largestRemainder(10, weights);
        // 10/7 = 1.43, 30/7 = 4.29 twice.
        assertEq(parts[0], 2);
        assertEq(parts[1], 4);
        assertEq(parts[2], 4);
    }

    function test_ties_go_to_the_lowest_index() public pure {
        uint256[] memory weights = new uint256[](4);
        for (uint256 i; i < 4; ++i) {
            weights[i] = 1;
        }
        uint256[] memory parts = Split.largestRemainder(6, weights);
        assertEq(parts[0], 2);
        assertEq(parts[1], 2);
        assertEq(parts[2], 1);
        assertEq(parts[3], 1);
    }

    function testFuzz_parts_add_up_to_the_budget(uint256 budget, uint128[] memory raw) public pure {
        uint256[] memory weights = _weights(raw);
        uint256[] memory parts = Split.largestRemainder(budget, weights);
        assertEq(_sum(parts), _sum(weights) == 0 ? 0 : budget);
    }

    function testFuzz_part_differs_from_the_exact_share_by_less_than_one(uint120 budget, uint120[] memory raw)
        public
        pure
    {
        uint256[] memory weights = new uint256[](raw.length > 40 ? 40 : raw.length);
        for (uint256 i; i < weights.length; ++i) {
            weights[i] = raw[i];
        }
        uint256 total = _sum(weights);
        vm.assume(total > 0);
        uint256[] memory parts = Split.largestRemainder(budget, weights);
        for (uint256 i; i < parts.length; ++i) {
            uint256 exact = uint256(budget) * weights[i];
            uint256 scaled = parts[i] * total;
            assertLt(scaled > exact ? scaled - exact : exact - scaled, total);
            if (weights[i] == 0) assertEq(parts[i], 0);
        }
    }

    function testFuzz_no_weight_no_part(uint256 budget, uint8 n) public pure {
        uint256[] memory parts = Split.largestRemainder(budget, new uint256[](n));
        assertEq(_sum(parts), 0);
        assertEq(parts.length, n);
    }

    function testFuzz_larger_weight_never_gets_less(uint120 budget, uint128[] memory raw) public pure {
        uint256[] memory weights = _weights(raw);
        uint256[] memory parts = Split.largestRemainder(budget, weights);
        for (uint256 i; i < parts.length; ++i) {
            for (uint256 j; j < parts.length; ++j) {
                if (weights[i] > weights[j]) assertGe(parts[i], parts[j]);
            }
        }
    }

    function testFuzz_permuting_distinct_remainders_permutes_parts(uint120 budget, uint128[] memory raw, uint256 shift)
        public
        pure
    {
        uint256[] memory weights = _weights(raw);
        uint256 n = weights.length;
        vm.assume(n > 0 && _sum(weights) > 0 && _remaindersDiffer(budget, weights));
        uint256[] memory turned = new uint256[](n);
        shift %= n;
        for (uint256 i; i < n; ++i) {
            turned[(i + shift) % n] = weights[i];
        }
        uint256[] memory parts = Split.largestRemainder(budget, weights);
        uint256[] memory turnedParts = Split.largestRemainder(budget, turned);
        for (uint256 i; i < n; ++i) {
            assertEq(turnedParts[(i + shift) % n], parts[i]);
        }
    }

    function _weights(uint128[] memory raw) private pure returns (uint256[] memory weights) {
        weights = new uint256[](raw.length > 40 ? 40 : raw.length);
        for (uint256 i; i < weights.length; ++i) {
            weights[i] = raw[i];
        }
    }

    function _remaindersDiffer(uint256 budget, uint256[] memory weights) private pure returns (bool) {
        uint256 total = _sum(weights);
        for (uint256 i; i < weights.length; ++i) {
            for (uint256 j; j < i; ++j) {
                if (mulmod(budget, weights[i], total) == mulmod(budget, weights[j], total)) return false;
            }
        }
        return true;
    }

    function _sum(uint256[] memory values) private pure returns (uint256 sum) {
        for (uint256 i; i < values.length; ++i) {
            sum += values[i];
        }
    }
}
