// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IVectorAverage} from "../interfaces/IVectorAverage.sol";
import {PackedVector} from "../libraries/PackedVector.sol";
import {Split} from "../libraries/Split.sol";
import {VectorTree} from "../libraries/VectorTree.sol";

/// @title FedAvg on chain.
/// @notice Anybody brings the vectors in, unit by unit, those of all participants together; each is checked against its
///         participant's root. The contract averages, and sums up what `AlignmentScorer` scores by. All of it follows from
///         the set alone, so it does not matter who brings what in how many transactions.
/// @dev The weights are public: the sample counts of the reports, as parts of `PackedVector.UNIT`. A report is 8 bytes of
///      samples, 8 bytes of scale (a float64, which is the server's business), 32 bytes of root; another length, or more
///      samples than declared, has no part in the average.
///
///      A root that nobody can open would hold up everybody. So anybody may demand a vector, and if it has not been brought
///      in as a whole by the deadline, the average is that of the others.
abstract contract VectorAverage is IVectorAverage {
    uint256 internal constant REPORT_LENGTH = 48;
    /// @dev Participants of a task have at most as many; keeps sums of units inside 120 bits.
    uint256 private constant MOST_PARAMETERS = 16_777_216;

    /// @notice Bits of a lane: 8, 16 or 32.
    uint256 public immutable bits;
    /// @notice Lanes of a vector.
    uint256 public immutable parameters;
    /// @notice Bytes of a unit.
    uint256 public immutable unit;
    /// @notice Seconds for answering a demand, and for refuting a claim.
    uint64 public immutable window;

    /// @dev Of the last state of a run: a set, and who of it has a part.
    mapping(bytes32 run => bytes32) internal _states;
    mapping(bytes32 run => address[]) private _kept;
    /// @dev Pointer to the final sums of a set.
    mapping(bytes32 key => address) internal _results;
    mapping(bytes32 key => bytes32 run) private _runOf;
    mapping(bytes32 key => mapping(uint256 index => Demand)) private _demands;

    struct Demand {
        uint64 deadline;
        uint64 units; // that were supplied
    }

    constructor(uint256 bits_, uint256 parameters_, uint256 unit_, uint64 window_) {
        if (!PackedVector.isLaneWidth(bits_)) revert PackedVector.LaneWidthUnknown(bits_);
        if (parameters_ == 0 || parameters_ > MOST_PARAMETERS) {
            revert ParametersOutOfRange(parameters_, 1, MOST_PARAMETERS);
        }
        if (unit_ == 0 || unit_ & 31 != 0 || unit_ > PackedVector.LONGEST) {
            revert UnitOutOfRange(unit_, 32, PackedVector.LONGEST);
        }
        if (window_ == 0) revert WindowTooShort(window_, 1);
        (bits, parameters, unit, window) = (bits_, parameters_, unit_, window_);
    }

    /// @notice Begin the average of a set.
    /// @param kept Whether the average is to be kept as contract code, for `aggregate`. It is in the events in any case.
    function begin(Set calldata set, bool kept) external returns (bytes32 run) {
        State memory state = _firstState(set, kept);
        run = _run(state);
        if (_results[state.key] != address(0)) revert AlreadyComputed(state.key);
        if (_states[run] != 0) revert AlreadyBegun(run);
        _states[run] = keccak256(abi.encode(state));
        emit AverageBegun(state.key, run, state);
    }

    /// @notice Bring in the next units of all vectors.
    /// @param state As the last event has it.
    /// @param run Of `begin`.
    /// @param first The unit that the data begin with: the one after those that were averaged.
    /// @param span Of so many units, a power of two that divides `first`; those that there are not are left out.
    /// @param data The participants' units, one participant's after the other's.
    /// @param proofs Of each participant, what leads from the units to its root.
    function accumulate(
        State calldata state,
        bytes32 run,
        uint256 first,
        uint256 span,
        bytes calldata data,
        bytes32[] calldata proofs
    ) external {
        bytes32 hash = keccak256(abi.encode(state));
        if (hash != _states[run]) revert StateMismatch(hash, _states[run]);
        if (_results[state.key] != address(0)) revert AlreadyComputed(state.key);
        if (first != state.units) revert UnitOutOfOrder(first, state.units);
        State memory next = state;
        bytes memory aggregate_;
        (aggregate_, next.norm) = _add(next, first, span, data, proofs);
        next.norm += state.norm;
        uint256 units = _units();
        next.units = first + span < units ? first + span : units;
        next.chain = VectorTree.extend(state.chain, aggregate_, unit);
        if (state.kept) _keep(run, aggregate_);
        emit AverageProgressed(state.key, run, next, aggregate_);
        if (next.units < units) _states[run] = keccak256(abi.encode(next));
        else _finish(next, run);
    }

    /// @notice Ask for a vector that nobody seems to have. Unless it is brought in by the deadline, or the average is
    ///         computed with it, its participant has no part.
    function demand(Set calldata set, uint256 index) external {
        bytes32 key = _key(set.seed, set.reports, set.declared);
        if (_results[key] != address(0)) revert AlreadyComputed(key);
        if (index >= set.reports.length || !_isUsable(set.reports[index], set.declared[index])) revert NoSuchVector(index);
        Demand storage d = _demands[key][index];
        if (d.deadline != 0) revert AlreadyDemanded(index, d.deadline);
        d.deadline = uint64(block.timestamp) + window;
        emit VectorDemanded(key, index, d.deadline);
    }

    /// @notice Bring in the next units of a vector that was demanded; anybody may.
    /// @param span As in `accumulate`.
    function supply(
        Set calldata set,
        uint256 index,
        uint256 first,
        uint256 span,
        bytes calldata data,
        bytes32[] calldata proof
    ) external {
        bytes32 key = _key(set.seed, set.reports, set.declared);
        Demand storage d = _demands[key][index];
        if (d.deadline == 0) revert NotDemanded(index);
        if (block.timestamp > d.deadline) revert WindowOver(d.deadline);
        if (first != d.units) revert UnitOutOfOrder(first, d.units);
        (, uint256 depth) = _extent(first, span, 1, data.length, proof.length);
        bytes32 root = VectorTree.rootOf(data, unit, first, span, proof, 0, depth);
        bytes32 expected = _rootIn(set.reports[index]);
        if (root != expected) revert RootMismatch(index, root, expected);
        uint256 units = _units();
        d.units = uint64(first + span < units ? first + span : units);
        emit UnitsSupplied(key, index, d.units);
    }

    /// @notice Which set of reports an average is of.
    function keyOf(Set calldata set) external pure returns (bytes32) {
        return _key(set.seed, set.reports, set.declared);
    }

    /// @notice Whether a set's average is there.
    function isComputed(bytes32 key) external view returns (bool) {
        return _results[key] != address(0);
    }

    /// @notice The average of a set, packed as the vectors are; reverts where it was not kept.
    function aggregate(bytes32 key) external view returns (bytes memory result) {
        if (_results[key] == address(0)) revert NotComputed(key);
        address[] storage kept = _kept[_runOf[key]];
        if (kept.length == 0) revert NotKept(key);
        for (uint256 i; i < kept.length; ++i) {
            result = bytes.concat(result, SSTORE2.read(kept[i]));
        }
    }

    /// @notice What a set's vectors add up to: the norm and the hash chain of its average, and for each report that has a
    ///         part its place in the set (two bytes), its weight (parts of 65,536), its dot product with the average and
    ///         its sum of squares.
    function sumsOf(bytes32 key)
        external
        view
        returns (
            uint256 norm,
            bytes32 chain,
            bytes memory places,
            uint256[] memory weights,
            int256[] memory dots,
            uint256[] memory norms
        )
    {
        if (_results[key] == address(0)) revert NotComputed(key);
        bytes32[] memory sums;
        (norm, chain, sums, places) = _resultOf(key);
        (weights, dots, norms) = (new uint256[](sums.length), new int256[](sums.length), new uint256[](sums.length));
        for (uint256 i; i < sums.length; ++i) {
            (dots[i], norms[i], weights[i]) = _unpack(sums[i]);
        }
    }

    /// @dev Check units of all vectors, average them and enter them in the sums.
    function _add(State memory next, uint256 first, uint256 span, bytes calldata data, bytes32[] calldata proofs)
        internal
        view
        returns (bytes memory aggregate_, uint256 norm)
    {
        uint256 n = next.roots.length;
        (uint256 stride, uint256 depth) = _extent(first, span, n, data.length, proofs.length);
        uint256[] memory weights = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            (,, weights[i]) = _unpack(next.sums[i]);
        }
        aggregate_ = PackedVector.average(data, stride, weights, bits);
        (bytes memory factors, int256 sum) = PackedVector.factorsOf(aggregate_, bits);
        (, norm) = PackedVector.products(aggregate_, factors, sum, bits);
        bytes memory vector = PackedVector.zeros(stride);
        for (uint256 i; i < n; ++i) {
            assembly ("memory-safe") {
                calldatacopy(add(vector, 0x20), add(data.offset, mul(i, stride)), stride)
            }
            bytes32 root = VectorTree.rootOf(vector, unit, first, span, proofs, i * depth, depth);
            if (root != next.roots[i]) revert RootMismatch(i, root, next.roots[i]);
            (int256 dot, uint256 squares) = PackedVector.products(vector, factors, sum, bits);
            next.sums[i] = _plus(next.sums[i], dot, squares);
        }
    }

    /// @dev What part of the units from `first` on there is: bytes a vector, and siblings in a proof; checks that the data
    ///      of `n` vectors are as long.
    function _extent(uint256 first, uint256 span, uint256 n, uint256 length, uint256 siblings)
        internal
        view
        returns (uint256 stride, uint256 depth)
    {
        uint256 units = _units();
        uint256 most = VectorTree.width(units);
        if (span == 0 || span > most || span & (span - 1) != 0 || first % span != 0 || first >= units) {
            revert SpanOutOfRange(span, most);
        }
        uint256 end = (first + span) * unit;
        uint256 whole = _length();
        stride = (end < whole ? end : whole) - first * unit;
        if (length != stride * n) revert WrongDataLength(length, stride * n);
        depth = VectorTree.depth(most / span);
        if (siblings != depth * n) revert WrongDataLength(siblings, depth * n);
    }

    function _finish(State memory state, bytes32 run) internal {
        _results[state.key] = SSTORE2.write(abi.encodePacked(state.norm, state.chain, state.sums, state.places));
        _runOf[state.key] = run;
        emit AverageComputed(state.key, run, state.chain);
    }

    /// @dev As code, in pieces of at most 24,575 bytes.
    function _keep(bytes32 run, bytes memory aggregate_) private {
        uint256 left = aggregate_.length;
        for (uint256 from; left > 0;) {
            uint256 size = left < 24_544 ? left : 24_544;
            bytes memory piece = new bytes(size);
            assembly ("memory-safe") {
                mcopy(add(piece, 0x20), add(add(aggregate_, 0x20), from), size)
            }
            _kept[run].push(SSTORE2.write(piece));
            from += size;
            left -= size;
        }
    }

    /// @dev The state before the first unit: who has a part, and with which weight.
    function _firstState(Set calldata set, bool kept) internal view returns (State memory state) {
        bytes32 key = _key(set.seed, set.reports, set.declared);
        uint256[] memory weights = _weights(key, set);
        uint256 parts;
        for (uint256 i; i < weights.length; ++i) {
            if (weights[i] > 0) ++parts;
        }
        if (parts == 0) revert NobodyToAverage(key);
        state = State(key, 0, 0, 0, kept, new bytes(2 * parts), new bytes32[](parts), new bytes32[](parts));
        parts = 0;
        for (uint256 i; i < weights.length; ++i) {
            if (weights[i] == 0) continue;
            state.places[2 * parts] = bytes1(uint8(i >> 8));
            state.places[2 * parts + 1] = bytes1(uint8(i));
            state.roots[parts] = _rootIn(set.reports[i]);
            state.sums[parts] = bytes32(weights[i]);
            ++parts;
        }
    }

    /// @dev Of each report, 0 for those that have no part.
    function _weights(bytes32 key, Set calldata set) private view returns (uint256[] memory weights) {
        weights = new uint256[](set.reports.length);
        for (uint256 i; i < weights.length; ++i) {
            if (_isUsable(set.reports[i], set.declared[i]) && !_isAbsent(key, i)) weights[i] = _samplesIn(set.reports[i]);
        }
        return Split.largestRemainder(PackedVector.UNIT, weights);
    }

    function _isUsable(bytes memory report, uint256 declared) internal pure returns (bool) {
        return report.length == REPORT_LENGTH && _samplesIn(report) <= declared;
    }

    /// @dev Whether a vector was demanded and not brought in in time.
    function _isAbsent(bytes32 key, uint256 index) internal view returns (bool) {
        Demand storage d = _demands[key][index];
        return d.deadline != 0 && block.timestamp > d.deadline && d.units < _units();
    }

    function _resultOf(bytes32 key)
        internal
        view
        returns (uint256 norm, bytes32 chain, bytes32[] memory sums, bytes memory places)
    {
        bytes memory data = SSTORE2.read(_results[key]);
        uint256 parts = (data.length - 64) / 34;
        (sums, places) = (new bytes32[](parts), new bytes(2 * parts));
        assembly ("memory-safe") {
            norm := mload(add(data, 0x20))
            chain := mload(add(data, 0x40))
            mcopy(add(sums, 0x20), add(data, 0x60), shl(5, parts))
            mcopy(add(places, 0x20), add(add(data, 0x60), shl(5, parts)), shl(1, parts))
        }
    }

    function _key(bytes32 seed, bytes[] memory reports, uint64[] memory declared) internal pure returns (bytes32) {
        return keccak256(abi.encode(seed, reports, declared));
    }

    /// @dev One run a set, who has a part of it with which weight, and whether it is kept.
    function _run(State memory state) internal pure returns (bytes32) {
        return keccak256(abi.encode(state.key, state.kept, state.places, state.sums));
    }

    function _units() internal view returns (uint256) {
        return (_length() + unit - 1) / unit;
    }

    /// @dev Bytes of a vector: whole words.
    function _length() private view returns (uint256) {
        return (parameters * bits + 255) / 256 * 32;
    }

    function _samplesIn(bytes memory report) internal pure returns (uint256 samples) {
        assembly ("memory-safe") {
            samples := shr(192, mload(add(report, 0x20)))
        }
    }

    function _rootIn(bytes memory report) internal pure returns (bytes32 root) {
        assembly ("memory-safe") {
            root := mload(add(report, 0x30))
        }
    }

    function _unpack(bytes32 sum) internal pure returns (int256 dot, uint256 norm, uint256 weight) {
        dot = int256(uint256(sum)) >> 136;
        norm = uint256(sum) >> 32 & type(uint104).max;
        weight = uint32(uint256(sum));
    }

    function _plus(bytes32 sum, int256 dot, uint256 norm) internal pure returns (bytes32) {
        (int256 dots, uint256 norms, uint256 weight) = _unpack(sum);
        return bytes32(uint256(dots + dot) << 136 | (norms + norm) << 32 | weight);
    }
}
