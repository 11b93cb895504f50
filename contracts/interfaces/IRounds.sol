// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "./IFederatedTask.sol";

/// @title What a source of randomness reads of a task.
interface IRounds {
    /// @notice A round as it stands.
    function roundOf(uint32 round) external view returns (IFederatedTask.Round memory);
}
