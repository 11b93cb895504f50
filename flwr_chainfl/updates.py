"""A weight update as a packed vector: which parameters, in which order, in which fixed point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from flwr_chainfl.draws import draws
from flwr_chainfl.errors import ConfigError, ReportShapeError
from flwr_chainfl.packed_vector import LANE_BITS, Lanes, Quantized, quantize


@dataclass(frozen=True, kw_only=True)
class Updates:
    """What of a weight update is averaged and scored.

    By default every floating-point parameter of the model, which the contract then averages. With `names`, those arrays
    alone (a head, an adapter): they are averaged, and the rest of the model stays as it was. With `projection`, a sketch of
    the update for the score alone, while an inner strategy averages the full weights: every parameter is added to one of so
    many lanes, or taken from it, as the seed says. A sketch is cheap at any size, and proves less: dot products of sketches
    are right up to about √(2/projection) of the lengths, and who knows the seed, which is public, can make an update whose
    sketch is like the others' and whose rest is not. What is averaged should then be bounded by other means.

    In 8 bits rounding loses what shows in the model. With `feedback` it is made up for in the next round: a client adds to its
    update what its own last one lost, and what the last average lost, which the server sends it, a byte a parameter. 16 bits and
    more lose nothing that could be measured, and a sketch moves nothing, so there is nothing to make up for.

    bits: of a lane, 8, 16 or 32; names: of arrays, empty for all; projection: lanes of a sketch, 0 for none; seed: of the
    sketch, from 0; feedback: whether rounding in 8 bits is made up for

    Source: docs/protocols/alignment.md, "What of a model goes on chain" and "Rounding"; error feedback: Seide et al.,
    Interspeech 2014.
    """

    bits: int = 16
    names: tuple[str, ...] = ()
    projection: int = 0
    seed: int = 0
    feedback: bool = True

    def __post_init__(self) -> None:
        if self.bits not in LANE_BITS:
            raise ConfigError(f"updates have {self.bits} bits a parameter; 8, 16 and 32 are possible")
        if self.projection < 0 or 0 < self.projection < 8:
            raise ConfigError(f"a sketch has {self.projection} lanes; 8 or more are needed, or 0 for none")

    @property
    def averages(self) -> bool:
        """Whether the vectors' average is what the model moves by; a sketch's is not."""
        return not self.projection

    @property
    def feeds_back(self) -> bool:
        """Whether what rounding took away is added to the next update."""
        return self.feedback and self.bits == 8 and self.averages

    def chosen(self, arrays: ArrayRecord) -> list[str]:
        """Return the names of the arrays that count, in order.

        Raises ConfigError when one is missing or is no floating-point array.
        """
        floating = sorted(name for name, array in arrays.items() if array.numpy().dtype.kind == "f")
        missing = sorted(set(self.names) - set(floating))
        if missing:
            raise ConfigError(f"the model has no floating-point array {missing[0]!r}; it has {', '.join(floating)}")
        return [name for name in floating if not self.names or name in self.names]

    def parameters(self, arrays: ArrayRecord) -> int:
        """Return the lanes of a vector for a model of these arrays."""
        return self.projection or sum(arrays[name].numpy().size for name in self.chosen(arrays))

    def vector(self, arrays: ArrayRecord, reference: ArrayRecord, *, step: float) -> Quantized:
        """Return reference − arrays in multiples of a step, as FedAvg's gradient g = θ_before − θ_after.

        arrays: trained; reference: the global model that the training began with; step: what an integer of 1 stands for

        Raises VectorError for values that are not finite, ReportShapeError for arrays of other shapes.
        """
        quantized = quantize(self._difference(arrays, reference), step=step, bits=self.bits)
        if not self.projection:
            return quantized
        return Quantized(self._sketch(quantized.lanes), quantized.clipped)

    def applied(self, reference: ArrayRecord, lanes: Lanes | NDArray[np.float64], *, step: float) -> ArrayRecord:
        """Return the model that an average leads to: reference − step · lanes; arrays that do not count stay."""
        moved, start = {}, 0
        chosen = set(self.chosen(reference))
        for name in sorted(reference):
            before = reference[name].numpy()
            if name in chosen:
                change = lanes[start : start + before.size].astype(np.float64) * step
                moved[name] = (before.astype(np.float64) - change.reshape(before.shape)).astype(before.dtype)
                start += before.size
        return ArrayRecord({n: Array(moved[n]) if n in moved else reference[n] for n in reference})

    def shifted(self, arrays: ArrayRecord, reference: ArrayRecord, residual: NDArray[np.float64]) -> ArrayRecord:
        """Return arrays with a residual added to the update that they stand for.

        residual: float64 (parameters,), in the order of `vector`

        Raises ReportShapeError for arrays of other shapes.
        """
        moved = self.applied(reference, self._difference(arrays, reference) + residual, step=1.0)
        chosen = set(self.chosen(reference))
        return ArrayRecord({name: moved[name] if name in chosen else array for name, array in arrays.items()})

    def residual(self, arrays: ArrayRecord, reference: ArrayRecord, *, step: float) -> NDArray[np.float64]:
        """Return what an update loses when it is rounded and clipped, float64 (parameters,)."""
        return self._difference(arrays, reference) - step * self.vector(arrays, reference, step=step).lanes

    def _difference(self, arrays: ArrayRecord, reference: ArrayRecord) -> NDArray[np.float64]:
        parts = []
        for name in self.chosen(reference):
            if name not in arrays or arrays[name].numpy().shape != reference[name].numpy().shape:
                raise ReportShapeError(f"array {name!r} is missing or of another shape; use the same architecture")
            parts.append((reference[name].numpy().astype(np.float64) - arrays[name].numpy().astype(np.float64)).ravel())
        return np.concatenate(parts)

    def _sketch(self, lanes: Lanes) -> Lanes:
        """Add each lane to one of the sketch's, with a sign; scaled down by about the root of how many meet in one."""
        drawn = draws(self.seed, np.arange(len(lanes), dtype=np.uint64))
        places = ((drawn >> np.uint64(32)) * np.uint64(self.projection) >> np.uint64(32)).astype(np.int64)
        signs = 1 - 2 * (drawn & np.uint64(1)).astype(np.int64)
        sketch = np.zeros(self.projection, dtype=np.int64)
        np.add.at(sketch, places, signs * lanes)
        shift = max(len(lanes) // self.projection, 1).bit_length() // 2
        limit = 2 ** (self.bits - 1) - 1
        scaled: Lanes = np.clip((sketch + (1 << shift >> 1)) >> shift, -limit, limit)
        return scaled


def first_step(bits: int) -> float:
    """Return a step for a round before which no update is known: a range of ±1 in 8 bits, steps of 2⁻¹² in more.

    >>> first_step(8), first_step(16)
    (0.0078125, 0.000244140625)
    """
    return float(2.0 ** max(-12, 1 - bits))


def fitting_step(largest: float, *, bits: int) -> float:
    """Return the smallest power of two of which `largest` is a quarter below the most that a lane can hold.

    >>> fitting_step(0.5, bits=16)
    3.0517578125e-05
    """
    limit = 2 ** (bits - 1) - 1
    if not np.isfinite(largest) or largest <= 0:
        return 2.0**-20
    return float(2.0 ** np.ceil(np.log2(1.25 * largest / limit)))
