// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who is scored against whom.
/// @notice Twin of `flwr_chainfl.scoring.pairing`, equal bit for bit.
/// @dev Everybody has a number of different peers: as in a round-robin tournament (circle method), each turn pairs all of
///      a random order. Where their number is odd, one is left over in each turn, and is scored against the first of the
///      turn's last pair, which is scored with its own partner only.
library Pairing {
    /// @notice Number of peers of each of `n`: as many as wanted, or as there are.
    function turns(uint256 n, uint256 peers) internal pure returns (uint256) {
        uint256 most = n - 1 + (n & 1);
        return peers < most ? peers : most;
    }

    /// @notice Number of matches in a turn.
    function matches(uint256 n) internal pure returns (uint256) {
        return (n + 1) >> 1;
    }

    /// @notice The match with a number, from 0.
    /// @param order Random order of those to be paired, two or more.
    /// @return first Is scored in this match.
    /// @return second Its peer.
    /// @return both Whether the second is scored too.
    function matchAt(uint256[] memory order, uint256 number)
        internal
        pure
        returns (uint256 first, uint256 second, bool both)
    {
        unchecked {
            uint256 n = order.length;
            uint256 circle = n - 1 + (n & 1);
            uint256 turn = number / matches(n);
            uint256 distance = number % matches(n) + 1;
            uint256 half = circle >> 1;
            if (distance <= half) {
                return (order[(turn + distance) % circle], order[(turn + circle - distance) % circle], true);
            }
            first = order[turn % circle];
            both = n & 1 == 0;
            second = both ? order[n - 1] : order[(turn + half) % circle];
        }
    }
}
