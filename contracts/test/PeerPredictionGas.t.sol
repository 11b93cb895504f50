// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {CheckedReports} from "../scorers/CheckedReports.sol";
import {CorrelatedAgreementScorer} from "../scorers/CorrelatedAgreementScorer.sol";
import {OutputAgreementScorer} from "../scorers/OutputAgreementScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title What a round of peer prediction costs each participant, in transactions of their own: base fee, calldata and
///        refunds included.
/// forge-config: default.isolate = true
contract PeerPredictionGasTest is TaskTest {
    uint256 private constant CLASSES = 10;
    uint256 private constant MOST_IN_ONE_TRANSACTION = 16_777_216; // EIP-7825
    /// @dev Labels to process in one step, as the package's relay asks for.
    uint256 private constant WORK = 40_000;

    bool private onchain;

    function setUp() public override {
        super.setUp();
        _makePeople(50 - people.length);
    }

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.onchain = onchain;
        s.slashFloor = 1 ether;
    }

    function test_gas_of_10_participants_with_500_tasks() public {
        _measure(10, 500);
    }

    function test_gas_of_10_participants_with_2000_tasks() public {
        _measure(10, 2_000);
    }

    function test_gas_of_50_participants_with_500_tasks() public {
        _measure(50, 500);
    }

    function test_gas_of_50_participants_with_2000_tasks() public {
        _measure(50, 2_000);
    }

    // One step has to fit into a transaction with the most tasks, classes and bonus tasks there can be.
    function test_largest_match_fits_into_one_transaction() public {
        uint256 most = (105_000 - 2 * 24_575) / uint256(15);
        vm.expectRevert(
            abi.encodeWithSelector(CorrelatedAgreementScorer.BonusTasksOutOfRange.selector, most + 1, 1, most)
        );
        Shipped.correlatedAgreementScorer(255, 24_575, most + 1, 1, 3);
        scorer = Shipped.correlatedAgreementScorer(255, 24_575, most, 1, 3);
        address[] memory stored = new address[](3);
        for (uint256 i; i < 3; ++i) {
            stored[i] = makeAddr(vm.toString(i));
            vm.etch(stored[i], bytes.concat(hex"00", _report(i)));
        }
        IScorer.Facts memory facts = plainFacts(new uint64[](3), "", keccak256("seed"));
        bytes memory progress;
        uint256 largest;
        for (bool done; !done;) {
            (done, progress,,) = scorer.resume(stored, facts, progress, 0);
            uint256 used = vm.lastCallGas().gasTotalUsed;
            if (used > largest) largest = used;
        }
        vm.snapshotValue("PeerPrediction", "resume, one match of 24575 tasks, 255 classes, 3723 bonus tasks", largest);
        assertLt(largest, MOST_IN_ONE_TRANSACTION);
    }

    // Once with scores that are posted, once with scores that the contract computes.
    function _measure(uint256 members, uint256 tasks_) private {
        string memory size = string.concat(vm.toString(members), " participants, ", vm.toString(tasks_), " tasks, ");
        scorer = Shipped.correlatedAgreementScorer(CLASSES, tasks_, tasks_, 5, 3);
        uint32 round = _begin(false, members);
        uint256 used = _commitAndReveal(round, members);
        int256[] memory scores = new int256[](members);
        uint256[] memory qualities = new uint256[](members);
        for (uint256 i; i < members; ++i) {
            (scores[i], qualities[i]) = (0.5 ether, 0.6 ether);
        }
        _post(round, _who(members), scores, qualities);
        used += vm.lastCallGas().gasTotalUsed;
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(members), scores, qualities, "");
        _snap(string.concat(size, "optimistic"), (used + vm.lastCallGas().gasTotalUsed) / members);

        scorer = Shipped.correlatedAgreementScorer(CLASSES, tasks_, 64, 1, 3);
        _snap(string.concat(size, "onchain, correlated agreement, 1 peer, 64 bonus tasks"), _onchain(members));
        scorer = Shipped.correlatedAgreementScorer(CLASSES, tasks_, tasks_, 5, 3);
        _snap(string.concat(size, "onchain, correlated agreement, 5 peers, all tasks"), _onchain(members));
        scorer = Shipped.outputAgreementScorer(CLASSES, tasks_, 1, 3);
        _snap(string.concat(size, "onchain, output agreement, 1 peer"), _onchain(members));
    }

    function _onchain(uint256 members) private returns (uint256) {
        uint32 round = _begin(true, members);
        uint256 used = _commitAndReveal(round, members);
        for (uint256 i; i < members; ++i) {
            _publish(i, round);
            used += vm.lastCallGas().gasTotalUsed;
        }
        bytes memory progress;
        vm.recordLogs();
        while (task.roundOf(round).status != IFederatedTask.RoundStatus.Paid) {
            task.computeScores(round, _who(members), new int256[](0), new uint256[](0), "", progress, WORK);
            uint256 step = vm.lastCallGas().gasTotalUsed;
            assertLt(step, MOST_IN_ONE_TRANSACTION);
            used += step;
            Vm.Log[] memory logs = vm.getRecordedLogs();
            if (logs[0].topics[0] == IFederatedTask.ScoringProgressed.selector) {
                progress = abi.decode(logs[0].data, (bytes));
            }
        }
        return used / members;
    }

    function _begin(bool onchain_, uint256 members) private returns (uint32) {
        onchain = onchain_;
        task = _deploy(_settings());
        _fund(task);
        _start(members);
        return _open();
    }

    function _commitAndReveal(uint32 round, uint256 members) private returns (uint256 used) {
        IFederatedTask.CommitRequest[] memory requests = new IFederatedTask.CommitRequest[](members);
        for (uint256 i; i < members; ++i) {
            requests[i] = _signCommit(task, keys[people[i]], round, _commitment(i, round));
        }
        task.commitFor(round, requests);
        used = vm.lastCallGas().gasTotalUsed;
        _reveal(round, _openings(members, round));
        used += vm.lastCallGas().gasTotalUsed;
    }

    // The truth, but for one label in five.
    function _report(uint256 i) internal view override returns (bytes memory report) {
        (uint256 length, uint256 classes) = (scorer.tasks(), scorer.classes());
        report = new bytes(length);
        for (uint256 t; t < length; ++t) {
            uint256 label = (t + i) % 5 == 0 ? t * 7 + i : t * t;
            report[t] = bytes1(uint8(label % classes));
        }
    }

    function _snap(string memory what, uint256 gas) private {
        vm.snapshotValue("PeerPrediction", what, gas);
    }
}
