// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IDispute} from "../interfaces/IDispute.sol";
import {VectorTree} from "../libraries/VectorTree.sol";
import {VectorAverage} from "./VectorAverage.sol";

/// @title An average that is claimed rather than computed, and refuted by one part of it.
/// @notice Where a posting is challenged, its poster or the challenger says what every part of the vectors adds to the sums.
///         Who thinks that a part is wrong brings in that part alone, and the contract computes it. A claim that stands to
///         the end of its window is the result.
/// @dev A claim costs no bond of its own: its author has one at stake in the task, and claims once a round. A claimant that
///      lied has not lost the dispute by that; the other one can claim, or anybody computes the whole average.
abstract contract ClaimedAverage is VectorAverage {
    struct Claim {
        address claimant;
        uint64 deadline;
        bytes32 first; // hash of the state before the first unit: of whom the claim is
        bytes32 hash; // of the span and the parts
    }

    mapping(bytes32 key => Claim) private _claims;
    mapping(bytes32 first => mapping(address claimant => bool)) private _claimed;

    /// @notice Claim what the parts of a set's vectors add to the sums.
    /// @param task Whose round is challenged; the caller posted its scores, or challenged them.
    /// @param span Units of a part, a power of two.
    function claim(address task, uint32 round, Set calldata set, uint256 span, Part[] calldata parts) external {
        IFederatedTask.Round memory r = IDispute(task).roundOf(round);
        if (r.status != IFederatedTask.RoundStatus.Challenged) revert NotInDispute(task, round);
        if (msg.sender != r.poster && msg.sender != r.challenger) revert NotDisputant(msg.sender, r.poster, r.challenger);
        bytes32 seed = IDispute(task).seedOf(round);
        if (set.seed != seed) revert SeedMismatch(set.seed, seed);
        State memory state = _firstState(set, false);
        bytes32 key = state.key;
        if (_results[key] != address(0)) revert AlreadyComputed(key);
        Claim storage c = _claims[key];
        if (c.claimant != address(0)) revert ClaimStands(key, c.claimant);
        bytes32 first = keccak256(abi.encode(state));
        if (_claimed[first][msg.sender]) revert AlreadyClaimed(key, msg.sender);
        // A part longer than the vectors could not be brought in to refute it.
        uint256 most = VectorTree.width(_units());
        if (span == 0 || span > most || span & (span - 1) != 0) revert SpanOutOfRange(span, most);
        uint256 expected = (_units() + span - 1) / span;
        if (parts.length != expected) revert WrongDataLength(parts.length, expected);
        for (uint256 p; p < parts.length; ++p) {
            if (parts[p].sums.length != state.sums.length) {
                revert WrongDataLength(parts[p].sums.length, state.sums.length);
            }
        }
        _claimed[first][msg.sender] = true;
        (c.claimant, c.deadline) = (msg.sender, uint64(block.timestamp) + window);
        (c.first, c.hash) = (first, keccak256(abi.encode(span, parts)));
        emit PartsClaimed(key, msg.sender, c.deadline, parts);
    }

    /// @notice Show that one part of a claim is wrong, by bringing in that part of the vectors.
    /// @param index Of the part.
    /// @param data As in `accumulate`.
    /// @param proofs As in `accumulate`.
    function refute(
        Set calldata set,
        uint256 span,
        Part[] calldata parts,
        uint256 index,
        bytes calldata data,
        bytes32[] calldata proofs
    ) external {
        State memory state = _firstState(set, false);
        Claim storage c = _standing(state, span, parts);
        if (block.timestamp > c.deadline) revert WindowOver(c.deadline);
        if (_isRight(state, span, parts[index], index, data, proofs)) revert PartIsRight(index);
        emit PartRefuted(state.key, c.claimant, index);
        delete _claims[state.key];
    }

    /// @notice Make a claim that nobody refuted the result; anybody may.
    function settleClaim(Set calldata set, uint256 span, Part[] calldata parts) external {
        State memory state = _firstState(set, false);
        Claim storage c = _standing(state, span, parts);
        if (block.timestamp <= c.deadline) revert WindowOpen(c.deadline);
        if (_results[state.key] != address(0)) revert AlreadyComputed(state.key);
        for (uint256 p; p < parts.length; ++p) {
            state.norm += parts[p].norm;
            for (uint256 i; i < state.sums.length; ++i) {
                (int256 dot, uint256 norm) = _partly(parts[p].sums[i]);
                state.sums[i] = _plus(state.sums[i], dot, norm);
            }
        }
        state.units = _units();
        _finish(state, _run(state));
    }

    /// @notice Take a claim away that is of others than have a part by now: a vector that it rests on was demanded, and
    ///         nobody brought it in.
    function dropClaim(Set calldata set) external {
        State memory state = _firstState(set, false);
        Claim storage c = _claims[state.key];
        if (c.claimant == address(0)) revert NoClaim(state.key);
        if (c.first == keccak256(abi.encode(state))) revert ClaimStands(state.key, c.claimant);
        delete _claims[state.key];
    }

    /// @notice The claim that stands for a set: by whom, until when it can be refuted, its hash; zeros for none.
    function claimOf(bytes32 key) external view returns (address claimant, uint64 deadline, bytes32 hash) {
        Claim storage c = _claims[key];
        return (c.claimant, c.deadline, c.hash);
    }

    function _standing(State memory state, uint256 span, Part[] calldata parts) private view returns (Claim storage c) {
        c = _claims[state.key];
        if (c.claimant == address(0)) revert NoClaim(state.key);
        bytes32 hash = keccak256(abi.encode(state));
        if (hash != c.first) revert ClaimMismatch(hash, c.first);
        hash = keccak256(abi.encode(span, parts));
        if (hash != c.hash) revert ClaimMismatch(hash, c.hash);
    }

    function _isRight(
        State memory state,
        uint256 span,
        Part calldata part,
        uint256 index,
        bytes calldata data,
        bytes32[] calldata proofs
    ) private view returns (bool) {
        (bytes memory aggregate_, uint256 norm) = _add(state, index * span, span, data, proofs);
        if (keccak256(aggregate_) != part.aggregate || norm != part.norm) return false;
        for (uint256 i; i < state.sums.length; ++i) {
            (int256 dot, uint256 squares,) = _unpack(state.sums[i]);
            (int256 claimedDot, uint256 claimedSquares) = _partly(part.sums[i]);
            if (dot != claimedDot || squares != claimedSquares) return false;
        }
        return true;
    }

    function _partly(bytes32 sum) private pure returns (int256 dot, uint256 norm) {
        return (int256(uint256(sum)) >> 128, uint128(uint256(sum)));
    }
}
