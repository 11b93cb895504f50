// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A registry that lets everybody record and then, as it is told, records nothing, fails, or calls back.
contract UnreliableReputation {
    error Broken();

    bool public fails;
    bytes private call;
    bool public succeeded;
    bytes public answer;
    uint256 public records;

    function prepare(bool fails_, bytes calldata call_) external {
        (fails, call) = (fails_, call_);
    }

    function isRecorder(address) external pure returns (bool) {
        return true;
    }

    function record(uint32, address[] calldata, int256[] calldata, uint256[] calldata) external {
        if (fails) revert Broken();
        ++records;
        if (call.length > 0) (succeeded, answer) = msg.sender.call(call);
    }
}
