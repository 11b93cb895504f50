// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Packed vectors, lane by lane.
/// @dev Slow on purpose, and sharing nothing with the library but the form of a vector.
library NaiveVector {
    function lane(bytes memory vector, uint256 index, uint256 bits) internal pure returns (int256 value) {
        uint256 size = bits / 8;
        uint256 raw;
        for (uint256 b; b < size; ++b) {
            raw = raw << 8 | uint8(vector[index * size + b]);
        }
        return raw >= 1 << (bits - 1) ? int256(raw) - int256(1 << bits) : int256(raw);
    }

    function average(bytes[] memory vectors, uint256[] memory weights, uint256 index, uint256 bits)
        internal
        pure
        returns (int256)
    {
        int256 sum = 32_768;
        for (uint256 i; i < vectors.length; ++i) {
            sum += lane(vectors[i], index, bits) * int256(weights[i]);
        }
        int256 quotient = sum / 65_536;
        return sum < 0 && quotient * 65_536 != sum ? quotient - 1 : quotient;
    }

    function dot(bytes memory first, bytes memory second, uint256 bits) internal pure returns (int256 sum) {
        for (uint256 i; i < first.length * 8 / bits; ++i) {
            sum += lane(first, i, bits) * lane(second, i, bits);
        }
    }
}
