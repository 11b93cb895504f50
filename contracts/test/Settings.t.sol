// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {TestToken} from "../TestToken.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Deploying, funding and starting a task.
contract SettingsTest is TaskTest {
    function test_settings_out_of_range_are_refused() public {
        IFederatedTask.Settings memory s = _settings();
        s.minimumMembers = 0;
        _assertTooSmall(s, "minimumMembers", 0, 1);
        s = _settings();
        s.maximumMembers = 1;
        _assertTooSmall(s, "maximumMembers", 1, 2);
        s = _settings();
        s.commitSeconds = 0;
        _assertTooSmall(s, "commitSeconds", 0, 1);
        s = _settings();
        s.revealSeconds = 0;
        _assertTooSmall(s, "revealSeconds", 0, 1);
        s = _settings();
        s.settleSeconds = 0;
        _assertTooSmall(s, "settleSeconds", 0, 1);
        s = _settings();
        s.challengeSeconds = 0;
        _assertTooSmall(s, "challengeSeconds", 0, 1);
        s = _settings();
        s.missingSlashBps = 10_001;
        _assertTooLarge(s, "missingSlashBps", 10_001, 10_000);
        s = _settings();
        s.maximumMembers = 401;
        _assertTooLarge(s, "maximumMembers", 401, 400);
        s.maximumMembers = 400;
        Shipped.federatedTask(s);
    }

    function test_settings_are_kept_as_given() public view {
        assertEq(abi.encode(task.settings()), abi.encode(_settings()));
        assertEq(task.requester(), requester);
        assertEq(task.termsCid(), "terms");
    }

    function test_task_is_funded_once() public {
        vm.prank(requester);
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTask.WrongTaskStatus.selector,
                IFederatedTask.TaskStatus.Open,
                IFederatedTask.TaskStatus.Created
            )
        );
        task.initializeTask("terms", ROUNDS, POOL);
    }

    function test_task_needs_rounds_and_money() public {
        FederatedTask bare = _deploy(_settings());
        vm.startPrank(requester);
        vm.expectRevert(IFederatedTask.NoRounds.selector);
        bare.initializeTask("terms", 0, POOL);
        vm.expectRevert(IFederatedTask.EmptyPool.selector);
        bare.initializeTask("terms", ROUNDS, 0);
    }

    function test_only_the_requester_runs_the_task() public {
        bytes memory refusal = abi.encodeWithSelector(IFederatedTask.NotRequester.selector, stranger, requester);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        task.initializeTask("terms", ROUNDS, POOL);
        vm.expectRevert(refusal);
        task.extendTask(ROUNDS, POOL);
        vm.expectRevert(refusal);
        task.startTask();
        vm.expectRevert(refusal);
        task.nextRound(new uint256[](0), 0);
    }

    function test_completed_task_cannot_be_extended_or_started() public {
        vm.startPrank(requester);
        task.completeTask();
        vm.expectPartialRevert(IFederatedTask.WrongTaskStatus.selector);
        task.extendTask(1, 1);
        vm.expectPartialRevert(IFederatedTask.WrongTaskStatus.selector);
        task.startTask();
        vm.expectPartialRevert(IFederatedTask.WrongTaskStatus.selector);
        task.completeTask();
    }

    function test_only_the_deployer_mints_test_tokens() public {
        address minter = address(this);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(TestToken.NotMinter.selector, stranger, minter));
        token.mint(_list(stranger), 1);
    }

    function _assertTooSmall(IFederatedTask.Settings memory s, string memory name, uint256 value, uint256 minimum)
        private
    {
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.SettingTooSmall.selector, name, value, minimum));
        Shipped.federatedTask(s);
    }

    function _assertTooLarge(IFederatedTask.Settings memory s, string memory name, uint256 value, uint256 maximum)
        private
    {
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.SettingTooLarge.selector, name, value, maximum));
        Shipped.federatedTask(s);
    }
}
