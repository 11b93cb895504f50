// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title How well each address has done in all tasks so far.
interface IReputation {
    /// @notice What is kept for one participant.
    /// @dev UNIT is 1e9. Numbers of rounds are weighted by age.
    /// @param agreements Rounds' qualities, UNIT.
    /// @param disagreements What was missing to full quality, UNIT; doubled where the score was negative.
    /// @param present Rounds in which it took part, UNIT.
    /// @param possible Rounds in which it could have, from its first of a task on, UNIT.
    /// @param task Index of the task it was last recorded by.
    /// @param lastRound The round of that task.
    /// @param history Its newest qualities in 1/10,000, 16 bits each, the newest lowest.
    /// @param count How many of them there are, at most 5.
    struct Opinion {
        uint64 agreements;
        uint64 disagreements;
        uint64 present;
        uint64 possible;
        uint32 task;
        uint32 lastRound;
        uint80 history;
        uint8 count;
    }

    event RecorderAuthorised(address indexed task, uint32 index);
    event ReputationUpdated(
        address indexed participant, address indexed task, uint32 round, uint256 reputation
    );

    error NotOwner(address caller, address owner);
    error NotAuthorised(address caller);
    error LengthMismatch(uint256 length, uint256 expected);
    error RoundNotLater(address participant, uint32 round, uint32 lastRound);

    /// @notice Let a task record; its second authorisation changes nothing.
    function authorise(address task) external;

    /// @notice Record what participants did in one round; for authorised tasks.
    /// @param round Later than the last that was recorded of the same task, for each participant.
    /// @param participants Who took part.
    /// @param scores WAD.
    /// @param qualities WAD from 0 to 1; what is above counts as 1.
    function record(
        uint32 round,
        address[] calldata participants,
        int256[] calldata scores,
        uint256[] calldata qualities
    ) external;

    /// @notice Whether a task may record.
    function isRecorder(address task) external view returns (bool);

    /// @notice A participant's reputation, WAD from 0 to 1; 0.35 for one that was never recorded.
    function reputationOf(address participant) external view returns (uint256);

    /// @notice What a participant's reputation is made of.
    function opinionOf(address participant) external view returns (Opinion memory);
}
