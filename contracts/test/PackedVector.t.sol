// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {PackedVector} from "../libraries/PackedVector.sol";
import {NaiveVector} from "./NaiveVector.sol";

/// @title Packed vectors: several lanes at a time come to what one at a time do.
/// forge-config: default.fuzz.runs = 64
contract PackedVectorTest is Test {
    function average(bytes calldata data, uint256 stride, uint256[] calldata weights, uint256 bits)
        external
        pure
        returns (bytes memory)
    {
        return PackedVector.average(data, stride, weights, bits);
    }

    function testFuzz_averages_and_products_are_those_of_single_lanes(bytes32 seed, uint8 words, uint8 kind) public view {
        uint256 bits = kind % 3 == 0 ? 8 : kind % 3 == 1 ? 16 : 32;
        (bytes[] memory vectors, uint256[] memory weights) = _vectors(seed, 32 * (1 + words % 5), kind > 127);
        bytes memory data = bytes.concat(vectors[0], vectors[1], vectors[2]);
        bytes memory mean = this.average(data, vectors[0].length, weights, bits);
        for (uint256 i; i < mean.length * 8 / bits; ++i) {
            assertEq(NaiveVector.lane(mean, i, bits), NaiveVector.average(vectors, weights, i, bits));
        }
        (bytes memory factors, int256 sum) = PackedVector.factorsOf(mean, bits);
        for (uint256 v; v < 3; ++v) {
            (int256 dot, uint256 norm) = PackedVector.products(vectors[v], factors, sum, bits);
            assertEq(dot, NaiveVector.dot(vectors[v], mean, bits));
            assertEq(int256(norm), NaiveVector.dot(vectors[v], vectors[v], bits));
        }
    }

    function test_the_longest_vectors_of_the_largest_lanes_stay_inside_their_slots() public pure {
        for (uint256 k; k < 8; ++k) {
            uint256 bits = k & 1 == 0 ? 8 : 16;
            (bytes memory vector, int256 lane) = _longest(bits, k & 2 == 0);
            (bytes memory other, int256 otherLane) = _longest(bits, k & 4 == 0);
            (bytes memory factors, int256 sum) = PackedVector.factorsOf(other, bits);
            (int256 dot, uint256 norm) = PackedVector.products(vector, factors, sum, bits);
            int256 lanes = int256(vector.length * 8 / bits);
            assertEq(dot, lanes * lane * otherLane);
            assertEq(int256(norm), lanes * lane * lane);
        }
    }

    function test_lanes_together_cost_a_tenth_of_one_by_one() public view {
        (bytes[] memory vectors,) = _vectors("gas", 640, false);
        (bytes memory factors, int256 sum) = PackedVector.factorsOf(vectors[1], 16);
        uint256 before = gasleft();
        PackedVector.products(vectors[0], factors, sum, 16);
        uint256 together = before - gasleft();
        before = gasleft();
        NaiveVector.dot(vectors[0], vectors[1], 16);
        NaiveVector.dot(vectors[0], vectors[0], 16);
        assertLt(10 * together, before - gasleft());
    }

    function test_lanes_of_another_width_and_longer_vectors_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(PackedVector.LaneWidthUnknown.selector, 12));
        this.average(new bytes(32), 32, new uint256[](1), 12);
        uint256 long = PackedVector.LONGEST + 32;
        vm.expectRevert(abi.encodeWithSelector(PackedVector.VectorTooLong.selector, long, PackedVector.LONGEST));
        this.average(new bytes(long), long, new uint256[](1), 8);
    }

    /// @dev The longest vector of the lowest or the highest lanes.
    function _longest(uint256 bits, bool lowest) private pure returns (bytes memory vector, int256 lane) {
        vector = PackedVector.zeros(PackedVector.LONGEST);
        lane = lowest ? -int256(1 << (bits - 1)) : int256(1 << (bits - 1)) - 1;
        uint256 word = uint256(lane) & (1 << bits) - 1;
        for (uint256 size = bits; size < 256; size *= 2) {
            word |= word << size;
        }
        for (uint256 i = 32; i <= vector.length; i += 32) {
            assembly ("memory-safe") {
                mstore(add(vector, i), word)
            }
        }
    }

    /// @dev Three vectors, of the extreme lanes alone or of any, with weights that add up to the unit.
    function _vectors(bytes32 seed, uint256 length, bool extreme)
        private
        pure
        returns (bytes[] memory vectors, uint256[] memory weights)
    {
        (vectors, weights) = (new bytes[](3), new uint256[](3));
        for (uint256 v; v < 3; ++v) {
            vectors[v] = PackedVector.zeros(length);
            for (uint256 i; i < length; ++i) {
                uint8 random = uint8(uint256(keccak256(abi.encode(seed, v, i))));
                vectors[v][i] = extreme ? bytes1(random & 1 == 0 ? 0x80 : 0x7f) : bytes1(random);
            }
        }
        weights[0] = uint256(seed) % PackedVector.UNIT;
        weights[1] = uint256(seed >> 16) % (PackedVector.UNIT - weights[0]);
        weights[2] = PackedVector.UNIT - weights[0] - weights[1];
    }
}
