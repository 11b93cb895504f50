// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title What a task tells its schedule of rounds in a row that members earned in, and scores that it computes for all.
contract StreaksTest is TaskTest {
    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.streakCap = 2;
        s.missingSlashBps = 0;
    }

    // The streaks that the schedule is told when a round is paid in which `earning` of the first three score.
    function _expectStreaks(bool[3] memory earning, uint32[3] memory streaks) private {
        uint32 round = _playToReveal(3);
        int256[] memory scores = new int256[](3);
        ISchedule.Facts memory facts = ISchedule.Facts(new uint8[](3), new uint32[](3));
        for (uint256 i; i < 3; ++i) {
            if (earning[i]) scores[i] = 1 ether;
            facts.streaks[i] = streaks[i];
        }
        uint256 budget = task.roundOf(round).budget;
        _post(round, _who(3), scores);
        skip(CHALLENGE + 1);
        vm.expectCall(address(schedule), abi.encodeCall(ISchedule.split, (budget, 0, scores, facts)));
        _pay(round, _who(3), scores);
    }

    function test_streaks_grow_to_the_cap_and_end_without_pay() public {
        _start(3);
        vm.prank(requester);
        task.extendTask(3, 900 ether);
        _expectStreaks([true, true, false], [uint32(0), 0, 0]);
        _expectStreaks([true, false, true], [uint32(1), 1, 0]);
        _voidRound();
        _expectStreaks([true, true, true], [uint32(2), 0, 1]);
        _expectStreaks([true, true, true], [uint32(2), 1, 2]);
    }
}
