// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Vectors of signed integers, packed 8, 16 or 32 bits each into words: weighted average, dot products, norms.
/// @notice Twin of `flwr_chainfl.packed_vector`, equal bit for bit.
/// @dev A lane is a two's complement integer, the first in the highest bits of the first word; a vector that does not fill
///      its last word ends in lanes of 0. Lanes are worked on several at once, in slots wide enough for what comes of them:
///      a word is a polynomial in 2^slot. Weighted sums add polynomials. A dot product is one coefficient of a product of
///      two, one of them in reverse order; a sum of squares is one of a polynomial times itself in reverse order. The
///      assembly pays (`test_lanes_together_cost_a_tenth_of_one_by_one`), and is fuzzed against one lane at a time.
library PackedVector {
    /// @dev What all weights of an average add up to. So an average is a shift in place of a division.
    uint256 internal constant UNIT = 65_536;
    /// @dev Bytes of a vector in one call; keeps every coefficient inside its slot.
    uint256 internal constant LONGEST = 32_768;
    /// @dev Bytes that products are taken of at once.
    uint256 private constant BLOCK = 128;

    uint256 private constant EVERY_16 = 0x0001000100010001000100010001000100010001000100010001000100010001;
    uint256 private constant EVERY_32 = 0x0000000100000001000000010000000100000001000000010000000100000001;
    uint256 private constant EVERY_64 = 0x0000000000000001000000000000000100000000000000010000000000000001;
    uint256 private constant EVERY_8 = 0x0101010101010101010101010101010101010101010101010101010101010101;
    /// @dev Every other 64 bits.
    uint256 private constant QUARTERS = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;

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
        result = zeros(stride);
        weights = _even(weights);
        uint256 one = _one();
        if (bits == 16) {
            _average(data, stride, weights, result, 16, one * 0xffff * EVERY_32, one * 0x8000 * EVERY_16);
        }
        else if (bits == 32) {
            _average(data, stride, weights, result, 32, one * 0xffffffff * EVERY_64, one * 0x80000000 * EVERY_32);
        } else if (bits == 8) _averageBytes(data, stride, weights, result, one * 0xff * EVERY_32, one * 0x80 * EVERY_8);
        else revert LaneWidthUnknown(bits);
    }

    /// @notice A vector of zeros, with room behind it up to whole `BLOCK`s, of zeros as well.
    function zeros(uint256 length) internal pure returns (bytes memory vector) {
        vector = new bytes((length + BLOCK - 1) / BLOCK * BLOCK);
        assembly ("memory-safe") {
            mstore(vector, length)
        }
    }

    /// @notice A vector in the form that `products` multiplies with.
    /// @param vector At most `LONGEST` bytes, a multiple of 32.
    /// @return factors Polynomials with signed coefficients, in reverse order; for lanes of 32 bits, the vector itself.
    /// @return sum Of the lanes.
    function factorsOf(bytes memory vector, uint256 bits) internal pure returns (bytes memory factors, int256 sum) {
        if (vector.length > LONGEST) revert VectorTooLong(vector.length, LONGEST);
        uint256 one = _one();
        if (bits == 16) {
            return _factors(
                vector, 16, one * 0xffff * EVERY_64, one * 0x8000 * EVERY_16, one * 0x8000 * EVERY_64, one * QUARTERS, 0
            );
        }
        if (bits == 8) {
            return _factors(
                vector, 8, one * 0xff * EVERY_32, one * 0x80 * EVERY_8, one * 0x80 * EVERY_32, one * QUARTERS,
                one * 0xffffffff * EVERY_64
            );
        }
        if (bits == 32) return (vector, 0);
        revert LaneWidthUnknown(bits);
    }

    /// @notice The dot product of a vector with another one, and the sum of its squares.
    /// @param vector From `zeros`, as long as what the factors were made of.
    /// @param factors From `factorsOf`.
    /// @param sum From `factorsOf`.
    function products(bytes memory vector, bytes memory factors, int256 sum, uint256 bits)
        internal
        pure
        returns (int256 dot, uint256 norm)
    {
        if (bits == 32) return _products32(vector, factors);
        uint256 totals;
        uint256 total;
        uint256 one = _one();
        if (bits == 16) {
            (dot, norm, totals) =
                _products16(vector, factors, one * 0xffff * EVERY_64, one * 0x8000 * EVERY_16, one * QUARTERS);
        }
        else if (bits == 8) {
            (dot, norm, totals) = _products8(
                vector, factors, one * 0xff * EVERY_32, one * 0x80 * EVERY_8, one * QUARTERS, one * 0xffffffff * EVERY_64
            );
        }
        else revert LaneWidthUnknown(bits);
        for (uint256 slot = (1 << 4 * bits) - 1; totals > 0; totals >>= 4 * bits) {
            total += totals & slot;
        }
        // Σa² = Σ(a + b)² + nb² − 2bΣ(a + b), over whole blocks
        uint256 lanes = (vector.length + BLOCK - 1) / BLOCK * BLOCK * 8 / bits;
        dot -= sum << (bits - 1);
        norm = norm + (lanes << 2 * (bits - 1)) - (total << bits);
    }

    /// @dev Lanes without sign (2^(bits−1) added) in slots twice as wide: of each word those at even places, counted from
    ///      the lowest, and those at odd places. The former are all of the word less the latter, modulo 2^256, so that one
    ///      mask serves for both. Two vectors at a time.
    function _average(
        bytes calldata data,
        uint256 stride,
        uint256[] memory weights,
        bytes memory result,
        uint256 width,
        uint256 mask,
        uint256 signs
    ) private pure {
        if (stride == 0) return;
        assembly ("memory-safe") {
            let lastWeight := add(add(weights, 0x20), shl(5, mload(weights)))
            let distance := sub(result, data.offset)
            let end := add(data.offset, stride)
            for { let start := data.offset } lt(start, end) { start := add(start, 0x20) } {
                let whole := 0
                let odd := 0
                let at := start
                for { let w := add(weights, 0x20) } lt(w, lastWeight) { w := add(w, 0x40) } {
                    let lanes := xor(calldataload(at), signs)
                    let weight := mload(w)
                    whole := add(whole, mul(lanes, weight))
                    odd := add(odd, mul(and(shr(width, lanes), mask), weight))
                    at := add(at, stride)
                    lanes := xor(calldataload(at), signs)
                    weight := mload(add(w, 0x20))
                    whole := add(whole, mul(lanes, weight))
                    odd := add(odd, mul(and(shr(width, lanes), mask), weight))
                    at := add(at, stride)
                }
                let halves := and(shr(sub(width, 16), signs), mask)
                let even := add(sub(whole, shl(width, odd)), halves)
                odd := add(odd, halves)
                mstore(
                    add(add(start, distance), 0x20),
                    xor(or(and(shr(16, even), mask), shl(width, and(shr(16, odd), mask))), signs)
                )
            }
        }
    }

    /// @dev The same for lanes of 8 bits, which need slots four times as wide.
    function _averageBytes(bytes calldata data, uint256 stride, uint256[] memory weights, bytes memory result, uint256 mask, uint256 signs)
        private
        pure
    {
        if (stride == 0) return;
        assembly ("memory-safe") {
            let lastWeight := add(add(weights, 0x20), shl(5, mload(weights)))
            let distance := sub(result, data.offset)
            let end := add(data.offset, stride)
            for { let start := data.offset } lt(start, end) { start := add(start, 0x20) } {
                let whole := 0
                let first := 0
                let second := 0
                let third := 0
                let at := start
                for { let w := add(weights, 0x20) } lt(w, lastWeight) { w := add(w, 0x40) } {
                    let lanes := xor(calldataload(at), signs)
                    let weight := mload(w)
                    whole := add(whole, mul(lanes, weight))
                    first := add(first, mul(and(shr(8, lanes), mask), weight))
                    second := add(second, mul(and(shr(16, lanes), mask), weight))
                    third := add(third, mul(and(shr(24, lanes), mask), weight))
                    at := add(at, stride)
                    lanes := xor(calldataload(at), signs)
                    weight := mload(add(w, 0x20))
                    whole := add(whole, mul(lanes, weight))
                    first := add(first, mul(and(shr(8, lanes), mask), weight))
                    second := add(second, mul(and(shr(16, lanes), mask), weight))
                    third := add(third, mul(and(shr(24, lanes), mask), weight))
                    at := add(at, stride)
                }
                let halves := shl(8, and(signs, mask))
                whole := add(sub(sub(sub(whole, shl(8, first)), shl(16, second)), shl(24, third)), halves)
                let rounded := and(shr(16, whole), mask)
                rounded := or(rounded, shl(8, and(shr(16, add(first, halves)), mask)))
                rounded := or(rounded, shl(16, and(shr(16, add(second, halves)), mask)))
                rounded := or(rounded, shl(24, and(shr(16, add(third, halves)), mask)))
                mstore(add(add(start, distance), 0x20), xor(rounded, signs))
            }
        }
    }

    /// @dev The weights, and one of 0 where they are odd in number: whatever is weighted with it then.
    function _even(uint256[] memory weights) private pure returns (uint256[] memory even) {
        even = new uint256[](weights.length + (weights.length & 1));
        for (uint256 i; i < weights.length; ++i) {
            even[i] = weights[i];
        }
    }

    /// @dev For each word four polynomials: every fourth lane, in slots four times as wide, the slots in reverse order.
    function _factors(
        bytes memory vector,
        uint256 width,
        uint256 mask,
        uint256 signs,
        uint256 bias,
        uint256 quarters,
        uint256 eighths
    ) private pure returns (bytes memory factors, int256 sum) {
        factors = new bytes((vector.length + BLOCK - 1) / BLOCK * BLOCK * 4);
        if (vector.length == 0) return (factors, 0);
        assembly ("memory-safe") {
            let into := add(factors, 0x20)
            let end := add(add(vector, 0x20), mload(vector))
            let total := 0
            let totals := 0
            for { let at := add(vector, 0x20) } lt(at, end) { at := add(at, 0x20) } {
                let lanes := xor(mload(at), signs)
                lanes := or(shl(128, lanes), shr(128, lanes))
                lanes := or(shl(64, and(lanes, quarters)), and(shr(64, lanes), quarters))
                if eighths {
                    lanes := or(shl(32, and(lanes, eighths)), and(shr(32, lanes), eighths))
                }
                let some := and(lanes, mask)
                totals := add(totals, some)
                mstore(into, sub(some, bias))
                lanes := shr(width, lanes)
                some := and(lanes, mask)
                totals := add(totals, some)
                mstore(add(into, 0x20), sub(some, bias))
                lanes := shr(width, lanes)
                some := and(lanes, mask)
                totals := add(totals, some)
                mstore(add(into, 0x40), sub(some, bias))
                lanes := shr(width, lanes)
                some := and(lanes, mask)
                totals := add(totals, some)
                mstore(add(into, 0x60), sub(some, bias))
                into := add(into, 0x80)
            }
            let slot := shl(2, width)
            let slotMask := sub(shl(slot, 1), 1)
            for {} totals { totals := shr(slot, totals) } { total := add(total, and(totals, slotMask)) }
            sum := sub(total, mul(div(shl(3, mload(vector)), width), shl(sub(width, 1), 1)))
        }
    }

    /// @dev Four lanes of 16 bits at a time in slots of 64 bits, or eight of 8 bits in slots of 32; without sign, from which
    ///      the caller takes b times the other vector's sum away, since Σ(a + b)g = Σag + bΣg. What is wanted of both
    ///      products is the highest coefficient, for the squares that of a polynomial times itself in reverse order.
    ///
    ///      Lanes are twice in a row in memory, so that reading beside them turns them round by as much: by one lane for the
    ///      next polynomial, by one quarter and by three for the reverse order. What was read from memory the optimizer
    ///      keeps, where it would do shifts and masks anew at each use; `totals` is written only so that it is added up
    ///      here, and not after the last word from lanes that would have to be kept until then. Masks are parameters, and
    ///      the functions return early for nothing, so that they are neither computed anew nor inlined.
    /// @return dot Σ(a + b)g.
    /// @return norm Σ(a + b)².
    /// @return totals Σ(a + b), slot by slot.
    function _products16(bytes memory vector, bytes memory factors, uint256 mask, uint256 signs, uint256 quarters)
        private
        pure
        returns (int256 dot, uint256 norm, uint256 totals)
    {
        if (vector.length == 0) return (0, 0, 0);
        assembly ("memory-safe") {
            let end := add(add(vector, 0x20), mload(vector))
            factors := add(factors, 0x20)
            for { vector := add(vector, 0x20) } lt(vector, end) { vector := add(vector, 0x80) } {
                let lanes := xor(mload(vector), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                let first := and(mload(0x20), mask)
                let second := and(mload(0x1e), mask)
                let third := and(mload(0x1c), mask)
                let fourth := and(mload(0x1a), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(factors)), mul(second, mload(add(factors, 0x20)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0x40))), mul(fourth, mload(add(factors, 0x60)))))
                mstore(0x20, xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1e), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1c), mask)), mul(fourth, and(mload(0x1a), mask))))

                lanes := xor(mload(add(vector, 0x20)), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                first := and(mload(0x20), mask)
                second := and(mload(0x1e), mask)
                third := and(mload(0x1c), mask)
                fourth := and(mload(0x1a), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(add(factors, 0x80))), mul(second, mload(add(factors, 0xa0)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0xc0))), mul(fourth, mload(add(factors, 0xe0)))))
                mstore(0x20, xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1e), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1c), mask)), mul(fourth, and(mload(0x1a), mask))))

                lanes := xor(mload(add(vector, 0x40)), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                first := and(mload(0x20), mask)
                second := and(mload(0x1e), mask)
                third := and(mload(0x1c), mask)
                fourth := and(mload(0x1a), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(add(factors, 0x100))), mul(second, mload(add(factors, 0x120)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0x140))), mul(fourth, mload(add(factors, 0x160)))))
                mstore(0x20, xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1e), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1c), mask)), mul(fourth, and(mload(0x1a), mask))))

                lanes := xor(mload(add(vector, 0x60)), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                first := and(mload(0x20), mask)
                second := and(mload(0x1e), mask)
                third := and(mload(0x1c), mask)
                fourth := and(mload(0x1a), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(add(factors, 0x180))), mul(second, mload(add(factors, 0x1a0)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0x1c0))), mul(fourth, mload(add(factors, 0x1e0)))))
                mstore(0x20, xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1e), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1c), mask)), mul(fourth, and(mload(0x1a), mask))))

                factors := add(factors, 0x200)
            }
            norm := shr(192, norm)
            // Rounded, since the coefficients below may add up to less than nothing.
            dot := sar(192, add(dot, shl(191, 1)))
        }
    }

    function _products8(bytes memory vector, bytes memory factors, uint256 mask, uint256 signs, uint256 quarters, uint256 eighths)
        private
        pure
        returns (int256 dot, uint256 norm, uint256 totals)
    {
        if (vector.length == 0) return (0, 0, 0);
        assembly ("memory-safe") {
            let end := add(add(vector, 0x20), mload(vector))
            factors := add(factors, 0x20)
            for { vector := add(vector, 0x20) } lt(vector, end) { vector := add(vector, 0x80) } {
                let lanes := xor(mload(vector), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                let first := and(mload(0x20), mask)
                let second := and(mload(0x1f), mask)
                let third := and(mload(0x1e), mask)
                let fourth := and(mload(0x1d), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(factors)), mul(second, mload(add(factors, 0x20)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0x40))), mul(fourth, mload(add(factors, 0x60)))))
                lanes := xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters))
                mstore(0x20, or(shl(32, and(lanes, eighths)), and(shr(32, lanes), eighths)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1f), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1e), mask)), mul(fourth, and(mload(0x1d), mask))))

                lanes := xor(mload(add(vector, 0x20)), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                first := and(mload(0x20), mask)
                second := and(mload(0x1f), mask)
                third := and(mload(0x1e), mask)
                fourth := and(mload(0x1d), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(add(factors, 0x80))), mul(second, mload(add(factors, 0xa0)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0xc0))), mul(fourth, mload(add(factors, 0xe0)))))
                lanes := xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters))
                mstore(0x20, or(shl(32, and(lanes, eighths)), and(shr(32, lanes), eighths)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1f), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1e), mask)), mul(fourth, and(mload(0x1d), mask))))

                lanes := xor(mload(add(vector, 0x40)), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                first := and(mload(0x20), mask)
                second := and(mload(0x1f), mask)
                third := and(mload(0x1e), mask)
                fourth := and(mload(0x1d), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(add(factors, 0x100))), mul(second, mload(add(factors, 0x120)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0x140))), mul(fourth, mload(add(factors, 0x160)))))
                lanes := xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters))
                mstore(0x20, or(shl(32, and(lanes, eighths)), and(shr(32, lanes), eighths)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1f), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1e), mask)), mul(fourth, and(mload(0x1d), mask))))

                lanes := xor(mload(add(vector, 0x60)), signs)
                mstore(0x00, lanes)
                mstore(0x20, lanes)
                first := and(mload(0x20), mask)
                second := and(mload(0x1f), mask)
                third := and(mload(0x1e), mask)
                fourth := and(mload(0x1d), mask)
                totals := add(totals, add(add(first, second), add(third, fourth)))
                dot := add(dot, add(mul(first, mload(add(factors, 0x180))), mul(second, mload(add(factors, 0x1a0)))))
                dot := add(dot, add(mul(third, mload(add(factors, 0x1c0))), mul(fourth, mload(add(factors, 0x1e0)))))
                lanes := xor(mload(0x18), and(xor(mload(0x08), mload(0x18)), quarters))
                mstore(0x20, or(shl(32, and(lanes, eighths)), and(shr(32, lanes), eighths)))
                mstore(0x00, totals)
                norm := add(norm, add(mul(first, and(mload(0x20), mask)), mul(second, and(mload(0x1f), mask))))
                norm := add(norm, add(mul(third, and(mload(0x1e), mask)), mul(fourth, and(mload(0x1d), mask))))

                factors := add(factors, 0x200)
            }
            norm := shr(224, norm)
            // Rounded, since the coefficients below may add up to less than nothing.
            dot := sar(224, add(dot, shl(223, 1)))
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
