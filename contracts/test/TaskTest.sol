// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";

import {FederatedTask} from "../FederatedTask.sol";
import {TestToken} from "../TestToken.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {PeerTruthSerum} from "../libraries/PeerTruthSerum.sol";
import {WeightedPeerTruthSerum} from "../libraries/WeightedPeerTruthSerum.sol";
import {Proportional} from "../schedules/Proportional.sol";
import {CheckedReports} from "../scorers/CheckedReports.sol";
import {PeerTruthSerumScorer} from "../scorers/PeerTruthSerumScorer.sol";
import {Shipped} from "./Shipped.sol";
import {Signer} from "./Signer.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title The set-up of the task's tests: a funded task, people with keys and reports, and the steps of a round.
/// @dev `people` are in ascending order of address, as a posting needs them. In set-ups with four members the first
///      three report the truth and the fourth a constant.
abstract contract TaskTest is Test, Signer {
    uint96 internal constant STAKE = 100 ether;
    uint96 internal constant BOND = 20 ether;
    uint96 internal constant POOL = 900 ether;
    uint96 internal constant WEALTH = 10_000 ether;
    uint32 internal constant ROUNDS = 3;
    uint32 internal constant COMMIT = 100;
    uint32 internal constant REVEAL = 200;
    uint32 internal constant SETTLE = 300;
    uint32 internal constant CHALLENGE = 400;
    uint16 internal constant MISSING_BPS = 1_000;
    uint64 internal constant SAMPLES = 500;
    bytes32 internal constant WRONG = keccak256("wrong");
    address internal constant BURN = address(0xdEaD);

    TestToken internal token;
    CheckedReports internal scorer;
    Proportional internal schedule;
    FederatedTask internal task;

    address internal requester = makeAddr("requester");
    address internal challenger = makeAddr("challenger");
    address internal stranger = makeAddr("stranger");
    address[] internal people;
    mapping(address person => uint256) internal keys;

    function setUp() public virtual {
        token = Shipped.testToken();
        scorer = _makeScorer();
        schedule = Shipped.proportional(0);
        _makePeople(6);
        task = _deploy(_settings());
        _fund(task);
    }

    function _makeScorer() internal virtual returns (CheckedReports) {
        return Shipped.peerTruthSerumScorer(3, 12);
    }

    // The parameters of the task, for a test to change.
    function _settings() internal view virtual returns (IFederatedTask.Settings memory s) {
        s.token = address(token);
        s.scorer = address(scorer);
        s.schedule = address(schedule);
        s.minimumStake = STAKE;
        s.bond = BOND;
        s.slashPerScore = 10 ether;
        s.slashFloor = 0.01 ether;
        s.minimumMembers = 2;
        s.maximumMembers = 300;
        s.commitSeconds = COMMIT;
        s.revealSeconds = REVEAL;
        s.settleSeconds = SETTLE;
        s.challengeSeconds = CHALLENGE;
        s.missingSlashBps = MISSING_BPS;
    }

    function _deploy(IFederatedTask.Settings memory s) internal virtual returns (FederatedTask deployed) {
        vm.prank(requester);
        deployed = Shipped.federatedTask(s);
    }

    // Add people, with money, in order.
    function _makePeople(uint256 count) internal {
        for (uint256 i = people.length; count > 0; (++i, --count)) {
            uint256 key = uint256(keccak256(abi.encode("person", i)));
            address person = vm.addr(key);
            keys[person] = key;
            people.push(person);
            for (uint256 j = i; j > 0 && people[j - 1] > people[j]; --j) {
                (people[j - 1], people[j]) = (people[j], people[j - 1]);
            }
        }
        token.mint(people, WEALTH);
        token.mint(_list(requester, challenger), WEALTH);
        _approve(challenger);
    }

    function _approve(address owner) internal {
        if (address(task) == address(0)) return;
        vm.prank(owner);
        token.approve(address(task), type(uint256).max);
    }

    function _fund(FederatedTask funded) internal {
        vm.startPrank(requester);
        token.approve(address(funded), type(uint256).max);
        funded.initializeTask("terms", ROUNDS, POOL);
        vm.stopPrank();
        _approve(challenger);
    }

    function _join(address person) internal {
        vm.startPrank(person);
        token.approve(address(task), STAKE);
        task.joinTask(STAKE, SAMPLES, "");
        vm.stopPrank();
    }

    function _start(uint256 members) internal {
        for (uint256 i; i < members; ++i) {
            _join(people[i]);
        }
        vm.prank(requester);
        task.startTask();
    }

    function _open() internal returns (uint32) {
        vm.prank(requester);
        task.nextRound(new uint256[](0), _commitmentToCalibration());
        return task.round();
    }

    // What the requester commits to with a round, for a test to change.
    function _commitmentToCalibration() internal view virtual returns (bytes32) {
        return 0;
    }

    function _report(uint256 i) internal view virtual returns (bytes memory) {
        if (i == 3) return hex"000000000000000000000000";
        return hex"000102000102000102000102";
    }

    function _digest(address person, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode("content", person, round));
    }

    function _salt(address person, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", person, round));
    }

    function _payload(uint256 i, uint32 round) internal view returns (bytes32) {
        return keccak256(abi.encode(_digest(people[i], round), keccak256(_report(i))));
    }

    function _commitment(uint256 i, uint32 round) internal view returns (bytes32) {
        return keccak256(
            abi.encode(block.chainid, address(task), round, people[i], _payload(i, round), _salt(people[i], round))
        );
    }

    function _commit(uint256 i, uint32 round) internal {
        bytes32 commitment = _commitment(i, round);
        vm.prank(people[i]);
        task.commit(round, commitment);
    }

    function _commitAll(uint256 members, uint32 round) internal {
        for (uint256 i; i < members; ++i) {
            _commit(i, round);
        }
    }

    function _opening(uint256 i, uint32 round) internal view returns (IFederatedTask.Reveal memory) {
        return IFederatedTask.Reveal({
            participant: people[i],
            contentDigest: _digest(people[i], round),
            reportHash: keccak256(_report(i)),
            salt: _salt(people[i], round)
        });
    }

    function _openings(uint256 members, uint32 round) internal view returns (IFederatedTask.Reveal[] memory openings) {
        openings = new IFederatedTask.Reveal[](members);
        for (uint256 i; i < members; ++i) {
            openings[i] = _opening(i, round);
        }
    }

    function _reveal(uint256 i, uint32 round) internal {
        IFederatedTask.Reveal[] memory openings = new IFederatedTask.Reveal[](1);
        openings[0] = _opening(i, round);
        _reveal(round, openings);
    }

    function _reveal(uint32 round, IFederatedTask.Reveal[] memory openings) internal {
        vm.prank(requester);
        task.reveal(round, openings);
    }

    function _revealReport(uint256 i, uint32 round) internal {
        task.revealReport(round, people[i], _digest(people[i], round), _report(i), _salt(people[i], round));
    }

    // A round in which the first `members` people commit and reveal, up to where scores can be posted.
    function _playToReveal(uint256 members) internal returns (uint32 round) {
        round = _open();
        _commitAll(members, round);
        _reveal(round, _openings(members, round));
    }

    function _who(uint256 members) internal view returns (address[] memory who) {
        who = new address[](members);
        for (uint256 i; i < members; ++i) {
            who[i] = people[i];
        }
    }

    function _reports(uint256 members) internal view returns (bytes[] memory reports) {
        reports = new bytes[](members);
        for (uint256 i; i < members; ++i) {
            reports[i] = _report(i);
        }
    }

    function _rightScores(uint256 members) internal view returns (int256[] memory scores) {
        (scores,) = _score(members, "");
    }

    function _score(uint256 members, bytes memory calibration)
        internal
        view
        returns (int256[] memory, uint256[] memory)
    {
        return scorer.score(_reports(members), plainFacts(new uint64[](members), calibration, 0));
    }

    // Without a call, so that a test can expect something of the next one.
    function _rightQualities(uint256 members) internal view virtual returns (uint256[] memory qualities) {
        bytes[] memory reports = _reports(members);
        qualities = new uint256[](members);
        if (members == 0) return qualities;
        WeightedPeerTruthSerum.countAgreements(reports, PeerTruthSerum.equal(members), 3, 0, qualities);
        for (uint256 i; i < members; ++i) {
            qualities[i] = qualities[i] * 1 ether / reports[0].length;
        }
    }

    // A posting that gives everything to the member that reported a constant.
    function _falseScores(uint256 members) internal pure returns (int256[] memory scores) {
        scores = new int256[](members);
        scores[members - 1] = 1 ether;
    }

    // With the right qualities, if it is about the first people.
    function _post(uint32 round, address[] memory who, int256[] memory scores) internal {
        _post(round, who, scores, _rightQualities(who.length));
    }

    function _post(uint32 round, address[] memory who, int256[] memory scores, uint256[] memory qualities) internal {
        vm.prank(requester);
        task.postScores(round, who, scores, qualities, "", 0);
    }

    // What was posted with the right qualities.
    function _pay(uint32 round, address[] memory who, int256[] memory scores) internal {
        task.distributeRewards(round, who, scores, _rightQualities(who.length), "");
    }

    // In one step.
    function _resolve(uint32 round, address[] memory who, int256[] memory scores) internal {
        task.computeScores(round, who, scores, _rightQualities(who.length), "", "", type(uint256).max);
    }

    function _challenge(uint32 round) internal {
        vm.prank(challenger);
        task.challenge(round);
    }

    function _publish(uint256 i, uint32 round) internal {
        task.publishReport(round, people[i], _digest(people[i], round), _report(i), _salt(people[i], round));
    }

    function _publishAll(uint256 members, uint32 round) internal {
        for (uint256 i; i < members; ++i) {
            _publish(i, round);
        }
    }

    // One step of a computation by somebody; returns the progress, empty once the round is paid.
    function _step(
        uint32 round,
        address[] memory who,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes memory calibration,
        bytes memory progress,
        uint256 work
    ) internal returns (bytes memory next) {
        vm.recordLogs();
        vm.prank(stranger);
        task.computeScores(round, who, scores, qualities, calibration, progress, work);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IFederatedTask.ScoringProgressed.selector) next = abi.decode(logs[i].data, (bytes));
        }
    }

    // A whole computation in the smallest steps; returns how many.
    function _stepThrough(
        uint32 round,
        address[] memory who,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes memory calibration
    ) internal returns (uint256 steps) {
        bytes memory progress;
        do {
            progress = _step(round, who, scores, qualities, calibration, progress, 0);
            ++steps;
        } while (progress.length > 0);
    }

    // A whole round without a dispute.
    function _playRound(uint256 members) internal returns (uint32 round) {
        round = _playToReveal(members);
        _post(round, _who(members), _rightScores(members));
        skip(CHALLENGE + 1);
        _pay(round, _who(members), _rightScores(members));
    }

    function _voidRound() internal returns (uint32 round) {
        round = _open();
        skip(COMMIT + 1);
        task.voidRound(round);
    }

    function _stakeOf(uint256 i) internal view returns (uint256) {
        return task.memberOf(people[i]).stake;
    }

    function _status(uint32 round) internal view returns (uint8) {
        return uint8(task.roundOf(round).status);
    }

    function _assertStatus(uint32 round, IFederatedTask.RoundStatus expected) internal view {
        assertEq(_status(round), uint8(expected), "status of the round");
    }

    function _list(address a) internal pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = a;
    }

    function _list(address a, address b) internal pure returns (address[] memory list) {
        list = new address[](2);
        (list[0], list[1]) = (a, b);
    }

    function _list(address a, address b, address c) internal pure returns (address[] memory list) {
        list = new address[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }
}
