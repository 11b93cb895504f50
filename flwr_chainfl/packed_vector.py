"""Vectors of signed integers, packed: fixed point, weighted average, products; twin of contracts/libraries/PackedVector.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import VectorError

UNIT = 2**16
"""What the weights of an average add up to, so that an average is a shift in place of a division."""

LANE_BITS = (8, 16, 32)
_WORD = 32

Lanes = NDArray[np.int64]


@dataclass(frozen=True)
class Quantized:
    """A vector in fixed point.

    lanes: int64 (parameters,), each within ±(2^(bits−1) − 1); clipped: share of the values that were out of range
    """

    lanes: Lanes
    clipped: float


def quantize(values: NDArray[np.float64], *, step: float, bits: int) -> Quantized:
    """Round values to multiples of a step, halves to even; what is out of range is clipped.

    values: float64 (parameters,); step: what an integer of 1 stands for, above 0; bits: of a lane, 8, 16 or 32

    Raises VectorError when a value is NaN or infinite, or the step is not a positive number.

    >>> quantize(np.array([0.5, -0.26, 100.0]), step=0.25, bits=8)
    Quantized(lanes=array([  2,  -1, 127]), clipped=0.3333333333333333)
    """
    if not np.isfinite(step) or step <= 0:
        raise VectorError(f"the step is {step}; a positive number is needed")
    strange = np.flatnonzero(~np.isfinite(values))
    if len(strange):
        raise VectorError(
            f"value {strange[0]} of the update is {values[strange[0]]}; all of them must be finite: train with a lower "
            f"learning rate"
        )
    limit = 2 ** (bits - 1) - 1
    rounded = np.rint(values / step)
    out = np.abs(rounded) > limit
    return Quantized(np.clip(rounded, -limit, limit).astype(np.int64), float(out.mean()) if len(values) else 0.0)


def packed_length(parameters: int, *, bits: int) -> int:
    """Return the bytes of a packed vector: whole words of 32.

    >>> packed_length(17, bits=16)
    64
    """
    return -(-parameters * bits // (8 * _WORD)) * _WORD


def pack(lanes: Lanes, *, bits: int) -> bytes:
    """Return a vector as the contract reads it: two's complement, big endian, filled up with zeros to whole words.

    >>> pack(np.array([1, -1]), bits=16)[:6].hex()
    '0001ffff0000'
    """
    data = lanes.astype(f">i{bits // 8}").tobytes()
    return data + bytes(packed_length(len(lanes), bits=bits) - len(data))


def unpack(data: bytes, *, parameters: int, bits: int) -> Lanes:
    """Return the lanes of a packed vector, int64 (parameters,).

    Raises VectorError for another length, or where what fills up the last word is not 0.
    """
    expected = packed_length(parameters, bits=bits)
    if len(data) != expected:
        raise VectorError(f"a vector has {len(data)} bytes; {parameters} parameters of {bits} bits take {expected}")
    lanes = np.frombuffer(data, dtype=f">i{bits // 8}").astype(np.int64)
    if lanes[parameters:].any():
        raise VectorError(f"a vector of {parameters} parameters goes on with other numbers than 0; send it again")
    return lanes[:parameters]


def weighted_average(vectors: Sequence[Lanes], weights: Sequence[int]) -> Lanes:
    """Return the average of vectors, each lane rounded to the nearest integer, halves up.

    weights: parts of `UNIT`, which add up to it

    >>> weighted_average([np.array([3, -3]), np.array([0, 0])], [2**15, 2**15])
    array([ 2, -1])
    """
    return (_weighted_sum(vectors, weights) + UNIT // 2) >> 16


def average_remainder(vectors: Sequence[Lanes], weights: Sequence[int]) -> Lanes:
    """Return what `weighted_average` rounded away, in parts of `UNIT`: from −UNIT/2 to UNIT/2 − 1 each.

    >>> average_remainder([np.array([3, -3]), np.array([0, 0])], [2**15, 2**15])
    array([-32768, -32768])
    """
    total = _weighted_sum(vectors, weights)
    return total - ((total + UNIT // 2) >> 16 << 16)


def _weighted_sum(vectors: Sequence[Lanes], weights: Sequence[int]) -> Lanes:
    total = np.zeros(len(vectors[0]), dtype=np.int64)
    for vector, weight in zip(vectors, weights, strict=True):
        total += vector * weight
    return total


def dot(first: Lanes, second: Lanes) -> int:
    """Return the dot product of two vectors, exactly.

    >>> dot(np.array([2**31 - 1] * 2), np.array([-(2**31)] * 2))
    -9223372032559808512
    """
    largest = int(np.abs(first).max(initial=0)) * int(np.abs(second).max(initial=0))
    if largest * len(first) < 2**63:
        return int(first @ second)
    if largest * 2 >= 2**63:
        return sum(map(int.__mul__, first.tolist(), second.tolist()))
    size = max(1, (2**63 - 1) // largest)
    return sum(int(first[i : i + size] @ second[i : i + size]) for i in range(0, len(first), size))
