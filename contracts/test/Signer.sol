// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CommonBase} from "forge-std/Base.sol";

import {TestToken} from "../TestToken.sol";
import {FederatedTask} from "../FederatedTask.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";

/// @title What a device signs: a join with its permit, and a commitment, in the 64-byte form.
abstract contract Signer is CommonBase {
    function _signJoin(FederatedTask task, TestToken token, uint256 key, uint96 stake, uint64 samples, uint256 deadline)
        internal
        view
        returns (IFederatedTask.JoinRequest memory request)
    {
        request.participant = vm.addr(key);
        request.stake = stake;
        request.samples = samples;
        request.deadline = deadline;
        uint256 departures = task.departures(request.participant);
        bytes32 typeHash =
            keccak256("Join(address participant,uint256 stake,uint64 samples,uint256 departures,uint256 deadline)");
        request.signature = _sign(
            key,
            task.domainSeparator(),
            keccak256(abi.encode(typeHash, request.participant, stake, samples, departures, deadline))
        );
        request.permit = _signPermit(task, token, key, stake, deadline);
    }

    function _signPermit(FederatedTask task, TestToken token, uint256 key, uint256 value, uint256 deadline)
        internal
        view
        returns (IFederatedTask.Signature memory)
    {
        address owner = vm.addr(key);
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        return _sign(
            key,
            token.DOMAIN_SEPARATOR(),
            keccak256(abi.encode(typeHash, owner, address(task), value, token.nonces(owner), deadline))
        );
    }

    function _signCommit(FederatedTask task, uint256 key, uint32 round, bytes32 commitment)
        internal
        view
        returns (IFederatedTask.CommitRequest memory request)
    {
        request.participant = vm.addr(key);
        request.commitment = commitment;
        bytes32 typeHash = keccak256("Commit(address participant,uint32 round,bytes32 commitment)");
        request.signature =
            _sign(key, task.domainSeparator(), keccak256(abi.encode(typeHash, request.participant, round, commitment)));
    }

    function _signScores(
        FederatedTask task,
        uint256 key,
        uint32 round,
        address[] memory subjects,
        uint256[] memory scores
    ) internal view returns (IFederatedTask.ScoreRequest memory request) {
        request.participant = vm.addr(key);
        (request.subjects, request.scores) = (subjects, scores);
        bytes32 typeHash = keccak256("Score(address participant,uint32 round,address[] subjects,uint256[] scores)");
        request.signature = _sign(
            key,
            task.domainSeparator(),
            keccak256(
                abi.encode(
                    typeHash,
                    request.participant,
                    round,
                    keccak256(abi.encodePacked(subjects)),
                    keccak256(abi.encodePacked(scores))
                )
            )
        );
    }

    function _signSeal(FederatedTask task, uint256 key, uint32 round, bytes32 aggregate)
        internal
        view
        returns (IFederatedTask.SealRequest memory request)
    {
        request.participant = vm.addr(key);
        request.aggregate = aggregate;
        bytes32 typeHash = keccak256("Seal(address participant,uint32 round,bytes32 aggregate)");
        request.signature =
            _sign(key, task.domainSeparator(), keccak256(abi.encode(typeHash, request.participant, round, aggregate)));
    }

    function _sign(uint256 key, bytes32 domain, bytes32 structHash)
        private
        pure
        returns (IFederatedTask.Signature memory signature)
    {
        (signature.r, signature.vs) = vm.signCompact(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
    }
}
