// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The token of simulations and tests: its deployer mints what it likes. Worth nothing.
contract TestToken is ERC20, ERC20Permit {
    /// @notice The only account that can mint.
    address public immutable minter;

    error NotMinter(address caller, address minter);

    constructor() ERC20("ChainFL test token", "CFT") ERC20Permit("ChainFL test token") {
        minter = msg.sender;
    }

    /// @notice Create `amount` units for each of `recipients`.
    function mint(address[] calldata recipients, uint256 amount) external {
        if (msg.sender != minter) revert NotMinter(msg.sender, minter);
        for (uint256 i; i < recipients.length; ++i) {
            _mint(recipients[i], amount);
        }
    }
}
