// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title What a relay can and cannot do with what a device signed.
contract RelayTest is TaskTest {
    uint256 private deadline;

    function setUp() public override {
        super.setUp();
        deadline = block.timestamp + 1 hours;
    }

    function test_relayed_join_takes_the_stake_by_permit() public {
        task.joinTaskFor(_one(_request(0)));
        assertEq(task.memberOf(people[0]).stake, STAKE);
        assertEq(task.memberOf(people[0]).samples, SAMPLES);
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE);
        assertEq(token.allowance(people[0], address(task)), 0);
    }

    function test_permit_used_by_somebody_else_first_does_not_block_joining() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        bytes32 vs = request.permit.vs;
        vm.prank(stranger);
        token.permit(
            people[0],
            address(task),
            STAKE,
            deadline,
            uint8(uint256(vs) >> 255) + 27,
            request.permit.r,
            bytes32(uint256(vs) & (type(uint256).max >> 1))
        );
        task.joinTaskFor(_one(request));
        assertEq(task.memberOf(people[0]).stake, STAKE);
    }

    function test_forged_join_is_refused() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        request.signature = _request(1).signature;
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
    }

    function test_garbage_signature_is_refused() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        request.participant = address(0);
        request.signature = IFederatedTask.Signature(0, 0);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.InvalidSignature.selector, address(0), address(0)));
        task.joinTaskFor(_one(request));
    }

    function test_signature_with_the_upper_s_is_refused() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        uint256 vs = uint256(request.signature.vs);
        uint256 s = vs & (type(uint256).max >> 1);
        uint256 flipped = ((vs >> 255) ^ 1) << 255;
        request.signature.vs = bytes32(flipped | (order - s));
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
    }

    function test_relay_cannot_alter_what_a_member_signed() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        request.stake = 2 * STAKE;
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
        request = _request(0);
        request.samples = SAMPLES + 1;
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
        request = _request(0);
        request.deadline = deadline + 1;
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
    }

    function test_join_after_its_deadline_is_refused() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.SignatureExpired.selector, people[0], deadline));
        task.joinTaskFor(_one(request));
    }

    function test_join_signed_for_another_task_is_refused() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        FederatedTask other = _deploy(_settings());
        vm.startPrank(requester);
        token.approve(address(other), POOL);
        other.initializeTask("other", ROUNDS, POOL);
        vm.stopPrank();
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        other.joinTaskFor(_one(request));
    }

    function test_join_signed_on_another_chain_is_refused() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        vm.chainId(block.chainid + 1);
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
    }

    function test_relayed_join_twice_takes_one_stake() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        task.joinTaskFor(_one(request));
        vm.prank(people[0]);
        token.approve(address(task), STAKE);
        task.joinTaskFor(_one(request));
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE);
    }

    function test_relayed_join_cannot_be_replayed_after_leaving() public {
        IFederatedTask.JoinRequest memory request = _request(0);
        task.joinTaskFor(_one(request));
        vm.startPrank(people[0]);
        task.removeWorker();
        token.approve(address(task), type(uint256).max);
        vm.stopPrank();
        assertEq(task.departures(people[0]), 1);
        vm.prank(stranger);
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
        task.joinTaskFor(_one(_request(0)));
        assertEq(task.memberOf(people[0]).stake, STAKE);
    }

    function test_join_signed_for_later_departures_is_refused() public {
        vm.mockCall(address(task), abi.encodeCall(task.departures, (people[0])), abi.encode(1));
        IFederatedTask.JoinRequest memory request = _request(0);
        vm.clearMockedCalls();
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.joinTaskFor(_one(request));
    }

    function test_member_joining_first_does_not_block_a_relayed_batch() public {
        IFederatedTask.JoinRequest[] memory requests = new IFederatedTask.JoinRequest[](2);
        (requests[0], requests[1]) = (_request(0), _request(1));
        _join(people[0]);
        task.joinTaskFor(requests);
        assertEq(task.activeMembers(), 2);
        assertEq(token.balanceOf(people[0]), WEALTH - STAKE);
    }

    function test_commitment_signed_for_another_round_is_refused() public {
        _start(2);
        uint32 first = _voidRound();
        uint32 second = _open();
        bytes32 commitment = _commitment(0, second);
        IFederatedTask.CommitRequest[] memory requests = _one(_signCommit(task, keys[people[0]], first, commitment));
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.commitFor(second, requests);
    }

    function test_commitment_signed_for_another_task_is_refused() public {
        FederatedTask first = task;
        task = _deploy(_settings());
        _fund(task);
        _start(2);
        uint32 round = _open();
        bytes32 commitment = _commitment(0, round);
        IFederatedTask.CommitRequest[] memory requests = _one(_signCommit(first, keys[people[0]], round, commitment));
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.commitFor(round, requests);
    }

    function test_commitment_signed_on_another_chain_is_refused() public {
        _start(2);
        uint32 round = _open();
        IFederatedTask.CommitRequest[] memory requests =
            _one(_signCommit(task, keys[people[0]], round, _commitment(0, round)));
        vm.chainId(block.chainid + 1);
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.commitFor(round, requests);
    }

    function test_relay_cannot_swap_the_commitment() public {
        _start(2);
        uint32 round = _open();
        IFederatedTask.CommitRequest memory request = _signCommit(task, keys[people[0]], round, _commitment(0, round));
        request.commitment = WRONG;
        vm.expectPartialRevert(IFederatedTask.InvalidSignature.selector);
        task.commitFor(round, _one(request));
    }

    function test_relayed_commitment_counts_once() public {
        _start(2);
        uint32 round = _open();
        IFederatedTask.CommitRequest[] memory requests =
            _one(_signCommit(task, keys[people[0]], round, _commitment(0, round)));
        task.commitFor(round, requests);
        task.commitFor(round, requests);
        assertEq(task.roundOf(round).committed, 1);
    }

    function test_member_committing_first_does_not_block_a_relayed_batch() public {
        _start(2);
        uint32 round = _open();
        IFederatedTask.CommitRequest[] memory requests = new IFederatedTask.CommitRequest[](2);
        for (uint256 i; i < 2; ++i) {
            requests[i] = _signCommit(task, keys[people[i]], round, _commitment(i, round));
        }
        _commit(0, round);
        task.commitFor(round, requests);
        assertEq(task.roundOf(round).committed, 2);
    }

    function test_second_commitment_cannot_replace_the_first_by_relay() public {
        _start(2);
        uint32 round = _open();
        IFederatedTask.CommitRequest[] memory requests = _one(_signCommit(task, keys[people[0]], round, WRONG));
        _commit(0, round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.AlreadyCommitted.selector, people[0], round));
        task.commitFor(round, requests);
        assertEq(task.roundOf(round).committed, 1);
    }

    function _request(uint256 i) private view returns (IFederatedTask.JoinRequest memory) {
        return _signJoin(task, token, keys[people[i]], STAKE, SAMPLES, deadline);
    }

    function _one(IFederatedTask.JoinRequest memory request)
        private
        pure
        returns (IFederatedTask.JoinRequest[] memory requests)
    {
        requests = new IFederatedTask.JoinRequest[](1);
        requests[0] = request;
    }

    function _one(IFederatedTask.CommitRequest memory request)
        private
        pure
        returns (IFederatedTask.CommitRequest[] memory requests)
    {
        requests = new IFederatedTask.CommitRequest[](1);
        requests[0] = request;
    }
}
