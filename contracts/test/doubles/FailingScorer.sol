// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IScorer} from "../../interfaces/IScorer.sol";

/// @title A scorer that cannot score.
contract FailingScorer is IScorer {
    error Broken();

    function score(bytes[] calldata, Facts calldata)
        external
        pure
        returns (int256[] memory, uint256[] memory)
    {
        revert Broken();
    }

    function resume(address[] calldata, Facts calldata, bytes calldata, uint256)
        external
        pure
        returns (bool, bytes memory, int256[] memory, uint256[] memory)
    {
        revert Broken();
    }

    function version() external pure returns (bytes32) {
        return "Failing/1";
    }
}
