// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Vectors of signed integers, packed 8, 16 or 32 bits each into words: weighted average, dot products, norms.
/// @notice Twin of `flwr_chainfl.packed_vector`, equal bit for bit.
/// @dev A lane is a two's complement integer, the first in the highest bits of the first word; a vector that does not fill
///      its last word ends in lanes of 0. Lanes are worked on several at once, in slots wide enough for what comes of them:
///      a word is a polynomial in 2^slot. Weighted sums add polynomials. A dot product is one coefficient of a product of
///      two, one of them in reverse order. A square's coefficients hold the squares of its lanes where the lanes stand so
///      that no two of them add up to twice a third. The assembly pays
///      (`test_lanes_together_cost_a_tenth_of_one_by_one`), and is fuzzed against one lane at a time.
library PackedVector {
    /// @dev What all weights of an average add up to. So an average is a shift in place of a division.
    uint256 internal constant UNIT = 65_536;
    /// @dev Bytes of a vector in one call; keeps every coefficient inside its slot.
    uint256 internal constant LONGEST = 32_768;

    uint256 private constant EVERY_16 = 0x0001000100010001000100010001000100010001000100010001000100010001;
    uint256 private constant EVERY_32 = 0x0000000100000001000000010000000100000001000000010000000100000001;
    uint256 private constant EVERY_64 = 0x0000000000000001000000000000000100000000000000010000000000000001;
    uint256 private constant EVERY_8 = 0x0101010101010101010101010101010101010101010101010101010101010101;

    error LaneWidthUnknown(uint256 bits);
    error VectorTooLong(uint256 length, uint256 longest);

    /// @notice Whether lanes can have that many bits.
    function isLaneWidth(uint256 bits) internal pure returns (bool) {
        return bits == 8 || bits == 16 || bits == 32;
    }

    /// @notice The weighted average of vectors, each lane rounded to the nearest integer, halves up.
    /// @param data Vectors of `stride` bytes each, one after the other.
    /// @param stride A multiple of 32, at most `LONGEST`.
    /// @param weights One a vector; they add up to `UNIT`.
    /// @param bits Of a lane.
    function average(bytes calldata data, uint256 stride, uint256[] memory weights, uint256 bits)
        internal
        pure
        returns (bytes memory result)
    {
        if (stride > LONGEST) revert VectorTooLong(stride, LONGEST);
        result = new bytes(stride);
        if (bits == 16) {
            uint256 one = _one();
            _average(data, stride, weights, result, 16, one * 0xffff * EVERY_32, one * 0x8000 * EVERY_16);
        }
        else if (bits == 32) {
            uint256 one = _one();
            _average(data, stride, weights, result, 32, one * 0xffffffff * EVERY_64, one * 0x80000000 * EVERY_32);
        } else if (bits == 8) _averageBytes(data, stride, weights, result);
        else revert LaneWidthUnknown(bits);
    }

    /// @notice A vector in the form that `products` multiplies with.
    /// @param vector At most `LONGEST` bytes, a multiple of 32.
    /// @return factors Polynomials with signed coefficients, in reverse order; for lanes of 32 bits, the vector itself.
    /// @return sum Of the lanes.
    function factorsOf(bytes memory vector, uint256 bits) internal pure returns (bytes memory factors, int256 sum) {
        if (vector.length > LONGEST) revert VectorTooLong(vector.length, LONGEST);
        if (bits == 16) return _factors(vector, 4, 16, 64, 0xffff * EVERY_64, 0x8000 * EVERY_16, 0x8000 * EVERY_64);
        if (bits == 8) return _factors(vector, 4, 8, 32, 0xff * EVERY_32, 0x80 * EVERY_8, 0x80 * EVERY_32);
        if (bits == 32) return (vector, 0);
        revert LaneWidthUnknown(bits);
    }

    /// @notice The dot product of a vector with another one, and the sum of its squares.
    /// @param vector As long as what the factors were made of.
    /// @param factors From `factorsOf`.
    /// @param sum From `factorsOf`.
    function products(bytes memory vector, bytes memory factors, int256 sum, uint256 bits)
        internal
        pure
        returns (int256 dot, uint256 norm)
    {
        if (bits == 32) return _products32(vector, factors);
        uint256 total;
        if (bits == 16) {
            (dot, total) = _dot16(vector, factors);
            norm = _squares16(vector);
        } else if (bits == 8) {
            (dot, total) = _dot8(vector, factors);
            norm = _squares8(vector);
        } else {
            revert LaneWidthUnknown(bits);
        }
        // Σa² = Σ(a + b)² + nb² − 2bΣ(a + b)
        uint256 lanes = vector.length * 8 / bits;
        dot -= sum << (bits - 1);
        norm = norm + (lanes << 2 * (bits - 1)) - (total << bits);
    }

    /// @dev Lanes without sign (2^(bits−1) added) in slots twice as wide: of each word those at even places, counted from
    ///      the lowest, and those at odd places. The former are all of the word less the latter, modulo 2^256, so that one
    ///      mask serves for both.
    function _average(
        bytes calldata data,
        uint256 stride,
        uint256[] memory weights,
        bytes memory result,
        uint256 width,
        uint256 mask,
        uint256 signs
    ) private pure {
        assembly ("memory-safe") {
            let halves := mul(div(mask, sub(shl(width, 1), 1)), 0x8000)
            let firstWeight := add(weights, 0x20)
            let lastWeight := add(firstWeight, shl(5, mload(weights)))
            for { let offset := 0 } lt(offset, stride) { offset := add(offset, 0x20) } {
                let whole := 0
                let odd := 0
                let at := add(data.offset, offset)
                for { let w := firstWeight } lt(w, lastWeight) { w := add(w, 0x20) } {
                    let lanes := xor(calldataload(at), signs)
                    let weight := mload(w)
                    whole := add(whole, mul(lanes, weight))
                    odd := add(odd, mul(and(shr(width, lanes), mask), weight))
                    at := add(at, stride)
                }
                let even := add(sub(whole, shl(width, odd)), halves)
                odd := add(odd, halves)
                mstore(
                    add(add(result, 0x20), offset),
                    xor(or(and(shr(16, even), mask), shl(width, and(shr(16, odd), mask))), signs)
                )
            }
        }
    }

    /// @dev The same for lanes of 8 bits, which need slots four times as wide.
    function _averageBytes(bytes calldata data, uint256 stride, uint256[] memory weights, bytes memory result) private pure {
        uint256 mask = 0xff * EVERY_32;
        assembly ("memory-safe") {
            let firstWeight := add(weights, 0x20)
            let lastWeight := add(firstWeight, shl(5, mload(weights)))
            let signs := mul(0x80, EVERY_8)
            for { let offset := 0 } lt(offset, stride) { offset := add(offset, 0x20) } {
                let whole := 0
                let first := 0
                let second := 0
                let third := 0
                let at := add(data.offset, offset)
                for { let w := firstWeight } lt(w, lastWeight) { w := add(w, 0x20) } {
                    let lanes := xor(calldataload(at), signs)
                    let weight := mload(w)
                    whole := add(whole, mul(lanes, weight))
                    first := add(first, mul(and(shr(8, lanes), mask), weight))
                    second := add(second, mul(and(shr(16, lanes), mask), weight))
                    third := add(third, mul(and(shr(24, lanes), mask), weight))
                    at := add(at, stride)
                }
                let halves := mul(0x8000, EVERY_32)
                whole := add(sub(sub(sub(whole, shl(8, first)), shl(16, second)), shl(24, third)), halves)
                let rounded := and(shr(16, whole), mask)
                rounded := or(rounded, shl(8, and(shr(16, add(first, halves)), mask)))
                rounded := or(rounded, shl(16, and(shr(16, add(second, halves)), mask)))
                rounded := or(rounded, shl(24, and(shr(16, add(third, halves)), mask)))
                mstore(add(add(result, 0x20), offset), xor(rounded, signs))
            }
        }
    }

    /// @dev For each word `groups` polynomials: every groups-th lane, in slots of `slot` bits, the slots in reverse order.
    function _factors(
        bytes memory vector,
        uint256 groups,
        uint256 width,
        uint256 slot,
        uint256 mask,
        uint256 signs,
        uint256 bias
    ) private pure returns (bytes memory factors, int256 sum) {
        factors = new bytes(vector.length * groups);
        assembly ("memory-safe") {
            let into := add(factors, 0x20)
            let end := add(add(vector, 0x20), mload(vector))
            let total := 0
            let totals := 0
            for { let at := add(vector, 0x20) } lt(at, end) { at := add(at, 0x20) } {
                let lanes := xor(mload(at), signs)
                lanes := or(shl(128, lanes), shr(128, lanes))
                let quarters := 0xffffffffffffffff0000000000000000ffffffffffffffff
                lanes := or(shl(64, and(lanes, quarters)), and(shr(64, lanes), quarters))
                if eq(slot, 32) {
                    let eighths := mul(0xffffffff, EVERY_64)
                    lanes := or(shl(32, and(lanes, eighths)), and(shr(32, lanes), eighths))
                }
                for { let shift := 0 } lt(shift, mul(groups, width)) { shift := add(shift, width) } {
                    let some := and(shr(shift, lanes), mask)
                    totals := add(totals, some)
                    mstore(into, sub(some, bias))
                    into := add(into, 0x20)
                }
            }
            let slotMask := sub(shl(slot, 1), 1)
            for {} totals { totals := shr(slot, totals) } { total := add(total, and(totals, slotMask)) }
            sum := sub(total, mul(div(shl(3, mload(vector)), width), shl(sub(width, 1), 1)))
        }
    }

    /// @dev Four lanes of 16 bits at a time in slots of 64 bits, or eight of 8 bits in slots of 32; without sign, from which
    ///      the caller takes b times the other vector's sum away, since Σ(a + b)g = Σag + bΣg.
    /// @return dot Σ(a + b)g.
    /// @return total Σ(a + b).
    function _dot16(bytes memory vector, bytes memory factors) private pure returns (int256 dot, uint256 total) {
        uint256 mask = 0xffff * EVERY_64 * _one();
        uint256 signs = 0x8000 * EVERY_16 * _one();
        assembly ("memory-safe") {
            let end := add(add(vector, 0x20), mload(vector))
            let totals := 0
            factors := add(factors, 0x20)
            for { vector := add(vector, 0x20) } lt(vector, end) { vector := add(vector, 0x20) } {
                let lanes := xor(mload(vector), signs)

                let some := and(lanes, mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(factors)))

                some := and(shr(16, lanes), mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(add(factors, 0x20))))

                some := and(shr(32, lanes), mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(add(factors, 0x40))))

                some := and(shr(48, lanes), mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(add(factors, 0x60))))

                factors := add(factors, 0x80)
            }
            // The highest coefficient, rounded, since those below it may add up to less than nothing.
            dot := sar(192, add(dot, shl(191, 1)))
            for {} totals { totals := shr(64, totals) } { total := add(total, and(totals, 0xffffffffffffffff)) }
        }
    }

    function _dot8(bytes memory vector, bytes memory factors) private pure returns (int256 dot, uint256 total) {
        uint256 mask = 0xff * EVERY_32 * _one();
        uint256 signs = 0x80 * EVERY_8 * _one();
        assembly ("memory-safe") {
            let end := add(add(vector, 0x20), mload(vector))
            let totals := 0
            factors := add(factors, 0x20)
            for { vector := add(vector, 0x20) } lt(vector, end) { vector := add(vector, 0x20) } {
                let lanes := xor(mload(vector), signs)

                let some := and(lanes, mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(factors)))

                some := and(shr(8, lanes), mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(add(factors, 0x20))))

                some := and(shr(16, lanes), mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(add(factors, 0x40))))

                some := and(shr(24, lanes), mask)
                totals := add(totals, some)
                dot := add(dot, mul(some, mload(add(factors, 0x60))))

                factors := add(factors, 0x80)
            }
            dot := sar(224, add(dot, shl(223, 1)))
            for {} totals { totals := shr(32, totals) } { total := add(total, and(totals, 0xffffffff)) }
        }
    }

    /// @dev Σ(a + b)², two lanes at a time, 64 bits from each other: the lower coefficient and the highest are squares, that
    ///      between them is not.
    function _squares16(bytes memory vector) private pure returns (uint256 norm) {
        uint256 mask = 0x000000000000ffff000000000000ffff * _one();
        uint256 signs = 0x8000 * EVERY_16 * _one();
        assembly ("memory-safe") {
            let end := add(add(vector, 0x20), mload(vector))
            for { vector := add(vector, 0x20) } lt(vector, end) { vector := add(vector, 0x20) } {
                let lanes := xor(mload(vector), signs)
                let pair := and(lanes, mask)
                norm := add(norm, mul(pair, pair))
                pair := and(shr(128, lanes), mask)
                norm := add(norm, mul(pair, pair))
                pair := and(shr(16, lanes), mask)
                norm := add(norm, mul(pair, pair))
                pair := and(shr(144, lanes), mask)
                norm := add(norm, mul(pair, pair))
                pair := and(shr(32, lanes), mask)
                norm := add(norm, mul(pair, pair))
                pair := and(shr(160, lanes), mask)
                norm := add(norm, mul(pair, pair))
                pair := and(shr(48, lanes), mask)
                norm := add(norm, mul(pair, pair))
                pair := and(shr(176, lanes), mask)
                norm := add(norm, mul(pair, pair))
            }
            norm := add(and(norm, 0xffffffffffffffff), shr(128, norm))
        }
    }

    /// @dev Σ(a + b)², of eight lanes in slots of 32 bits: those at the slots 0, 1, 3; then 2, 4, 5, which are 0, 2, 3 once
    ///      they are moved down; then 6, 7, which are 0, 1. Squares are then in the slots 0, 2, 6 and 0, 4, 6 and 0, 2.
    function _squares8(bytes memory vector) private pure returns (uint256 norm) {
        uint256 one = _one();
        uint256 first = 0x000000ff00000000000000ff000000ff * one;
        uint256 second = 0x000000ff000000ff00000000000000ff * one;
        uint256 third = 0x000000ff000000ff * one;
        uint256 signs = 0x80 * EVERY_8 * one;
        assembly ("memory-safe") {
            let end := add(add(vector, 0x20), mload(vector))
            let upper := 0
            for { vector := add(vector, 0x20) } lt(vector, end) { vector := add(vector, 0x20) } {
                let lanes := xor(mload(vector), signs)

                let set := and(lanes, first)
                norm := add(norm, mul(set, set))
                set := and(shr(64, lanes), second)
                upper := add(upper, mul(set, set))
                set := and(shr(192, lanes), third)
                norm := add(norm, mul(set, set))

                set := and(shr(8, lanes), first)
                norm := add(norm, mul(set, set))
                set := and(shr(72, lanes), second)
                upper := add(upper, mul(set, set))
                set := and(shr(200, lanes), third)
                norm := add(norm, mul(set, set))

                set := and(shr(16, lanes), first)
                norm := add(norm, mul(set, set))
                set := and(shr(80, lanes), second)
                upper := add(upper, mul(set, set))
                set := and(shr(208, lanes), third)
                norm := add(norm, mul(set, set))

                set := and(shr(24, lanes), first)
                norm := add(norm, mul(set, set))
                set := and(shr(88, lanes), second)
                upper := add(upper, mul(set, set))
                set := and(shr(216, lanes), third)
                norm := add(norm, mul(set, set))
            }
            let slot := 0xffffffff
            norm := add(add(and(norm, slot), and(shr(64, norm), slot)), and(shr(192, norm), slot))
            norm := add(norm, add(add(and(upper, slot), and(shr(128, upper), slot)), and(shr(192, upper), slot)))
        }
    }

    /// @dev 1, without the optimizer's knowing it: it would copy constants of 32 bytes out of the code at every use.
    function _one() private pure returns (uint256 one) {
        assembly ("memory-safe") {
            one := iszero(iszero(mload(0x40)))
        }
    }

    /// @dev One lane at a time: products need all of the room.
    function _products32(bytes memory vector, bytes memory other) private pure returns (int256 dot, uint256 norm) {
        assembly ("memory-safe") {
            let distance := sub(other, vector)
            let end := add(add(vector, 0x20), mload(vector))
            for { let at := add(vector, 0x20) } lt(at, end) { at := add(at, 0x20) } {
                let lanes := mload(at)
                let others := mload(add(at, distance))
                for { let shift := 0 } lt(shift, 256) { shift := add(shift, 32) } {
                    let lane := sar(224, shl(shift, lanes))
                    dot := add(dot, mul(lane, sar(224, shl(shift, others))))
                    norm := add(norm, mul(lane, lane))
                }
            }
        }
    }
}
