// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";
import {CallbackToken} from "./doubles/CallbackToken.sol";
import {Reentrant} from "./doubles/Reentrant.sol";

/// @title A token that calls back in the middle of a transfer.
contract ReentrancyTest is TaskTest {
    CallbackToken private hooked;
    Reentrant private member;

    function setUp() public override {
        super.setUp();
        hooked = new CallbackToken();
        IFederatedTask.Settings memory s = _settings();
        s.token = address(hooked);
        s.minimumMembers = 1;
        task = _deploy(s);
        member = new Reentrant(address(task));
        hooked.mint(requester, WEALTH);
        hooked.mint(address(member), WEALTH);
        member.run(address(hooked), abi.encodeCall(hooked.approve, (address(task), WEALTH)));
        vm.startPrank(requester);
        hooked.approve(address(task), WEALTH);
        task.initializeTask("terms", ROUNDS, POOL);
        vm.stopPrank();
    }

    function test_withdrawing_within_a_withdrawal_is_refused_and_pays_once() public {
        _join();
        _leave();
        _listen(abi.encodeCall(task.withdraw, (_list(address(member), requester))));
        task.withdraw(_list(address(member)));
        _assertRefused();
        assertEq(hooked.balanceOf(address(member)), WEALTH);
        assertEq(hooked.balanceOf(address(task)), POOL);
    }

    function test_all_that_moves_money_or_scores_is_closed_during_a_transfer() public {
        address[] memory who = _list(address(member));
        int256[] memory scores = new int256[](1);
        uint256[] memory qualities = new uint256[](1);
        bytes[] memory calls = new bytes[](10);
        calls[0] = abi.encodeCall(task.joinTask, (STAKE, SAMPLES, ""));
        calls[1] = abi.encodeCall(task.joinTaskFor, (new IFederatedTask.JoinRequest[](0)));
        calls[2] = abi.encodeCall(task.extendTask, (1, 1));
        calls[3] = abi.encodeCall(task.postScores, (1, who, scores, qualities, "", 0));
        calls[4] = abi.encodeCall(task.challenge, (1));
        calls[5] = abi.encodeCall(task.computeScores, (1, who, scores, qualities, "", "", 1));
        calls[6] = abi.encodeCall(task.distributeRewards, (1, who, scores, qualities, ""));
        calls[7] = abi.encodeCall(task.completeTask, ());
        calls[8] = abi.encodeCall(task.withdraw, (who));
        calls[9] = abi.encodeCall(task.recordReputation, (1, who, scores, qualities, 1));
        for (uint256 i; i < calls.length; ++i) {
            _listen(calls[i]);
            _join();
            // The requester's own functions ask who calls first.
            if (i != 2) _assertRefused();
            else assertFalse(member.succeeded());
            _leave();
        }
        assertEq(task.balances(address(member)), calls.length * STAKE);
    }

    function test_leaving_while_the_stake_is_on_its_way_pays_it_once() public {
        _listen(abi.encodeCall(task.removeWorker, ()));
        _join();
        assertTrue(member.succeeded(), "leaving moves no tokens");
        assertEq(task.activeMembers(), 0);
        assertEq(hooked.balanceOf(address(task)), POOL + STAKE);
        hooked.tell(address(0));
        task.withdraw(_list(address(member), address(member)));
        assertEq(hooked.balanceOf(address(member)), WEALTH);
        assertEq(hooked.balanceOf(address(task)), POOL);
    }

    function test_leaving_while_the_stake_is_paid_out_does_not_pay_it_again() public {
        _join();
        vm.prank(requester);
        task.completeTask();
        _listen(abi.encodeCall(task.removeWorker, ()));
        task.withdraw(_list(address(member)));
        assertTrue(member.succeeded(), "leaving moves no tokens");
        hooked.tell(address(0));
        task.withdraw(_list(address(member), requester));
        assertEq(hooked.balanceOf(address(member)), WEALTH);
        assertEq(hooked.balanceOf(address(task)), 0);
    }

    function test_tokens_given_during_the_transfer_are_not_taken_for_a_stake() public {
        member = new Reentrant(address(hooked));
        hooked.mint(address(member), WEALTH);
        member.run(address(hooked), abi.encodeCall(hooked.approve, (address(task), WEALTH)));
        _listen(abi.encodeCall(hooked.mint, (address(task), 1)));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.TokenShortfall.selector, STAKE + 1, STAKE));
        _join();
    }

    function _listen(bytes memory call) private {
        member.prepare(call);
        hooked.tell(address(member));
    }

    function _join() private {
        member.run(address(task), abi.encodeCall(task.joinTask, (STAKE, SAMPLES, "")));
    }

    function _leave() private {
        member.run(address(task), abi.encodeCall(task.removeWorker, ()));
    }

    function _assertRefused() private view {
        assertFalse(member.succeeded());
        assertEq(member.answer(), abi.encodePacked(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));
    }
}
