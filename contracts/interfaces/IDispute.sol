// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "./IFederatedTask.sol";

/// @title What a dispute over an average reads of a task.
interface IDispute {
    /// @notice A round as it stands.
    function roundOf(uint32 round) external view returns (IFederatedTask.Round memory);

    /// @notice What a round's random draws begin with; no two rounds of any tasks have the same.
    function seedOf(uint32 round) external view returns (bytes32);
}
