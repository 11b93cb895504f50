// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title The part of a task that settles, called on its own rather than by the task.
contract SettlementTest is TaskTest {
    function test_settlement_on_its_own_refuses_everybody_and_everything() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        uint256[] memory qualities = _rightQualities(4);
        FederatedTask part = FederatedTask(vm.computeCreateAddress(address(task), 1));
        assertGt(address(part).code.length, 0);
        assertEq(part.requester(), requester);
        uint256 held = token.balanceOf(address(task));

        vm.startPrank(requester);
        token.approve(address(part), type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.WrongRound.selector, round, 0));
        part.postScores(round, _who(4), scores, qualities, "", 0);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.WrongSettlement.selector));
        part.revealCalibration(round, "", 0);
        _expectNoSuchRound(round, IFederatedTask.RoundStatus.Posted);
        part.challenge(round);
        _expectNoSuchRound(round, IFederatedTask.RoundStatus.Challenged);
        part.publishReport(round, people[0], _digest(people[0], round), _report(0), _salt(people[0], round));
        _expectNoSuchRound(round, IFederatedTask.RoundStatus.Challenged);
        part.computeScores(round, _who(4), scores, qualities, "", "", 1);
        _expectNoSuchRound(round, IFederatedTask.RoundStatus.Posted);
        part.distributeRewards(round, _who(4), scores, qualities, "");
        vm.expectRevert(IFederatedTask.NoReputation.selector);
        part.recordReputation(round, _who(4), scores, qualities, 4);
        _expectNoSuchRound(round, IFederatedTask.RoundStatus.Open);
        part.voidRound(round);
        vm.stopPrank();

        assertEq(token.balanceOf(address(part)), 0);
        assertEq(token.balanceOf(address(task)), held);
        _post(round, _who(4), scores);
        _assertStatus(round, IFederatedTask.RoundStatus.Posted);
    }

    function _expectNoSuchRound(uint32 round, IFederatedTask.RoundStatus expected) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTask.WrongRoundStatus.selector, round, IFederatedTask.RoundStatus.None, expected
            )
        );
    }
}
