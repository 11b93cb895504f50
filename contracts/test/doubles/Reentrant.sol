// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IListener} from "./CallbackToken.sol";

/// @title An account that calls back when the token tells it of a transfer, and keeps what came of it.
contract Reentrant is IListener {
    address private immutable target;
    bytes private call;
    bool public succeeded;
    bytes public answer;

    constructor(address target_) {
        target = target_;
    }

    function prepare(bytes calldata call_) external {
        call = call_;
    }

    function run(address to, bytes calldata data) external {
        (bool done, bytes memory returned) = to.call(data);
        if (!done) {
            assembly {
                revert(add(returned, 32), mload(returned))
            }
        }
    }

    function onTransfer() external {
        (succeeded, answer) = target.call(call);
    }
}
