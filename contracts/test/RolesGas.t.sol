// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title What roles, judging and sealing cost, each call as a transaction of its own.
/// forge-config: default.isolate = true
contract RolesGasTest is TaskTest {

    bool private rotating;
    address private reviewed;
    address private counted;
    address private byRole;

    function setUp() public override {
        super.setUp();
        _makePeople(40 - people.length);
    }

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.assessSeconds = 100;
        if (rotating) {
            s.sealSeconds = 100;
            (s.workers, s.validators, s.miners) = (12, 5, 3);
            (s.scorer, s.schedule) = (counted, byRole);
        }
        if (reviewed != address(0)) {
            s.scorer = reviewed;
            s.onchain = true;
        }
    }

    // A sample count, of which the scorers here make something or nothing.
    function _report(uint256) internal pure override returns (bytes memory) {
        return abi.encodePacked(SAMPLES);
    }

    function _begin(uint256 members) private {
        task = _deploy(_settings());
        _fund(task);
        _start(members);
    }

    function _of(uint256 members, string memory what) private pure returns (string memory) {
        return string.concat(what, ", ", vm.toString(members), " members");
    }

    function _snap(string memory operation) private {
        vm.snapshotGasLastCall("Roles", operation);
    }

    // All but `left`.
    function _others(address[] memory who, address left, bool withReference)
        private
        view
        returns (address[] memory subjects, uint256[] memory scores)
    {
        subjects = new address[](who.length + 1);
        uint256 count;
        for (uint256 i; i < who.length; ++i) {
            if (who[i] != left) subjects[count++] = who[i];
        }
        if (withReference) subjects[count++] = address(task);
        assembly ("memory-safe") {
            mstore(subjects, count)
        }
        _sort(subjects);
        scores = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            scores[i] = 0.9 ether + i;
        }
    }

    function _sort(address[] memory list) private pure {
        for (uint256 i = 1; i < list.length; ++i) {
            for (uint256 j = i; j > 0 && list[j - 1] > list[j]; --j) {
                (list[j - 1], list[j]) = (list[j], list[j - 1]);
            }
        }
    }

    function test_gas_of_a_round_with_roles() public {
        rotating = true;
        counted = address(Shipped.roleRewardScorer(IScorer(address(0)), 1 ether, 1 ether, 0.08 ether));
        byRole = address(Shipped.byRole(12, 5, 3, 0));
        for (uint256 members = 20; members <= 40; members += 20) {
            _begin(members);
            (address[] memory order, uint256 workers, uint256 validators) = task.nextRoles();
            vm.prank(requester);
            task.nextRound(new uint256[](0), 0);
            _snap(_of(members, "nextRound, roles"));
            uint32 round = task.round();
            address[] memory working = new address[](workers);
            IFederatedTask.Reveal[] memory openings = new IFederatedTask.Reveal[](workers);
            for (uint256 k; k < workers; ++k) {
                working[k] = order[k];
                uint256 i = _indexOf(order[k]);
                _commit(i, round);
                openings[k] = _opening(i, round);
            }
            _reveal(round, openings);
            IFederatedTask.ScoreRequest[] memory judged = new IFederatedTask.ScoreRequest[](validators);
            for (uint256 k; k < validators; ++k) {
                address validator = order[workers + k];
                (address[] memory subjects, uint256[] memory scores) = _others(working, address(0), true);
                judged[k] = _signScores(task, keys[validator], round, subjects, scores);
            }
            task.submitScoreFor(round, judged);
            _snap(string.concat(_of(members, "submitScoreFor, all validators"), ", marks each: ", vm.toString(workers + 1)));
            IFederatedTask.SealRequest[] memory seals =
                new IFederatedTask.SealRequest[](members - workers - validators);
            for (uint256 k; k < seals.length; ++k) {
                seals[k] = _signSeal(task, keys[order[workers + validators + k]], round, WRONG);
            }
            task.attestFor(round, seals);
            _snap(_of(members, "attestFor, all miners"));
            assertEq(task.roundOf(round).aggregate, WRONG);
            _settleRoles(round, members);
        }
    }

    // As posted, and as computed when somebody challenges.
    function _settleRoles(uint32 round, uint256 members) private {
        (int256[] memory scores, uint256[] memory qualities) = (new int256[](members), new uint256[](members));
        for (uint256 i; i < members; ++i) {
            (scores[i], qualities[i]) = (1 ether, 1 ether);
        }
        _post(round, _who(members), scores, qualities);
        _snap(_of(members, "postScores, roles"));
        uint256 posted = vm.snapshotState();
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(members), scores, qualities, "");
        _snap(_of(members, "distributeRewards, by role"));
        vm.revertToState(posted);
        _challenge(round);
        for (uint256 i; i < members; ++i) {
            if (task.hasRevealed(round, people[i])) _publish(i, round);
        }
        task.computeScores(round, _who(members), scores, qualities, "", "", type(uint256).max);
        _snap(_of(members, "computeScores, challenged, roles"));
    }

    function test_gas_of_a_round_of_peer_review() public {
        reviewed = address(Shipped.peerReviewScorer(0.7 ether, 0));
        for (uint256 members = 5; members <= 20; members *= 2) {
            _begin(members);
            uint32 round = _open();
            _commitAll(members, round);
            uint256 published;
            for (uint256 i; i < members; ++i) {
                _revealReport(i, round);
                published += vm.lastCallGas().gasTotalUsed;
            }
            vm.snapshotValue("Roles", _of(members, "revealReport, all, 8 bytes each"), published);
            for (uint256 i; i < members; ++i) {
                (address[] memory subjects, uint256[] memory scores) = _others(_who(members), people[i], false);
                vm.prank(people[i]);
                task.submitScore(round, subjects, scores);
                if (i == 0) _snap(_of(members, "submitScore of one"));
            }
            task.submitRoundTopK(round, _who(members), 3);
            _snap(_of(members, "submitRoundTopK, peer review"));
        }
    }

    function _indexOf(address who) private view returns (uint256 i) {
        while (people[i] != who) {
            ++i;
        }
    }
}
