// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IReputation} from "./interfaces/IReputation.sol";

/// @title A registry of reputations, keyed by address, that outlasts the tasks that feed it.
/// @notice Twin of `flwr_chainfl.reputation`, equal bit for bit. Quality, scaled by activity and stability:
///         Rep = E·(0.6 + 0.2·A + 0.2·S), where older rounds fade by 0.9 a round.
/// @dev Source: subjective logic (Jøsang, "Subjective Logic", Springer 2016) in the form of
///      docs/protocols/soft-label.md, "Reputation"; its parts follow IMFLKD, Sci Rep 16:10567.
///      What it cannot do: whoever may authorise tasks decides whose scores count. A new address starts at 0.35, so
///      leaving a bad name behind costs a new stake and nothing else.
contract Reputation is IReputation {
    uint256 private constant WAD = 1e18;
    uint256 private constant UNIT = 1e9;
    /// @dev Of qualities in the history.
    uint256 private constant HISTORY_UNIT = 10_000;
    uint256 private constant HISTORY_LENGTH = 5;
    /// @dev A standard deviation of one half, in units of the history: stability 0.
    uint256 private constant LEAST_STABLE = 5_000;
    /// @dev After so many missed rounds nothing is left of the older ones that would matter.
    uint256 private constant LONGEST_GAP = 64;

    /// @notice Who authorises tasks: the deployer.
    address public immutable owner;
    /// @notice How many tasks are authorised.
    uint32 public recorders;
    /// @notice A task's index, from 1; 0: not authorised.
    mapping(address task => uint32) public recorderIndex;

    mapping(address participant => Opinion) private _opinions;

    constructor() {
        owner = msg.sender;
    }

    /// @inheritdoc IReputation
    function authorise(address task) external {
        if (msg.sender != owner) revert NotOwner(msg.sender, owner);
        if (recorderIndex[task] != 0) return;
        uint32 index = ++recorders;
        recorderIndex[task] = index;
        emit RecorderAuthorised(task, index);
    }

    /// @inheritdoc IReputation
    function record(
        uint32 round,
        address[] calldata participants,
        int256[] calldata scores,
        uint256[] calldata qualities
    ) external {
        uint32 index = recorderIndex[msg.sender];
        if (index == 0) revert NotAuthorised(msg.sender);
        if (scores.length != participants.length) revert LengthMismatch(scores.length, participants.length);
        if (qualities.length != participants.length) revert LengthMismatch(qualities.length, participants.length);
        for (uint256 i; i < participants.length; ++i) {
            Opinion memory opinion = _opinions[participants[i]];
            _age(opinion, participants[i], index, round);
            _add(opinion, scores[i], Math.min(qualities[i], WAD) / (WAD / UNIT));
            _opinions[participants[i]] = opinion;
            emit ReputationUpdated(participants[i], msg.sender, round, _reputation(opinion));
        }
    }

    /// @inheritdoc IReputation
    function isRecorder(address task) external view returns (bool) {
        return recorderIndex[task] != 0;
    }

    /// @inheritdoc IReputation
    function reputationOf(address participant) external view returns (uint256) {
        return _reputation(_opinions[participant]);
    }

    /// @inheritdoc IReputation
    function opinionOf(address participant) external view returns (Opinion memory) {
        return _opinions[participant];
    }

    /// @dev Let the rounds since the last recorded one pass, and the participant be present in this one. Rounds of
    ///      other tasks in between do not count as missed.
    function _age(Opinion memory opinion, address participant, uint32 task, uint32 round) private pure {
        uint256 gap = 1;
        if (opinion.task == task) {
            if (round <= opinion.lastRound) revert RoundNotLater(participant, round, opinion.lastRound);
            gap = Math.min(round - opinion.lastRound, LONGEST_GAP);
        }
        uint256 present = opinion.present;
        uint256 possible = opinion.possible;
        for (; gap > 0; --gap) {
            present = present * 9 / 10;
            possible = possible * 9 / 10 + UNIT;
        }
        opinion.present = uint64(present + UNIT);
        opinion.possible = uint64(possible);
        opinion.task = task;
        opinion.lastRound = round;
    }

    /// @dev Add a round's quality, UNIT. Every sum stays below 20 UNIT.
    function _add(Opinion memory opinion, int256 score, uint256 quality) private pure {
        uint256 missing = score < 0 ? 2 * (UNIT - quality) : UNIT - quality;
        opinion.agreements = uint64(uint256(opinion.agreements) * 9 / 10 + quality);
        opinion.disagreements = uint64(uint256(opinion.disagreements) * 9 / 10 + missing);
        opinion.history = uint80(uint256(opinion.history) << 16 | quality / (UNIT / HISTORY_UNIT));
        if (opinion.count < HISTORY_LENGTH) ++opinion.count;
    }

    /// @dev WAD.
    function _reputation(Opinion memory opinion) private pure returns (uint256) {
        uint256 agreements = uint256(opinion.agreements) + UNIT;
        uint256 expectation = agreements * UNIT / (agreements + opinion.disagreements + UNIT);
        uint256 activity = opinion.possible == 0 ? 0 : uint256(opinion.present) * UNIT / opinion.possible;
        uint256 scale = 6 * UNIT + 2 * activity + 2 * _stability(opinion);
        return expectation * scale / (10 * UNIT) * (WAD / UNIT);
    }

    /// @dev UNIT; one half where there are fewer than two qualities to compare.
    function _stability(Opinion memory opinion) private pure returns (uint256) {
        uint256 count = opinion.count;
        if (count < 2) return UNIT / 2;
        uint256 sum;
        uint256 squares;
        for (uint256 i; i < count; ++i) {
            uint256 quality = uint16(opinion.history >> (16 * i));
            sum += quality;
            squares += quality * quality;
        }
        uint256 deviation = Math.sqrt(count * squares - sum * sum) / count;
        return deviation >= LEAST_STABLE ? 0 : (LEAST_STABLE - deviation) * UNIT / LEAST_STABLE;
    }
}
