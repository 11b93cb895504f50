// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a contribution is worth.
/// @notice A scorer is stateless: the same reports give the same scores, on any chain and in Python.
interface IScorer {
    /// @notice What a round's scoring rests on besides the reports.
    /// @param samples The sample count that each participant declared when it joined.
    /// @param calibration Tasks whose right label the requester knows, or empty; its form is the scorer's.
    /// @dev Each list has one entry a participant, in the order of the reports; not all of them need have a report.
    /// @param seed Of the round's random draws; nobody knew it before the last commitment.
    /// @param roles 0: worker, 1: validator, 2: miner.
    /// @param marks marks[i][j]: 1 more than the score that participant i gave j, WAD, or 0 for none; marks[i][n], of n
    ///        participants: the same for what the round began with. A row is empty where i gave no scores.
    /// @param attested Whether the participant attested the hash that the round was sealed with.
    struct Facts {
        uint64[] samples;
        bytes calibration;
        bytes32 seed;
        uint8[] roles;
        uint64[][] marks;
        bool[] attested;
    }

    /// @notice Score the reports of one round; anyone can try it for free by a call.
    /// @dev Must not revert on malformed reports or calibrations: a malformed report scores 0 and counts for nobody
    ///      else, so that no participant can block the others' pay.
    /// @param reports What each participant revealed, participants in ascending order of address.
    /// @param facts What else the scores rest on.
    /// @return scores One score each, WAD (1e18 = 1.0), possibly negative.
    /// @return qualities One each, WAD from 0 to 1: how good the report was, whatever it earns.
    function score(bytes[] calldata reports, Facts calldata facts)
        external
        view
        returns (int256[] memory scores, uint256[] memory qualities);

    /// @notice Score stored reports, in as many calls as it takes; the result does not depend on how it is cut.
    /// @dev The progress is the scorer's own and is not checked: whoever keeps a progress has to keep its hash.
    /// @param reports SSTORE2 pointers; an account without code stands for a report that nobody published, which
    ///        counts as an empty one.
    /// @param facts As above, and the same in every call.
    /// @param progress Empty to begin, then what the last call returned.
    /// @param work Labels to process at most; one unit of work is done in any case. A result that used it up is
    ///        delivered by the next call, so that what is done with it can have a transaction of its own.
    /// @return done Whether the result is there.
    /// @return next The progress, while it is not.
    /// @return scores As above, once it is.
    /// @return qualities As above, once it is.
    function resume(
        address[] calldata reports,
        Facts calldata facts,
        bytes calldata progress,
        uint256 work
    ) external view returns (bool done, bytes memory next, int256[] memory scores, uint256[] memory qualities);

    /// @notice Name and version of the formula, quoted in every receipt.
    function version() external view returns (bytes32);
}
