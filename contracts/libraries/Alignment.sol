// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {PackedVector} from "./PackedVector.sol";

/// @title How far an update points where the others' do.
/// @notice Twin of `flwr_chainfl.scoring.alignment`, equal bit for bit.
/// @dev Source: docs/protocols/alignment.md; Wu and Seneviratne, arXiv 2502.14170. With the average G, an update g of weight
///      w (parts of UNIT), P = g·G, Q = g·g and R = G·G, the average of the others is UNIT·G − w·g, over UNIT − w.
library Alignment {
    uint256 private constant WAD = 1e18;
    int256 private constant UNIT = int256(PackedVector.UNIT);
    /// @dev Binary places that a square root keeps.
    uint256 private constant PLACES = 20;

    /// @param cosine Whether lengths are divided out; else updates that are longer score higher.
    /// @param leaveOneOut Whether an update is compared with the average of the others; else with that of all.
    /// @param largest The largest sum of squares that a vector can have; a raw score is a share of it.
    struct Rule {
        bool cosine;
        bool leaveOneOut;
        uint256 largest;
    }

    /// @notice The alignment of one update.
    /// @return score WAD, from −1 to 1, times the update's share of the samples.
    /// @return quality WAD: the cosine, 0 where it is negative.
    function align(int256 p, uint256 q, uint256 r, uint256 weight, Rule memory rule)
        internal
        pure
        returns (int256 score, uint256 quality)
    {
        int256 w = int256(weight);
        int256 dot = UNIT * p;
        int256 norm = UNIT * UNIT * int256(r);
        uint256 others = PackedVector.UNIT;
        if (rule.leaveOneOut) {
            dot -= w * int256(q);
            norm += w * w * int256(q) - 2 * UNIT * w * p;
            others -= weight;
        }
        uint256 size = dot < 0 ? uint256(-dot) : uint256(dot);
        uint256 root = Math.sqrt((q * uint256(norm)) << (2 * PLACES));
        uint256 cosine = root == 0 ? 0 : Math.min(WAD, (size << PLACES) * WAD / root);
        if (dot > 0) quality = cosine;
        uint256 points;
        if (rule.cosine) points = cosine * weight / PackedVector.UNIT;
        else if (others > 0) points = size * weight * WAD / (others * PackedVector.UNIT * rule.largest);
        score = dot < 0 ? -int256(points) : int256(points);
    }
}
