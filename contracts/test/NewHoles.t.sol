// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {PeerTruthSerumScorer} from "../scorers/PeerTruthSerumScorer.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Each test states what should hold and fails today.
/// forge-config: default.isolate = true
contract NewHolesTest is TaskTest {
    function test_N1_leaving_a_completed_task_with_a_missing_reveal_locks_nothing() public {
        _start(3);
        uint32 round = _open();
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        task.voidRound(round);
        vm.prank(requester);
        task.completeTask();
        vm.prank(people[0]);
        task.removeWorker();
        task.withdraw(_who(3));
        task.withdraw(_list(requester));
        assertEq(token.balanceOf(address(task)), 0, "locked");
    }

    function test_N2_missing_reveals_of_the_last_round_can_be_slashed() public {
        _start(3);
        _voidRound();
        _voidRound();
        uint32 round = _open();
        _commitAll(3, round);
        skip(COMMIT + REVEAL + 1);
        // One transaction of a member, in the first block after the reveal deadline.
        vm.startPrank(people[0]);
        task.voidRound(round);
        task.completeTask();
        vm.stopPrank();
        task.withdraw(_who(3));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE / 10, "slashed");
    }

    function test_N3_leaving_pays_for_every_missing_reveal() public {
        _start(4);
        uint32 first = _open();
        _commitAll(4, first);
        skip(COMMIT + REVEAL + 1);
        task.voidRound(first);
        uint32 second = _open();
        _commitAll(4, second);
        _reveal(second, _openings(4, second));
        _post(second, _who(4), new int256[](4));
        skip(CHALLENGE + 1);
        task.distributeRewards(second, _who(4), new int256[](4));
        vm.prank(people[0]);
        task.removeWorker();
        task.slashMissing(first, _list(people[0]));
        assertEq(task.balances(people[0]), STAKE - STAKE / 10);
    }

    function test_N4_selection_is_of_members_not_of_seats() public {
        IFederatedTask.Settings memory s = _settings();
        s.lateJoin = true;
        task = _deploy(s);
        _fund(task);
        _start(3);
        uint32 round = _open();
        vm.prank(people[0]);
        task.removeWorker();
        _join(people[4]);
        bytes32 commitment = _commitment(4, round);
        vm.prank(people[4]);
        vm.expectPartialRevert(IFederatedTask.NotSelected.selector);
        task.commit(round, commitment);
    }

    function test_N5_dispute_fits_60() public {
        _fits(60);
    }

    function test_N5_dispute_fits_66() public {
        _fits(66);
    }

    function test_N5_dispute_fits_67() public {
        _fits(67);
    }

    function test_N5_dispute_fits_100() public {
        _fits(100);
    }

    function _fits(uint256 n) private {
        scorer = new PeerTruthSerumScorer(10, 500);
        task = _deploy(_settings());
        _makePeople(n - people.length);
        _fund(task);
        _start(n);
        uint32 round = _playToReveal(n);
        int256[] memory scores = _rightScores(n);
        _post(round, _who(n), scores);
        _challenge(round);
        _publishAll(n, round);
        task.resolveChallenge(round, _who(n), scores);
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint("resolveChallenge", gas);
        assertLt(gas, 16_777_216);
    }

    function _report(uint256 i) internal view override returns (bytes memory report) {
        if (scorer.tasks() == 12) return super._report(i);
        report = new bytes(scorer.tasks());
        for (uint256 t; t < report.length; ++t) {
            report[t] = bytes1(uint8(((t + i) % 5 == 0 ? t + i : t) % 10));
        }
    }
}
