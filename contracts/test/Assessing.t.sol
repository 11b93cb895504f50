// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Members that say what others' contributions are worth, where everybody contributes.
contract AssessingTest is TaskTest {
    uint32 private constant ASSESS = 150;

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.assessSeconds = ASSESS;
    }

    function setUp() public override {
        super.setUp();
        _start(4);
    }

    // The scores that a person gives the other three of four.
    function _marks(uint256 i) private view returns (address[] memory subjects, uint256[] memory scores) {
        (subjects, scores) = (new address[](3), new uint256[](3));
        for ((uint256 j, uint256 k) = (0, 0); j < 4; ++j) {
            if (j == i) continue;
            (subjects[k], scores[k]) = (people[j], 0.1 ether * (4 * i + j));
            if (scores[k] > 1 ether) scores[k] = 1 ether;
            ++k;
        }
    }

    function _submit(uint256 i, uint32 round) private {
        (address[] memory subjects, uint256[] memory scores) = _marks(i);
        vm.prank(people[i]);
        task.submitScore(round, subjects, scores);
    }

    function _refuse(bytes memory refusal, address who, uint32 round, address[] memory subjects, uint256[] memory scores)
        private
    {
        vm.expectRevert(refusal);
        vm.prank(who);
        task.submitScore(round, subjects, scores);
    }

    function test_submissions_can_be_read_as_they_were_made() public {
        uint32 round = _playToReveal(4);
        _submit(2, round);
        _submit(0, round);
        IFederatedTask.Submission[] memory found = task.getSubmissions();
        assertEq(found.length, 2);
        for (uint256 f; f < 2; ++f) {
            uint256 i = found[f].participant == people[0] ? 0 : 2;
            assertEq(found[f].participant, people[i]);
            (address[] memory subjects, uint256[] memory scores) = _marks(i);
            assertEq(found[f].subjects, subjects);
            assertEq(found[f].scores, scores);
        }
        assertEq(task.roundOf(round).assessed, 2);
    }

    function testFuzz_marks_of_any_number_come_back(uint64[3] memory raw, uint8 kept) public {
        uint32 round = _playToReveal(4);
        uint256 count = kept % 4;
        (address[] memory subjects, uint256[] memory scores) = (new address[](count), new uint256[](count));
        for (uint256 k; k < count; ++k) {
            (subjects[k], scores[k]) = (people[k], raw[k] % (1 ether + 1));
        }
        vm.prank(people[3]);
        task.submitScore(round, subjects, scores);
        IFederatedTask.Submission memory found = task.getSubmissions()[0];
        assertEq(found.subjects, subjects);
        assertEq(found.scores, scores);
    }

    function test_signed_scores_are_taken_from_anybody_once() public {
        uint32 round = _playToReveal(4);
        IFederatedTask.ScoreRequest[] memory requests = new IFederatedTask.ScoreRequest[](2);
        for (uint256 i; i < 2; ++i) {
            (address[] memory subjects, uint256[] memory scores) = _marks(i);
            requests[i] = _signScores(task, keys[people[i]], round, subjects, scores);
        }
        vm.expectEmit(address(task));
        emit IFederatedTask.ScoresSubmitted(round, people[0], requests[0].subjects, requests[0].scores);
        vm.startPrank(stranger);
        task.submitScoreFor(round, requests);
        task.submitScoreFor(round, requests);
        vm.stopPrank();
        assertEq(task.roundOf(round).assessed, 2);
        _refuse(
            abi.encodeWithSelector(IFederatedTask.AlreadyAssessed.selector, people[0], round),
            people[0],
            round,
            requests[0].subjects,
            requests[0].scores
        );
    }

    function test_scores_that_somebody_changed_are_refused() public {
        uint32 round = _playToReveal(4);
        (address[] memory subjects, uint256[] memory scores) = _marks(0);
        IFederatedTask.ScoreRequest[] memory requests = new IFederatedTask.ScoreRequest[](1);
        requests[0] = _signScores(task, keys[people[0]], round, subjects, scores);
        requests[0].scores[1] -= 1;
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.submitScoreFor(round, requests);
    }

    function test_bad_scores_are_refused_by_name() public {
        uint32 round = _open();
        _commitAll(3, round); // the fourth does not
        skip(COMMIT + 1);
        _reveal(round, _openings(3, round));
        (address[] memory one, uint256[] memory score) = (_list(people[1]), new uint256[](1));
        bytes memory stranger_ = abi.encodeWithSelector(IFederatedTask.NotAssessor.selector, stranger, round);
        _refuse(stranger_, stranger, round, one, score);
        bytes memory idle = abi.encodeWithSelector(IFederatedTask.NotAssessor.selector, people[3], round);
        _refuse(idle, people[3], round, one, score);
        bytes memory other = abi.encodeWithSelector(IFederatedTask.UnknownSubject.selector, people[3], round);
        _refuse(other, people[0], round, _list(people[3]), score);
        bytes memory own = abi.encodeWithSelector(IFederatedTask.OwnSubject.selector, people[1]);
        _refuse(own, people[1], round, one, score);
        bytes memory order = abi.encodeWithSelector(IFederatedTask.SubjectsNotAscending.selector, people[2], people[1]);
        _refuse(order, people[0], round, _list(people[2], people[1]), new uint256[](2));
        bytes memory twice = abi.encodeWithSelector(IFederatedTask.SubjectsNotAscending.selector, people[1], people[1]);
        _refuse(twice, people[0], round, _list(people[1], people[1]), new uint256[](2));
        bytes memory lengths = abi.encodeWithSelector(IFederatedTask.LengthMismatch.selector, 2, 1);
        _refuse(lengths, people[0], round, one, new uint256[](2));
        score[0] = 1 ether + 1;
        bytes memory bound =
            abi.encodeWithSelector(IFederatedTask.MarkOutOfBounds.selector, people[1], 1 ether + 1, 1 ether);
        _refuse(bound, people[0], round, one, score);
    }

    function test_judging_begins_after_the_reveals_and_ends_at_its_deadline() public {
        uint32 round = _open();
        _commitAll(4, round);
        _reveal(0, round);
        (address[] memory subjects, uint256[] memory scores) = (new address[](0), new uint256[](0));
        vm.expectPartialRevert(IFederatedTask.RevealPhaseOpen.selector);
        vm.prank(people[0]);
        task.submitScore(round, subjects, scores);
        _reveal(1, round);
        skip(COMMIT + REVEAL + ASSESS + 1);
        vm.expectPartialRevert(IFederatedTask.DeadlinePassed.selector);
        vm.prank(people[0]);
        task.submitScore(round, subjects, scores);
    }

    function test_nothing_is_posted_before_all_have_judged_or_the_time_is_over() public {
        uint32 round = _playToReveal(4);
        for (uint256 i; i < 3; ++i) {
            _submit(i, round);
        }
        (address[] memory who, int256[] memory right) = (_who(4), _rightScores(4));
        uint256[] memory qualities = _rightQualities(4);
        uint64 deadline = task.roundOf(round).revealDeadline + ASSESS;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AssessPhaseOpen.selector, round, deadline));
        vm.prank(requester);
        task.postScores(round, who, right, qualities, "", 0);
        uint256 snapshot = vm.snapshotState();
        _submit(3, round);
        _post(round, who, right);
        vm.revertToState(snapshot);
        vm.warp(deadline + 1);
        _post(round, who, right);
        skip(CHALLENGE + 1);
        _pay(round, who, right);
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function test_who_judged_cannot_leave_before_the_round_is_final() public {
        uint32 round = _playToReveal(4);
        _submit(0, round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RoundNotFinal.selector, round));
        vm.prank(people[0]);
        task.removeWorker();
    }

    function test_two_signed_sets_of_scores_cost_a_share_of_the_stake_once() public {
        uint32 round = _playToReveal(4);
        (address[] memory subjects, uint256[] memory scores) = _marks(0);
        IFederatedTask.ScoreRequest memory first = _signScores(task, keys[people[0]], round, subjects, scores);
        bytes memory said = _tail(subjects, scores);
        scores[0] = 0.5 ether;
        IFederatedTask.ScoreRequest memory second = _signScores(task, keys[people[0]], round, subjects, scores);
        bytes memory alsoSaid = _tail(subjects, scores);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.SameStatement.selector, people[0]));
        _prove(round, people[0], said, first.signature, said, first.signature);
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        _prove(round, people[0], said, first.signature, alsoSaid, first.signature);
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        _prove(round, people[1], said, first.signature, alsoSaid, second.signature);
        vm.expectEmit(address(task));
        emit IFederatedTask.EquivocationSlashed(round, people[0], IFederatedTask.Statement.Score, STAKE / 10);
        _prove(round, people[0], said, first.signature, alsoSaid, second.signature);
        assertEq(_stakeOf(0), STAKE - STAKE / 10);
        assertEq(task.forfeited(), STAKE / 10);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyProved.selector, people[0], round));
        _prove(round, people[0], said, first.signature, alsoSaid, second.signature);
    }

    function test_where_nobody_judges_scores_are_refused() public {
        IFederatedTask.Settings memory s = _settings();
        s.assessSeconds = 0;
        task = _deploy(s);
        _fund(task);
        _start(3);
        uint32 round = _playToReveal(3);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.NotAssessor.selector, people[0], round));
        vm.prank(people[0]);
        task.submitScore(round, new address[](0), new uint256[](0));
    }

    function _tail(address[] memory subjects, uint256[] memory scores) private pure returns (bytes memory) {
        return abi.encode(keccak256(abi.encodePacked(subjects)), keccak256(abi.encodePacked(scores)));
    }

    function _prove(
        uint32 round,
        address who,
        bytes memory first,
        IFederatedTask.Signature memory firstSignature,
        bytes memory second,
        IFederatedTask.Signature memory secondSignature
    ) private {
        task.proveEquivocation(
            round, who, IFederatedTask.Statement.Score, first, firstSignature, second, secondSignature
        );
    }
}
