// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The weighted average of vectors that were committed to, computed on chain in as many transactions as it takes.
/// @notice A vector is packed (see `PackedVector`), cut into units, and committed to by a Merkle root over these; the last
///         unit may be shorter. What is brought in is checked against the roots and not stored. One average serves one
///         set of reports: the reports, what their participants declared, and the seed of their round say which.
interface IVectorAverage {
    /// @notice What is averaged.
    /// @param seed Of the round; no two rounds of any tasks have the same.
    /// @param reports In the order that the task has them in; those that are malformed have no part.
    /// @param declared Samples that each participant declared at joining.
    struct Set {
        bytes32 seed;
        bytes[] reports;
        uint64[] declared;
    }

    /// @notice How far an average has come; the contract keeps its hash.
    /// @param key Of the set.
    /// @param units That were averaged.
    /// @param chain Hash chain over the units of the average.
    /// @param norm Sum of the squares of the average's lanes.
    /// @param kept Whether the average is kept as contract code.
    /// @param places Of those that have a part, where in the set they stand: two bytes each.
    /// @param roots Of each of them.
    /// @param sums Of each of them: 120 bits dot product with the average, 104 bits sum of squares, 32 bits weight.
    struct State {
        bytes32 key;
        uint256 units;
        bytes32 chain;
        uint256 norm;
        bool kept;
        bytes places;
        bytes32[] roots;
        bytes32[] sums;
    }

    /// @notice What a part of all vectors adds to the sums.
    /// @param aggregate keccak256 of that part of the average.
    /// @param norm Sum of its squares.
    /// @param sums Of each participant: 128 bits dot product, 128 bits sum of squares.
    struct Part {
        bytes32 aggregate;
        uint256 norm;
        bytes32[] sums;
    }

    event AverageBegun(bytes32 indexed key, bytes32 indexed run, State state);
    /// @param aggregate These units of the average, for everybody to read.
    event AverageProgressed(bytes32 indexed key, bytes32 indexed run, State state, bytes aggregate);
    event AverageComputed(bytes32 indexed key, bytes32 indexed run, bytes32 chain);
    event VectorDemanded(bytes32 indexed key, uint256 index, uint64 deadline);
    event UnitsSupplied(bytes32 indexed key, uint256 index, uint256 units);
    event PartsClaimed(bytes32 indexed key, address indexed claimant, uint64 deadline, Part[] parts);
    event PartRefuted(bytes32 indexed key, address indexed claimant, uint256 part);

    error ParametersOutOfRange(uint256 parameters, uint256 minimum, uint256 maximum);
    error UnitOutOfRange(uint256 unit, uint256 minimum, uint256 maximum);
    error WindowTooShort(uint256 window, uint256 minimum);
    error NobodyToAverage(bytes32 key);
    error AlreadyBegun(bytes32 run);
    error AlreadyComputed(bytes32 key);
    error NotComputed(bytes32 key);
    error NotKept(bytes32 key);
    error StateMismatch(bytes32 hash, bytes32 expected);
    error UnitOutOfOrder(uint256 unit, uint256 expected);
    error WrongDataLength(uint256 length, uint256 expected);
    error SpanOutOfRange(uint256 span, uint256 maximum);
    error RootMismatch(uint256 index, bytes32 root, bytes32 expected);
    error NoSuchVector(uint256 index);
    error AlreadyDemanded(uint256 index, uint64 deadline);
    error NotDemanded(uint256 index);
    error WindowOver(uint64 deadline);
    error WindowOpen(uint64 deadline);
    error NotInDispute(address task, uint32 round);
    error NotDisputant(address caller, address poster, address challenger);
    error SeedMismatch(bytes32 seed, bytes32 expected);
    error ClaimStands(bytes32 key, address claimant);
    error AlreadyClaimed(bytes32 key, address claimant);
    error NoClaim(bytes32 key);
    error ClaimMismatch(bytes32 hash, bytes32 expected);
    error PartIsRight(uint256 part);
}
