// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../interfaces/IScorer.sol";
import {CorrelatedAgreement} from "../libraries/CorrelatedAgreement.sol";
import {CheckedReports} from "./CheckedReports.sol";
import {PairScorer} from "./PairScorer.sol";

/// @title Scores hard labels on shared tasks by correlated agreement with peers that the seed draws.
/// @notice The score is the mean, over bonus tasks and peers, of agreement there less agreement on unrelated tasks. The
///         quality is the same, less chance, as a share of what is possible above chance (Cohen's kappa), 0 below.
contract CorrelatedAgreementScorer is PairScorer {
    /// @notice Bonus tasks of a match.
    uint256 public immutable bonusTasks;

    error BonusTasksOutOfRange(uint256 bonusTasks, uint256 minimum, uint256 maximum);

    /// @dev So that there are three tasks to draw on each side.
    uint256 private constant FEWEST_TASKS = 6;
    /// @dev What a bonus task costs, in labels.
    uint256 private constant LABELS_A_BONUS_TASK = 15;
    /// @dev A match is one step, and has to fit into a transaction of 16.7 million gas (EIP-7825).
    uint256 private constant LONGEST_MATCH = 105_000;

    constructor(uint256 classes_, uint256 tasks_, uint256 bonusTasks_, uint256 peers_, uint256 deviations_)
        PairScorer(classes_, tasks_, FEWEST_TASKS, peers_, deviations_)
    {
        uint256 most = (LONGEST_MATCH - 2 * tasks_) / LABELS_A_BONUS_TASK;
        if (most > tasks_) most = tasks_;
        if (bonusTasks_ == 0 || bonusTasks_ > most) revert BonusTasksOutOfRange(bonusTasks_, 1, most);
        bonusTasks = bonusTasks_;
    }

    /// @inheritdoc IScorer
    function version() external pure returns (bytes32) {
        return "CorrelatedAgreement/1";
    }

    /// @inheritdoc PairScorer
    function _commonWords() internal pure override returns (uint256) {
        return 0;
    }

    /// @inheritdoc PairScorer
    function _count(bytes memory, uint256[] memory) internal pure override {}

    /// @inheritdoc PairScorer
    /// @dev The agreements on bonus tasks in the upper 128 bits, the others in the lower; the same for both reports.
    function _match(bytes memory first, bytes memory second, uint256[] memory, uint256 key)
        internal
        view
        override
        returns (uint256 tally, uint256)
    {
        (uint256 hits, uint256 penalties) =
            CorrelatedAgreement.agreements(first, second, key, classes, bonusTasks);
        tally = hits << 128 | penalties;
        return (tally, tally);
    }

    /// @inheritdoc PairScorer
    function _matchWork() internal view override returns (uint256) {
        return 2 * tasks + LABELS_A_BONUS_TASK * bonusTasks;
    }

    /// @inheritdoc PairScorer
    /// @dev Rounded towards 0, so that gain and loss are rounded alike.
    function _settle(uint256 tally, uint256 matches) internal view override returns (int256 score, uint256 quality) {
        (uint256 hits, uint256 penalties) = (tally >> 128, uint128(tally));
        uint256 all = bonusTasks * matches;
        score = (int256(hits) - int256(penalties)) * int256(WAD) / int256(all);
        if (hits > penalties) quality = (hits - penalties) * WAD / (all - penalties);
    }
}
