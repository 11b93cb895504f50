// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";
import {FailingScorer} from "./doubles/FailingScorer.sol";
import {FailingSchedule} from "./doubles/FailingSchedule.sol";
import {FeeToken} from "./doubles/FeeToken.sol";
import {GreedySchedule} from "./doubles/GreedySchedule.sol";
import {StingySchedule} from "./doubles/StingySchedule.sol";

/// @title A task whose token, scorer or schedule misbehaves.
contract PartsTest is TaskTest {
    function test_token_with_a_fee_on_transfer_is_refused() public {
        FeeToken fee = new FeeToken();
        fee.mint(requester, POOL);
        IFederatedTask.Settings memory s = _settings();
        s.token = address(fee);
        FederatedTask taxed = _deploy(s);
        vm.startPrank(requester);
        fee.approve(address(taxed), POOL);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.TokenShortfall.selector, POOL - POOL / 100, POOL));
        taxed.initializeTask("terms", ROUNDS, POOL);
        assertEq(fee.balanceOf(requester), POOL);
    }

    function test_scorer_that_reverts_cannot_lock_the_money() public {
        IFederatedTask.Settings memory s = _settings();
        s.scorer = address(new FailingScorer());
        _use(s);
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _falseScores(4);
        _post(round, _who(4), scores);
        _challenge(round);
        _publishAll(4, round);
        vm.expectRevert(FailingScorer.Broken.selector);
        _resolve(round, _who(4), scores);
        skip(CHALLENGE + SETTLE + 1);
        task.voidRound(round);
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_who(4));
        task.withdraw(_list(requester, challenger, BURN));
        assertEq(token.balanceOf(address(task)), 0);
        assertEq(token.balanceOf(challenger), WEALTH - BOND, "so look at the scorer before challenging");
        assertEq(token.balanceOf(BURN), BOND);
        assertEq(token.balanceOf(requester), WEALTH - POOL, "all but what the first task holds");
    }

    function test_schedule_cannot_give_away_other_peoples_money() public {
        IFederatedTask.Settings memory s = _settings();
        s.schedule = address(new GreedySchedule());
        _use(s);
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        _post(round, _who(4), scores);
        skip(CHALLENGE + 1);
        vm.expectPartialRevert(IFederatedTask.ScheduleOverspent.selector);
        _pay(round, _who(4), scores);
    }

    function test_what_a_schedule_leaves_of_slashes_is_not_the_requesters() public {
        IFederatedTask.Settings memory s = _settings();
        s.schedule = address(new StingySchedule());
        _use(s);
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        scores[3] = -2 ether; // 20 tokens, in a budget of 300
        _post(round, _who(4), scores);
        skip(CHALLENGE + 1);
        vm.expectEmit(address(task));
        emit IFederatedTask.RoundPaid(round, 160 ether, 20 ether, 140 ether);
        _pay(round, _who(4), scores);
        assertEq(task.pool(), 740 ether, "the budget less the pay");
        assertEq(task.forfeited(), 20 ether, "the slash");
    }

    function test_schedule_that_reverts_locks_the_money_for_30_days_at_most() public {
        IFederatedTask.Settings memory s = _settings();
        s.schedule = address(new FailingSchedule());
        _use(s);
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        _post(round, _who(4), scores);
        uint64 abandoned = task.roundOf(round).settleDeadline + 30 days;
        vm.warp(abandoned);
        vm.expectRevert(FailingSchedule.Broken.selector);
        _pay(round, _who(4), scores);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, abandoned));
        task.voidRound(round);
        skip(1);
        vm.prank(stranger);
        task.voidRound(round);
        _assertStatus(round, IFederatedTask.RoundStatus.Void);
        assertEq(task.balances(requester), BOND);
        assertEq(task.pool(), POOL);
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_who(4));
        task.withdraw(_list(requester));
        assertEq(token.balanceOf(address(task)), 0);
    }

    function test_scorer_is_asked_for_its_version_once() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _post(round, _who(4), _rightScores(4));
        skip(CHALLENGE + 1);
        int256[] memory scores = _rightScores(4);
        vm.mockCallRevert(address(scorer), abi.encodeCall(IScorer.version, ()), "gone");
        _pay(round, _who(4), scores);
        assertEq(task.formula(), "PeerTruthSerum/1");
        IFederatedTask.Settings memory s = _settings();
        vm.expectRevert(bytes("gone"));
        Shipped.federatedTask(s);
    }

    function _use(IFederatedTask.Settings memory s) private {
        task = _deploy(s);
        _fund(task);
    }
}
