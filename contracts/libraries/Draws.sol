// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Random draws from a seed, the same on every chain and in Python.
/// @notice Twin of `flwr_chainfl.draws`, equal bit for bit.
/// @dev The seed is what nobody could know; what is drawn from it only has to be evenly distributed. Hence SplitMix64
///      (Steele, Lea, Flood, OOPSLA 2014), of which Python draws thousands at once.
library Draws {
    uint256 private constant MASK = type(uint64).max;

    /// @notice The draw with a number, from 0, of a key: 64 bits. It serves as a key as well.
    function draw(uint256 key, uint256 number) internal pure returns (uint256 z) {
        unchecked {
            z = (key + (number + 1) * 0x9E3779B97F4A7C15) & MASK;
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK;
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK;
            z ^= z >> 31;
        }
    }

    /// @notice The key of a seed.
    function keyOf(bytes32 seed) internal pure returns (uint256 folded) {
        for (uint256 shift = 256; shift > 0;) {
            shift -= 64;
            folded = draw(folded ^ (uint256(seed) >> shift & MASK), 0);
        }
    }

    /// @notice The numbers from 0 to `n` - 1 in random order (Fisher and Yates).
    function order(uint256 key, uint256 n) internal pure returns (uint256[] memory shuffled) {
        shuffled = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            shuffled[i] = i;
        }
        for (uint256 i = n; i > 1; --i) {
            uint256 j = (draw(key, i) * i) >> 64;
            (shuffled[i - 1], shuffled[j]) = (shuffled[j], shuffled[i - 1]);
        }
    }
}
