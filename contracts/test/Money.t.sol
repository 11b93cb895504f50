// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {FederatedTask} from "../FederatedTask.sol";
import {Reputation} from "../Reputation.sol";
import {TestToken} from "../TestToken.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {Proportional} from "../schedules/Proportional.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskHandler} from "./TaskHandler.sol";

/// @title Whatever anybody calls in whatever order: no unit of money appears, vanishes, changes hands or stays locked.
abstract contract MoneyTest is Test {
    uint96 private constant BOND = 7 ether;
    uint256 private constant WEALTH = 1_000_000 ether;
    address private constant BURN = address(0xdEaD);

    TestToken private token;
    FederatedTask private task;
    TaskHandler private handler;
    address private requester = makeAddr("requester");

    // Whether the contract computes every round.
    function _onchain() internal pure virtual returns (bool);

    // What random play must reach besides what both kinds of task reach.
    function _outcomes() internal pure virtual returns (string[] memory);

    function setUp() public {
        _begin();
        FuzzSelector memory target = FuzzSelector(address(handler), handler.selectors());
        targetSelector(target);
        targetContract(address(handler));
    }

    function invariant_every_unit_is_in_one_place() public view {
        address[] memory everybody = handler.everybody();
        uint256 held = uint256(task.pool()) + task.forfeited();
        for (uint256 i; i < everybody.length; ++i) {
            held += task.balances(everybody[i]) + task.memberOf(everybody[i]).stake;
        }
        for (uint32 r = 1; r <= task.round(); ++r) {
            IFederatedTask.Round memory round = task.roundOf(r);
            held += uint256(round.budget) + round.forfeits;
            if (round.status == IFederatedTask.RoundStatus.Posted) held += BOND;
            if (round.status == IFederatedTask.RoundStatus.Challenged) held += 2 * BOND;
            if (round.status >= IFederatedTask.RoundStatus.Paid) assertEq(round.budget + round.forfeits, 0);
        }
        assertEq(token.balanceOf(address(task)), held);
    }

    function invariant_the_events_tell_the_whole_story() public view {
        address[] memory everybody = handler.everybody();
        int256 held = handler.bookedPool() + handler.bookedForfeited();
        held += handler.bookedBudgets() + handler.bookedBonds();
        for (uint256 i; i < everybody.length; ++i) {
            address owner = everybody[i];
            int256 due = handler.owed(owner) + handler.bookedStake(owner);
            held += due;
            assertEq(int256(task.balances(owner) + task.memberOf(owner).stake), due, "what somebody is owed");
        }
        assertEq(int256(uint256(task.pool())), handler.bookedPool(), "pool");
        assertEq(int256(uint256(task.forfeited())), handler.bookedForfeited(), "forfeited");
        assertEq(int256(token.balanceOf(address(task))), held, "balance");
        assertEq(handler.mistakeCount(), 0, handler.mistakeCount() == 0 ? "" : handler.mistakes(0));
    }

    function invariant_the_requester_gets_back_no_more_than_it_paid_in() public view {
        uint256 unspent = task.pool();
        for (uint32 r = 1; r <= task.round(); ++r) {
            unspent += task.roundOf(r).budget;
        }
        assertLe(int256(unspent) + handler.refunded(), handler.funded());
    }

    function invariant_final_rounds_are_exactly_those_in_a_row() public view {
        uint32 finalRounds = task.finalRounds();
        for (uint32 r = 1; r <= finalRounds; ++r) {
            assertGe(uint8(task.roundOf(r).status), uint8(IFederatedTask.RoundStatus.Paid));
        }
        if (finalRounds < task.round()) {
            assertLt(uint8(task.roundOf(finalRounds + 1).status), uint8(IFederatedTask.RoundStatus.Paid));
        }
    }

    function invariant_every_member_has_a_seat_of_its_own() public view {
        address[] memory seats = task.members();
        uint256 taken;
        for (uint256 i; i < seats.length; ++i) {
            if (task.memberOf(seats[i]).position == i + 1) ++taken;
        }
        assertEq(taken, task.activeMembers());
        assertLe(seats.length, 5);
    }

    function invariant_reveals_and_commitments_are_counted() public view {
        address[] memory everybody = handler.everybody();
        uint32 newest = task.round();
        uint256 committed;
        uint256 revealed;
        for (uint256 i; i < everybody.length; ++i) {
            IFederatedTask.Member memory member = task.memberOf(everybody[i]);
            if (newest != 0 && member.committedRound == newest) ++committed;
            if (task.hasRevealed(newest, everybody[i])) ++revealed;
        }
        IFederatedTask.Round memory round = task.roundOf(newest);
        if (round.status != IFederatedTask.RoundStatus.Open) return; // later, members may have left or been slashed
        assertEq(revealed, round.revealed);
        assertLe(committed, round.committed);
        assertLe(round.revealed, round.committed);
        for (uint32 r = 1; r <= newest; ++r) {
            assertLe(task.roundOf(r).published, task.roundOf(r).revealed);
        }
    }

    function invariant_no_two_rounds_that_are_not_closed_share_a_lane() public view {
        uint256 taken;
        for (uint32 r = 1; r <= task.round(); ++r) {
            IFederatedTask.Round memory round = task.roundOf(r);
            if (round.status >= IFederatedTask.RoundStatus.Paid) continue;
            assertEq(taken & 1 << round.lane, 0);
            taken |= 1 << round.lane;
        }
    }

    /// @dev Runs at the end of every random sequence.
    function afterInvariant() public {
        _drain();
        assertEq(token.balanceOf(address(task)), 0, "nothing is locked");
    }

    function test_random_play_reaches_every_outcome_and_can_always_be_drained() public {
        string[19] memory common = [
            "joined by relay",
            "took a vacant seat",
            "left",
            "deselected",
            "extended",
            "committed to what cannot be opened",
            "revealed in full",
            "missing slashed",
            "missing slashed late",
            "debt settled by committing",
            "debt settled by leaving",
            "opened with forfeits",
            "calibrated",
            "paid",
            "paid after steps",
            "unearned",
            "recorded",
            "voided",
            "withdrawn"
        ];
        string[] memory special = _outcomes();
        string[] memory outcomes = new string[](common.length + special.length);
        for (uint256 i; i < outcomes.length; ++i) {
            outcomes[i] = i < common.length ? common[i] : special[i - common.length];
        }
        uint256[] memory reached = new uint256[](outcomes.length);
        uint256 burnt;
        for (uint256 game; game < 20; ++game) {
            _begin();
            bytes4[] memory selectors = handler.selectors();
            for (uint256 step; step < 400; ++step) {
                uint256 word = uint256(keccak256(abi.encode(game, step)));
                (bool done,) = address(handler).call(abi.encodeWithSelector(selectors[word % selectors.length], word));
                done;
            }
            invariant_every_unit_is_in_one_place();
            invariant_the_events_tell_the_whole_story();
            invariant_the_requester_gets_back_no_more_than_it_paid_in();
            invariant_every_member_has_a_seat_of_its_own();
            invariant_reveals_and_commitments_are_counted();
            invariant_no_two_rounds_that_are_not_closed_share_a_lane();
            for (uint256 i; i < outcomes.length; ++i) {
                reached[i] += handler.times(outcomes[i]);
            }
            _drain();
            assertEq(token.balanceOf(address(task)), 0, "nothing is locked");
            burnt += token.balanceOf(BURN) - WEALTH;
        }
        for (uint256 i; i < outcomes.length; ++i) {
            emit log_named_uint(outcomes[i], reached[i]);
        }
        for (uint256 i; i < outcomes.length; ++i) {
            assertGt(reached[i], 0, outcomes[i]);
        }
        assertGt(burnt, 0, "burnt");
    }

    function _begin() private {
        token = Shipped.testToken();
        IFederatedTask.Settings memory s;
        s.token = address(token);
        s.scorer = address(Shipped.weightedPeerTruthSerumScorer(3, 6, 1));
        s.schedule = address(Shipped.proportional(0));
        s.minimumStake = 10 ether;
        s.bond = BOND;
        s.slashPerScore = 3 ether;
        s.slashFloor = 0.1 ether;
        s.minimumMembers = 2;
        s.maximumMembers = 5;
        s.commitSeconds = 100;
        s.revealSeconds = 100;
        s.settleSeconds = 150;
        s.challengeSeconds = 200;
        s.missingSlashBps = 1_500;
        s.lateJoin = true;
        s.onchain = _onchain();
        Reputation reputation = Shipped.reputation();
        s.reputation = address(reputation);
        vm.prank(requester);
        task = Shipped.federatedTask(s);
        reputation.authorise(address(task));

        uint256[] memory keys = new uint256[](6);
        for (uint256 i; i < keys.length; ++i) {
            keys[i] = uint256(keccak256(abi.encode("member", i)));
            for (uint256 j = i; j > 0 && vm.addr(keys[j - 1]) > vm.addr(keys[j]); --j) {
                (keys[j - 1], keys[j]) = (keys[j], keys[j - 1]);
            }
        }
        address[] memory bystanders = new address[](3);
        (bystanders[0], bystanders[1], bystanders[2]) = (makeAddr("poster"), makeAddr("challenger"), makeAddr("both"));
        handler = new TaskHandler(task, keys, bystanders);
        address[] memory everybody = handler.everybody();
        token.mint(everybody, WEALTH);
        for (uint256 i = keys.length; i < everybody.length; ++i) {
            vm.prank(everybody[i]);
            token.approve(address(task), type(uint256).max);
        }
        handler.initialize(4, 401 ether);
    }

    // What anyone may call, and the members' and the requester's own calls, once enough time has passed.
    function _drain() private {
        for (uint32 r = 1; r <= task.round(); ++r) {
            IFederatedTask.Round memory round = task.roundOf(r);
            if (round.status >= IFederatedTask.RoundStatus.Paid) continue;
            vm.warp(vm.getBlockTimestamp() + 1_000);
            if (round.status == IFederatedTask.RoundStatus.Posted) {
                handler.payPosted(r);
            } else {
                task.voidRound(r);
            }
        }
        if (task.status() != IFederatedTask.TaskStatus.Completed) {
            vm.warp(vm.getBlockTimestamp() + 1_000);
            if (task.round() == 0) vm.prank(requester);
            task.completeTask();
        }
        address[] memory everybody = handler.everybody();
        for (uint256 i; i < everybody.length; i += 2) {
            if (task.memberOf(everybody[i]).position == 0) continue;
            vm.prank(everybody[i]);
            task.removeWorker();
        }
        task.withdraw(everybody);
    }
}

/// @title Random play in a task whose scores are posted.
contract OptimisticMoneyTest is MoneyTest {
    function _onchain() internal pure override returns (bool) {
        return false;
    }

    function _outcomes() internal pure override returns (string[] memory outcomes) {
        outcomes = new string[](8);
        outcomes[0] = "bond from a balance";
        outcomes[1] = "challenged";
        outcomes[2] = "upheld";
        outcomes[3] = "overturned";
        outcomes[4] = "score slashed";
        outcomes[5] = "voided as posted";
        outcomes[6] = "voided in dispute";
        outcomes[7] = "completed";
    }
}

/// @title Random play in a task that computes every score.
contract OnchainMoneyTest is MoneyTest {
    function _onchain() internal pure override returns (bool) {
        return true;
    }

    function _outcomes() internal pure override returns (string[] memory outcomes) {
        outcomes = new string[](2);
        outcomes[0] = "voided after steps";
        outcomes[1] = "completed";
    }
}
