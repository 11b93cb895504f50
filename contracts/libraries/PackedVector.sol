// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Vectors of signed integers, packed 8, 16 or 32 bits each into words: weighted average, dot products, norms.
/// @notice Twin of `flwr_chainfl.vectors.packed`, equal bit for bit.
/// @dev A lane is a two's complement integer, the first in the highest bits of the first word; a vector that does not fill
///      its last word ends in lanes of 0. Lanes are worked on several at once, in slots wide enough for what comes of them:
///      a word is a polynomial in 2^slot. Weighted sums add polynomials. A dot product is one coefficient of a product of
///      two, one of them in reverse order. A square's coefficients hold the squares of its lanes where the lanes stand so
///      that no two of them add up to twice a third. The assembly pays: it takes a tenth of the gas of `NaiveVector`, which
///      it is fuzzed against.
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
        if (bits == 16) _average(data, stride, weights, result, 16, 0xffff * EVERY_32, 0x8000 * EVERY_16, 0x8000 * EVERY_32);
        else if (bits == 32) {
            _average(data, stride, weights, result, 32, 0xffffffff * EVERY_64, 0x80000000 * EVERY_32, 0x8000 * EVERY_64);
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
        if (bits == 16) return _products16(vector, factors, sum);
        if (bits == 8) return _products8(vector, factors, sum);
        if (bits == 32) return _products32(vector, factors);
        revert LaneWidthUnknown(bits);
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
        uint256 signs,
        uint256 halves
    ) private pure {
        assembly ("memory-safe") {
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

    /// @dev Four lanes at a time in slots of 64 bits, without sign: Σ(a + b)g = Σag + bΣg and Σ(a + b)² = Σa² + 2bΣa + nb²,
    ///      of which b = 2^15, Σg and Σ(a + b) are known. Lanes are squared two at a time, of which the lower coefficient
    ///      and the highest are squares, that between them is not.
    function _products16(bytes memory vector, bytes memory factors, int256 sum)
        private
        pure
        returns (int256 dot, uint256 norm)
    {
        uint256 mask = 0xffff * EVERY_64;
        uint256 signs = 0x8000 * EVERY_16;
        assembly ("memory-safe") {
            let factor := add(factors, 0x20)
            let end := add(add(vector, 0x20), mload(vector))
            let low := sub(shl(128, 1), 1)
            let squares := 0
            let totals := 0
            for { let at := add(vector, 0x20) } lt(at, end) { at := add(at, 0x20) } {
                let lanes := xor(mload(at), signs)

                let some := and(lanes, mask)
                dot := add(dot, mul(some, mload(factor)))
                totals := add(totals, some)
                let half := and(some, low)
                squares := add(squares, mul(half, half))
                half := shr(128, some)
                squares := add(squares, mul(half, half))

                some := and(shr(16, lanes), mask)
                dot := add(dot, mul(some, mload(add(factor, 0x20))))
                totals := add(totals, some)
                half := and(some, low)
                squares := add(squares, mul(half, half))
                half := shr(128, some)
                squares := add(squares, mul(half, half))

                some := and(shr(32, lanes), mask)
                dot := add(dot, mul(some, mload(add(factor, 0x40))))
                totals := add(totals, some)
                half := and(some, low)
                squares := add(squares, mul(half, half))
                half := shr(128, some)
                squares := add(squares, mul(half, half))

                some := and(shr(48, lanes), mask)
                dot := add(dot, mul(some, mload(add(factor, 0x60))))
                totals := add(totals, some)
                half := and(some, low)
                squares := add(squares, mul(half, half))
                half := shr(128, some)
                squares := add(squares, mul(half, half))

                factor := add(factor, 0x80)
            }
            // The highest coefficient, rounded, since those below it may add up to less than nothing.
            dot := sub(sar(192, add(dot, shl(191, 1))), shl(15, sum))
            let total := 0
            for {} totals { totals := shr(64, totals) } { total := add(total, and(totals, 0xffffffffffffffff)) }
            norm := add(and(squares, 0xffffffffffffffff), shr(128, squares))
            norm := sub(add(norm, shl(30, shl(2, shr(3, mload(vector))))), shl(16, total))
        }
    }

    /// @dev As for 16 bits, with eight lanes in slots of 32 bits, and b = 2^7. Lanes are squared in sets at the slots
    ///      0, 1, 3; then 2, 4, 5, which are 0, 2, 3 once they are moved down; then 6, 7, which are 0, 1.
    function _products8(bytes memory vector, bytes memory factors, int256 sum)
        private
        pure
        returns (int256 dot, uint256 norm)
    {
        assembly ("memory-safe") {
            function fold(word) -> total {
                for {} word { word := shr(32, word) } { total := add(total, and(word, 0xffffffff)) }
            }
            let factor := add(factors, 0x20)
            let end := add(add(vector, 0x20), mload(vector))
            let mask := mul(0xff, EVERY_32)
            let signs := mul(0x80, EVERY_8)
            let lower := 0 // squares in the slots 0, 2, 6
            let upper := 0 // squares in the slots 0, 4, 6
            let totals := 0
            for { let at := add(vector, 0x20) } lt(at, end) { at := add(at, 0x20) } {
                let lanes := xor(mload(at), signs)
                for { let shift := 0 } lt(shift, 32) { shift := add(shift, 8) } {
                    let some := and(shr(shift, lanes), mask)
                    dot := add(dot, mul(some, mload(factor)))
                    totals := add(totals, some)
                    let set := and(some, 0xffffffff00000000ffffffffffffffff)
                    lower := add(lower, mul(set, set))
                    set := and(shr(64, some), 0xffffffffffffffff00000000ffffffff)
                    upper := add(upper, mul(set, set))
                    set := shr(192, some)
                    lower := add(lower, mul(set, set))
                    factor := add(factor, 0x20)
                }
            }
            dot := sub(sar(224, add(dot, shl(223, 1))), shl(7, sum))
            norm := add(fold(and(lower, or(shl(192, 0xffffffff), or(shl(64, 0xffffffff), 0xffffffff)))),
                        fold(and(upper, or(shl(192, 0xffffffff), or(shl(128, 0xffffffff), 0xffffffff)))))
            norm := sub(add(norm, shl(14, mload(vector))), shl(8, fold(totals)))
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
