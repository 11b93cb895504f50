// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who may join a task.
/// @notice An admission only says yes or no. It holds no money and no members, so one can serve many tasks.
interface IAdmission {
    error NotInvited(address participant);
    error InvitationExpired(address participant, uint256 deadline);

    /// @notice Revert, naming the participant, if it may not join; anyone can try it for free by a call.
    /// @param task The task that it wants to join.
    /// @param participant Who wants to join.
    /// @param departures How often the participant has left that task.
    /// @param proof What it brings; the form is the admission's.
    function check(address task, address participant, uint256 departures, bytes calldata proof) external view;
}
