// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {IVectorAverage} from "../interfaces/IVectorAverage.sol";
import {Shipped} from "./Shipped.sol";

/// @dev What is called here of an AlignmentScorer.
interface IAverage is IVectorAverage {
    function begin(Set calldata set, bool kept) external returns (bytes32 run);
    function accumulate(
        State calldata state,
        bytes32 run,
        uint256 first,
        uint256 span,
        bytes calldata data,
        bytes32[] calldata proofs
    ) external;
    function isComputed(bytes32 key) external view returns (bool);
}

/// @title What averaging ten vectors costs, all transactions together: base fee, calldata and its floor included.
/// forge-config: default.isolate = true
contract AlignmentGasTest is Test {
    uint256 private constant VECTORS = 10;
    uint256 private constant UNIT = 1536;
    /// @dev Units in one transaction: 120 KiB of ten vectors.
    uint256 private constant SPAN = 8;

    bytes[] private vectors;
    uint256 private width;

    function test_gas_of_an_average_of_16_bits() public {
        for (uint256 parameters = 1000; parameters <= 10_000; parameters *= 10) {
            _measure(parameters, 16, false);
            _measure(parameters, 16, true);
        }
    }

    function test_gas_of_an_average_of_8_bits() public {
        for (uint256 parameters = 1000; parameters <= 10_000; parameters *= 10) {
            _measure(parameters, 8, false);
        }
    }

    function _measure(uint256 parameters, uint256 bits, bool kept) private {
        IAverage average = IAverage(Shipped.alignmentScorer(bits, parameters, UNIT, 60));
        IVectorAverage.Set memory set = _set((parameters * bits + 255) / 256 * 32);
        vm.recordLogs();
        bytes32 run = average.begin(set, kept);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        IVectorAverage.State memory state = _state();
        uint256 span = width < SPAN ? width : SPAN;
        for (uint256 first; first * UNIT < vectors[0].length; first += span) {
            (bytes memory data, bytes32[] memory proofs) = _part(first, span);
            average.accumulate(state, run, first, span, data, proofs);
            used += vm.lastCallGas().gasTotalUsed;
            state = _state();
        }
        assertTrue(average.isComputed(state.key));
        string memory what = string.concat(vm.toString(parameters), " parameters of ", vm.toString(bits), " bits, 10 clients");
        vm.snapshotValue("Alignment", string.concat(what, kept ? ", kept as code" : ", in the log"), used);
    }

    /// @dev Random vectors of so many bytes, hardly one of which is 0.
    function _set(uint256 length) private returns (IVectorAverage.Set memory set) {
        set = IVectorAverage.Set("seed", new bytes[](VECTORS), new uint64[](VECTORS));
        delete vectors;
        for (width = 1; width * UNIT < length;) {
            width *= 2;
        }
        for (uint256 i; i < VECTORS; ++i) {
            bytes memory vector = new bytes(length);
            for (uint256 at = 32; at <= length; at += 32) {
                bytes32 word = keccak256(abi.encode(i, at));
                assembly ("memory-safe") {
                    mstore(add(vector, at), word)
                }
            }
            vectors.push(vector);
            set.reports[i] = abi.encodePacked(uint64(100), uint64(0), _node(vector, 0, width));
            set.declared[i] = 100;
        }
    }

    function _part(uint256 first, uint256 span) private view returns (bytes memory data, bytes32[] memory proofs) {
        uint256 levels;
        while (span << levels < width) {
            ++levels;
        }
        proofs = new bytes32[](VECTORS * levels);
        for (uint256 i; i < VECTORS; ++i) {
            bytes memory vector = vectors[i];
            data = bytes.concat(data, _slice(vector, first * UNIT, span * UNIT));
            for (uint256 level; level < levels; ++level) {
                uint256 size = span << level;
                proofs[i * levels + level] = _node(vector, (first / size ^ 1) * size, size);
            }
        }
    }

    /// @dev Of the tree over a vector's units, above `span` of them.
    function _node(bytes memory vector, uint256 first, uint256 span) private pure returns (bytes32) {
        if (span > 1) {
            return keccak256(abi.encode(_node(vector, first, span / 2), _node(vector, first + span / 2, span / 2)));
        }
        return first * UNIT < vector.length ? keccak256(_slice(vector, first * UNIT, UNIT)) : bytes32(0);
    }

    function _slice(bytes memory vector, uint256 from, uint256 size) private pure returns (bytes memory part) {
        if (from + size > vector.length) size = vector.length - from;
        part = new bytes(size);
        assembly ("memory-safe") {
            mcopy(add(part, 0x20), add(add(vector, 0x20), from), size)
        }
    }

    /// @dev As the last call's event has it.
    function _state() private returns (IVectorAverage.State memory) {
        return abi.decode(bytes.concat(vm.getRecordedLogs()[0].data), (IVectorAverage.State));
    }
}
