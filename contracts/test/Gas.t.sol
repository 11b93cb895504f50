// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Vm} from "forge-std/Vm.sol";

import {FederatedTask} from "../FederatedTask.sol";
import {AllowList} from "../admissions/AllowList.sol";
import {Invitations} from "../admissions/Invitations.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {Reputation} from "../Reputation.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title What each operation costs, as a transaction of its own: base fee, calldata and refunds included.
/// forge-config: default.isolate = true
contract GasTest is TaskTest {
    uint256 private constant CLASSES = 10;
    uint256 private constant DEVIATIONS = 3;
    uint256 private constant MOST_IN_ONE_TRANSACTION = 16_777_216; // EIP-7825
    /// @dev Labels to process in one step, so that it stays below that.
    uint256 private constant WORK = 110_000;

    bool private onchain;
    address private admission;
    Reputation private reputation = Shipped.reputation();

    function setUp() public override {
        super.setUp();
        _makePeople(100 - people.length);
        _use(500);
    }

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.maximumMembers = 400;
        s.onchain = onchain;
        s.reputation = address(reputation);
        s.admission = admission;
    }

    function _deploy(IFederatedTask.Settings memory s) internal override returns (FederatedTask deployed) {
        deployed = super._deploy(s);
        reputation.authorise(address(deployed));
    }

    function test_gas_of_joining() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 size = 1; size <= 100; size *= 10) {
            vm.revertToState(snapshot);
            IFederatedTask.JoinRequest[] memory requests = new IFederatedTask.JoinRequest[](size);
            for (uint256 i; i < size; ++i) {
                requests[i] = _signJoin(task, token, keys[people[i]], STAKE, SAMPLES, block.timestamp);
            }
            task.joinTaskFor(requests);
            _snap(string.concat("joinTaskFor, batch of ", vm.toString(size)));
        }
        vm.revertToState(snapshot);
        _join(people[0]);
        _snap("joinTask");
        vm.prank(people[0]);
        task.removeWorker();
        _snap("removeWorker");
    }

    function test_gas_of_joining_by_allow_list() public {
        for (uint256 size = 16; size <= 4096; size *= 16) {
            bytes32 node = keccak256(bytes.concat(keccak256(abi.encode(people[0]))));
            bytes memory proof;
            for (uint256 level = 1; level < size; level *= 2) {
                bytes32 sibling = keccak256(abi.encode(level));
                node = Hashes.commutativeKeccak256(node, sibling);
                proof = bytes.concat(proof, sibling);
            }
            admission = address(Shipped.allowList(node));
            _snapJoining(string.concat("joinTask, allow-list of ", vm.toString(size)), proof);
        }
    }

    function test_gas_of_joining_by_invitation() public {
        (address inviter, uint256 key) = makeAddrAndKey("inviter");
        admission = address(Shipped.invitations(inviter, "study"));
        bytes32 typeHash =
            keccak256("Invitation(string purpose,address task,address participant,uint256 departures,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, keccak256("study"), address(0), people[0], 0, block.timestamp));
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId)"),
                keccak256("Invitations"),
                keccak256("1"),
                block.chainid
            )
        );
        (bytes32 r, bytes32 vs) = vm.signCompact(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        _snapJoining("joinTask, invitation", abi.encode(address(0), block.timestamp, r, vs));
    }

    function _snapJoining(string memory name, bytes memory proof) private {
        task = _deploy(_settings());
        _fund(task);
        vm.startPrank(people[0]);
        token.approve(address(task), STAKE);
        task.joinTask(STAKE, SAMPLES, proof);
        vm.stopPrank();
        _snap(name);
    }

    function test_gas_of_opening_a_round() public {
        _start(100);
        _snap("startTask");
        vm.prank(requester);
        task.nextRound(new uint256[](0), 0);
        _snap("nextRound, 100 members");
    }

    function test_gas_of_committing_directly() public {
        _start(10);
        _commit(0, _open());
        _snap("commit");
    }

    function test_gas_of_committing_by_relay() public {
        _start(100);
        uint32 round = _open();
        uint256 snapshot = vm.snapshotState();
        for (uint256 size = 10; size <= 100; size *= 10) {
            vm.revertToState(snapshot);
            IFederatedTask.CommitRequest[] memory requests = new IFederatedTask.CommitRequest[](size);
            for (uint256 i; i < size; ++i) {
                requests[i] = _signCommit(task, keys[people[i]], round, _commitment(i, round));
            }
            task.commitFor(round, requests);
            _snap(string.concat("commitFor, batch of ", vm.toString(size)));
        }
    }

    function test_gas_of_an_undisputed_settlement() public {
        _start(10);
        uint32 round = _playToReveal(10);
        _snap("reveal, batch of 10");
        int256[] memory scores = _rightScores(10);
        _post(round, _who(10), scores);
        _snap("postScores, 10 participants");
        skip(CHALLENGE + 1);
        _pay(round, _who(10), scores);
        _snap("distributeRewards, 10 participants");
        task.withdraw(_list(people[0]));
        _snap("withdraw, 1 owner");
        vm.prank(requester);
        task.completeTask();
        _snap("completeTask");
        task.withdraw(_who(10));
        _snap("withdraw, 10 owners");
    }

    function test_gas_of_revealing_a_report() public {
        _start(2);
        uint32 round = _open();
        _commitAll(2, round);
        _revealReport(0, round);
        _snap("revealReport, 500 labels");
    }

    function test_payment_of_400_fits_into_one_transaction() public {
        _makePeople(400 - people.length);
        uint256 snapshot = vm.snapshotState();
        for (uint256 size = 100; size <= 400; size *= 2) {
            vm.revertToState(snapshot);
            _start(size);
            uint32 round = _playToReveal(size);
            int256[] memory scores = new int256[](size);
            for (uint256 i; i < size; ++i) {
                scores[i] = 1 + int256(uint256(keccak256(abi.encode(i))) % 1 ether);
            }
            string memory participants = string.concat(vm.toString(size), " participants");
            _post(round, _who(size), scores);
            assertLt(_snap(string.concat("postScores, ", participants)), MOST_IN_ONE_TRANSACTION);
            skip(CHALLENGE + 1);
            _pay(round, _who(size), scores);
            assertLt(_snap(string.concat("distributeRewards, ", participants)), MOST_IN_ONE_TRANSACTION);
        }
    }

    function test_gas_of_settling_10_reports_of_500_labels() public {
        _settle(10, 500);
    }

    function test_gas_of_settling_10_reports_of_2000_labels() public {
        _settle(10, 2_000);
    }

    function test_gas_of_settling_50_reports_of_2000_labels() public {
        _settle(50, 2_000);
    }

    function test_payment_of_400_computed_scores_fits_into_one_transaction() public {
        _makePeople(400 - people.length);
        onchain = true;
        _use(64);
        _start(400);
        uint32 round = _playToReveal(400);
        _publishAll(400, round);
        (, uint256 largest) = _compute(round, 400, new int256[](0), new uint256[](0), 50_000);
        vm.snapshotValue("FederatedTask", "computeScores, onchain, 400 reports of 64 labels, largest step", largest);
        assertLt(largest, MOST_IN_ONE_TRANSACTION);
    }

    function test_gas_of_recording_reputations() public {
        _start(100);
        uint32 round = _playToReveal(100);
        int256[] memory scores = _rightScores(100);
        uint256[] memory qualities = _rightQualities(100);
        _post(round, _who(100), scores, qualities);
        skip(CHALLENGE + 1);
        task.distributeRewards(round, _who(100), scores, qualities, "");
        uint256 snapshot = vm.snapshotState();
        for (uint32 size = 10; size <= 100; size *= 10) {
            vm.revertToState(snapshot);
            task.recordReputation(round, _who(100), scores, qualities, size);
            _snap(string.concat("recordReputation, ", vm.toString(size), " participants of 100, new"));
        }
    }

    function test_gas_of_slashing_and_voiding() public {
        _start(10);
        uint32 round = _open();
        _commitAll(10, round);
        _reveal(1, round);
        skip(COMMIT + REVEAL + SETTLE + 1);
        task.slashMissing(round, _list(people[0]));
        _snap("slashMissing, 1 member");
        task.voidRound(round);
        _snap("voidRound");
    }

    // Once by a challenge, once with the contract computing in any case.
    function _settle(uint256 reports, uint256 labels) private {
        string memory size = string.concat(vm.toString(reports), " reports of ", vm.toString(labels), " labels");
        _use(labels);
        _start(reports);
        uint32 round = _playToReveal(reports);
        int256[] memory scores = _rightScores(reports);
        uint256[] memory qualities = _rightQualities(reports);
        _post(round, _who(reports), scores, qualities);
        _challenge(round);
        if (reports == 10 && labels == 500) _snap("challenge");
        _publishReports(reports, labels, round, size);
        _snapSteps(string.concat("challenged, ", size), round, reports, scores, qualities);
        assertEq(task.balances(requester), 2 * BOND, "upheld");

        onchain = true;
        _use(labels);
        _start(reports);
        round = _playToReveal(reports);
        _publishReports(reports, labels, round, size);
        _snapSteps(string.concat("onchain, ", size), round, reports, new int256[](0), new uint256[](0));
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function _publishReports(uint256 reports, uint256 labels, uint32 round, string memory size) private {
        uint256 total;
        for (uint256 i; i < reports; ++i) {
            _publish(i, round);
            total += vm.lastCallGas().gasTotalUsed;
            if (reports == 10 && i == 0) _snap(string.concat("publishReport, ", vm.toString(labels), " labels"));
        }
        vm.snapshotValue("FederatedTask", string.concat("publishReport, all of ", size), total);
    }

    function _snapSteps(
        string memory name,
        uint32 round,
        uint256 reports,
        int256[] memory scores,
        uint256[] memory qualities
    ) private {
        (uint256 total, uint256 largest) = _compute(round, reports, scores, qualities, WORK);
        vm.snapshotValue("FederatedTask", string.concat("computeScores, ", name, ", all steps"), total);
        vm.snapshotValue("FederatedTask", string.concat("computeScores, ", name, ", largest step"), largest);
        assertLt(largest, MOST_IN_ONE_TRANSACTION);
    }

    function _compute(
        uint32 round,
        uint256 reports,
        int256[] memory scores,
        uint256[] memory qualities,
        uint256 work
    ) private returns (uint256 total, uint256 largest) {
        address[] memory who = _who(reports);
        bytes memory progress;
        vm.recordLogs();
        while (task.roundOf(round).status != IFederatedTask.RoundStatus.Paid) {
            task.computeScores(round, who, scores, qualities, "", progress, work);
            uint256 used = vm.lastCallGas().gasTotalUsed;
            total += used;
            if (used > largest) largest = used;
            Vm.Log[] memory logs = vm.getRecordedLogs();
            if (logs[0].topics[0] == IFederatedTask.ScoringProgressed.selector) {
                progress = abi.decode(logs[0].data, (bytes));
            }
        }
    }

    function _use(uint256 labels) private {
        scorer = Shipped.weightedPeerTruthSerumScorer(CLASSES, labels, DEVIATIONS);
        task = _deploy(_settings());
        _fund(task);
    }

    function _rightQualities(uint256 members) internal view override returns (uint256[] memory qualities) {
        (, qualities) = scorer.score(_reports(members), plainFacts(new uint64[](members), "", 0));
    }

    // The truth, but for one label in five.
    function _report(uint256 i) internal view override returns (bytes memory report) {
        report = new bytes(scorer.tasks());
        for (uint256 t; t < report.length; ++t) {
            uint256 label = (t + i) % 5 == 0 ? t + i : t;
            report[t] = bytes1(uint8(label % CLASSES));
        }
    }

    function _snap(string memory operation) private returns (uint256) {
        return vm.snapshotGasLastCall("FederatedTask", operation);
    }
}
