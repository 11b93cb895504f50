// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AllowList} from "../admissions/AllowList.sol";
import {Invitations} from "../admissions/Invitations.sol";
import {IAdmission} from "../interfaces/IAdmission.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title Joining by a list: the first four people are on it.
contract AllowListTest is TaskTest {
    IAdmission private admission;

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.admission = address(admission);
        s.lateJoin = true;
    }

    function setUp() public override {
        super.setUp();
        admission = Shipped.allowList(_pair(_pair(_leaf(0), _leaf(1)), _pair(_leaf(2), _leaf(3))));
        task = _deploy(_settings());
        _fund(task);
        for (uint256 i; i < people.length; ++i) {
            _approve(people[i]);
        }
    }

    function test_who_is_on_the_list_joins() public {
        for (uint256 i; i < 4; ++i) {
            _joinWith(i, _proof(i));
        }
        assertEq(task.activeMembers(), 4);
    }

    function test_who_is_not_on_the_list_is_refused_and_keeps_its_tokens() public {
        _expectNotInvited(4);
        _joinWith(4, _proof(0));
        _expectNotInvited(4);
        _joinWith(4, "");
        assertEq(token.balanceOf(people[4]), WEALTH);
    }

    function test_malformed_proofs_are_refused() public {
        bytes memory proof = _proof(0);
        _expectNotInvited(0);
        _joinWith(0, bytes.concat(proof, hex"00"));
        _expectNotInvited(0);
        _joinWith(0, bytes.concat(proof, bytes32(0)));
        proof[63] ^= 0x01;
        _expectNotInvited(0);
        _joinWith(0, proof);
    }

    function test_uninvited_member_does_not_block_the_others_of_a_batch_that_is_sent_again() public {
        IFederatedTask.JoinRequest[] memory requests = new IFederatedTask.JoinRequest[](2);
        for (uint256 i; i < 2; ++i) {
            requests[i] = _signJoin(task, token, keys[people[3 + i]], STAKE, SAMPLES, block.timestamp);
            requests[i].proof = _proof(3);
        }
        _expectNotInvited(4);
        task.joinTaskFor(requests);
        IFederatedTask.JoinRequest[] memory one = new IFederatedTask.JoinRequest[](1);
        one[0] = requests[0];
        task.joinTaskFor(one);
        assertEq(task.activeMembers(), 1);
    }

    function test_who_left_may_come_back_while_on_the_list() public {
        _joinWith(0, _proof(0));
        vm.prank(people[0]);
        task.removeWorker();
        _joinWith(0, _proof(0));
        assertEq(task.activeMembers(), 1);
    }

    function testFuzz_no_other_proof_admits(uint256 i, bytes calldata proof) public {
        i = bound(i, 0, 5);
        vm.assume(i > 3 || keccak256(proof) != keccak256(_proof(i)));
        vm.expectRevert(abi.encodeWithSelector(IAdmission.NotInvited.selector, people[i]));
        admission.check(address(task), people[i], 0, proof);
    }

    function _expectNotInvited(uint256 i) private {
        vm.expectRevert(abi.encodeWithSelector(IAdmission.NotInvited.selector, people[i]));
    }

    function _joinWith(uint256 i, bytes memory proof) private {
        vm.prank(people[i]);
        task.joinTask(STAKE, SAMPLES, proof);
    }

    function _leaf(uint256 i) private view returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(people[i]))));
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function _proof(uint256 i) private view returns (bytes memory) {
        uint256 other = i < 2 ? 2 : 0;
        return bytes.concat(_leaf(i ^ 1), _pair(_leaf(other), _leaf(other + 1)));
    }
}

/// @title Joining by signed invitation.
contract InvitationsTest is TaskTest {
    bytes32 private constant INVITATION_TYPEHASH =
        keccak256("Invitation(string purpose,address task,address participant,uint256 departures,uint256 deadline)");
    uint256 private constant INVITER_KEY = 0xA11CE;

    Invitations private admission = Shipped.invitations(vm.addr(INVITER_KEY), "study");

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.admission = address(admission);
        s.lateJoin = true;
    }

    function test_who_is_invited_joins_until_the_deadline() public {
        bytes memory invitation = _invite(INVITER_KEY, "study", address(task), people[0], 0, block.timestamp + 1);
        skip(1);
        _check(people[0], 0, invitation);
        skip(1);
        vm.expectRevert(
            abi.encodeWithSelector(IAdmission.InvitationExpired.selector, people[0], block.timestamp - 1)
        );
        _check(people[0], 0, invitation);
    }

    function test_invitation_to_any_task_of_the_purpose_holds_for_this_one() public view {
        _check(people[0], 0, _invite(INVITER_KEY, "study", address(0), people[0], 0, block.timestamp));
    }

    function test_invitation_signed_by_somebody_else_is_refused() public {
        _refused(people[0], 0, _invite(keys[people[0]], "study", address(task), people[0], 0, block.timestamp));
    }

    function test_invitation_of_another_purpose_task_participant_or_stay_is_refused() public {
        _refused(people[0], 0, _invite(INVITER_KEY, "other", address(task), people[0], 0, block.timestamp));
        _refused(people[0], 0, _invite(INVITER_KEY, "study", stranger, people[0], 0, block.timestamp));
        _refused(people[0], 0, _invite(INVITER_KEY, "study", address(task), people[1], 0, block.timestamp));
        _refused(people[0], 1, _invite(INVITER_KEY, "study", address(task), people[0], 0, block.timestamp));
    }

    function test_invitation_on_another_chain_is_refused() public {
        bytes memory invitation = _invite(INVITER_KEY, "study", address(task), people[0], 0, block.timestamp);
        vm.chainId(block.chainid + 1);
        _refused(people[0], 0, invitation);
    }

    function test_invitation_is_no_longer_good_once_its_participant_has_left() public {
        bytes memory invitation = _invite(INVITER_KEY, "study", address(task), people[0], 0, block.timestamp);
        vm.startPrank(people[0]);
        token.approve(address(task), type(uint256).max);
        task.joinTask(STAKE, SAMPLES, invitation);
        task.removeWorker();
        vm.expectRevert(abi.encodeWithSelector(IAdmission.NotInvited.selector, people[0]));
        task.joinTask(STAKE, SAMPLES, invitation);
        task.joinTask(STAKE, SAMPLES, _invite(INVITER_KEY, "study", address(task), people[0], 1, block.timestamp));
        vm.stopPrank();
        assertEq(task.activeMembers(), 1);
    }

    function testFuzz_other_bytes_admit_nobody(bytes calldata proof) public {
        _refused(people[0], 0, proof);
    }

    function test_invitation_with_a_changed_task_is_refused() public {
        bytes memory invitation = _invite(INVITER_KEY, "study", stranger, people[0], 0, block.timestamp);
        for (uint256 i; i < 32; ++i) {
            invitation[i] = 0;
        }
        _refused(people[0], 0, invitation);
        invitation = _invite(INVITER_KEY, "study", address(task), people[0], 0, block.timestamp);
        invitation[0] = 0x01; // above the address
        _refused(people[0], 0, invitation);
    }

    function test_somebody_has_to_invite() public {
        vm.expectRevert(Invitations.NoInviter.selector);
        Shipped.invitations(address(0), "study");
    }

    function _check(address participant, uint256 departures, bytes memory invitation) private view {
        admission.check(address(task), participant, departures, invitation);
    }

    function _refused(address participant, uint256 departures, bytes memory invitation) private {
        vm.expectRevert(abi.encodeWithSelector(IAdmission.NotInvited.selector, participant));
        _check(participant, departures, invitation);
    }

    function _invite(
        uint256 key,
        string memory purpose,
        address to,
        address participant,
        uint256 departures,
        uint256 deadline
    ) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId)"),
                keccak256("Invitations"),
                keccak256("1"),
                block.chainid
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(INVITATION_TYPEHASH, keccak256(bytes(purpose)), to, participant, departures, deadline)
        );
        (bytes32 r, bytes32 vs) = vm.signCompact(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encode(to, deadline, r, vs);
    }
}
