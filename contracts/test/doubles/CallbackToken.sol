// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

interface IListener {
    function onTransfer() external;
}

/// @title A token that tells one account of each of its transfers: when it pays, before; when it is paid, afterwards.
contract CallbackToken is ERC20("Callback", "CBK") {
    address public listener;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function tell(address listener_) external {
        listener = listener_;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from == listener && from != address(0)) IListener(listener).onTransfer();
        super._update(from, to, value);
        if (to == listener && to != address(0)) IListener(listener).onTransfer();
    }
}
