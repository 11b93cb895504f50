// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {OutputAgreement} from "../libraries/OutputAgreement.sol";
import {PairScorer} from "./PairScorer.sol";

/// @title Scores hard labels on shared tasks by agreement with peers that the seed draws, a rare label counting more.
/// @notice The score is the mean, over tasks and peers, of what a label earns: the labels of all others over how many of
///         them are the same where the peer agrees, less 1. The quality is the share of tasks agreed on.
contract OutputAgreementScorer is PairScorer {
    constructor(uint256 classes_, uint256 tasks_, uint256 peers_, uint256 deviations_)
        PairScorer(classes_, tasks_, 1, peers_, deviations_)
    {}

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "OutputAgreement/1";
    }

    /// @inheritdoc PairScorer
    function _commonWords() internal view override returns (uint256) {
        return classes;
    }

    /// @inheritdoc PairScorer
    function _count(bytes memory report, uint256[] memory counts) internal pure override {
        OutputAgreement.count(report, counts);
    }

    /// @inheritdoc PairScorer
    /// @dev The tasks agreed on in the upper 128 bits, what they earn in the lower.
    function _match(bytes memory first, bytes memory second, uint256[] memory counts, uint256)
        internal
        pure
        override
        returns (uint256, uint256)
    {
        (uint256 agreed, uint256 ofFirst, uint256 ofSecond) = OutputAgreement.earnings(first, second, counts);
        return (agreed << 128 | ofFirst, agreed << 128 | ofSecond);
    }

    /// @inheritdoc PairScorer
    function _matchWork() internal view override returns (uint256) {
        return 2 * tasks;
    }

    /// @inheritdoc PairScorer
    function _settle(uint256 tally, uint256 matches) internal view override returns (int256 score, uint256 quality) {
        uint256 all = tasks * matches;
        score = int256(uint128(tally) / all) - int256(WAD);
        quality = (tally >> 128) * WAD / all;
    }
}
