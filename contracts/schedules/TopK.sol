// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISchedule} from "../interfaces/ISchedule.sol";
import {Split} from "../libraries/Split.sol";

/// @title Pays the best: half of the money to the first, half of the rest to the next, and so on.
/// @notice Who is among the best is found from the scores, never taken from a caller. Slashes are shared in proportion to
///         the positive scores, by however many they are.
contract TopK is ISchedule {
    /// @dev Beyond this a share is below one unit of any sum that there is.
    uint256 private constant MOST = 128;

    /// @notice How many are paid at most, K.
    uint256 public immutable k;

    error KOutOfRange(uint256 k, uint256 most);

    constructor(uint256 k_) {
        if (k_ == 0 || k_ > MOST) revert KOutOfRange(k_, MOST);
        k = k_;
    }

    /// @inheritdoc ISchedule
    function split(uint256 budget, uint256 slashes, int256[] calldata scores, Facts calldata)
        external
        view
        returns (uint256[] memory amounts)
    {
        uint256[] memory best = topK(scores);
        uint256 n = scores.length;
        uint256[] memory weights = new uint256[](n);
        for (uint256 rank = 1; rank <= best.length; ++rank) {
            weights[best[rank - 1]] = _weight(rank, best.length);
        }
        amounts = Split.largestRemainder(budget, weights);
        for (uint256 i; i < n; ++i) {
            weights[i] = scores[i] > 0 ? uint256(scores[i]) : 0;
        }
        uint256[] memory shares = Split.largestRemainder(slashes, weights);
        for (uint256 i; i < n; ++i) {
            amounts[i] += shares[i];
        }
    }

    /// @notice The positions of the best, best first: those with a positive score, up to k; of equal scores the lower
    ///         address first.
    /// @param scores WAD, participants in ascending order of address.
    function topK(int256[] calldata scores) public view returns (uint256[] memory best) {
        best = new uint256[](k);
        uint256 count;
        for (uint256 i; i < scores.length; ++i) {
            if (scores[i] <= 0) continue;
            uint256 rank = count;
            while (rank > 0 && scores[best[rank - 1]] < scores[i]) {
                if (rank < best.length) best[rank] = best[rank - 1];
                --rank;
            }
            if (rank == best.length) continue;
            best[rank] = i;
            if (count < best.length) ++count;
        }
        assembly ("memory-safe") {
            mstore(best, count)
        }
    }

    /// @dev Of one of `count` ranks: 1/2^rank, and for the last two what is left, (1 + 1/count) to (1 − 1/count); times
    ///      count·2^(count−1).
    function _weight(uint256 rank, uint256 count) private pure returns (uint256) {
        if (count == 1) return 1;
        if (rank == count) return count - 1;
        if (rank == count - 1) return count + 1;
        return count << (count - 1 - rank);
    }
}
