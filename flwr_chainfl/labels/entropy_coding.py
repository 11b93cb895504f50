"""Arithmetic coding of quantised soft labels, with frequencies that both sides learn as they go.

A model says which frequencies apply to the next symbol; a coder writes or reads that symbol and counts it.
`code_units` walks through the symbols in the same way for both, so writer and reader cannot come apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import CodecError
from flwr_chainfl.labels.quantization import unit_total

Frequencies = list[int]

# The range keeps at least 40 bits, against totals of at most 16: a symbol loses less than 2^-24 bits to rounding.
_STATE_BYTES = 6
_STATE_BITS = 8 * _STATE_BYTES
_MASK = (1 << _STATE_BITS) - 1
_TOP_SHIFT = _STATE_BITS - 8
_BOTTOM = 1 << _TOP_SHIFT

# Starting at 1 and counting by 2 is the estimator of Krichevsky and Trofimov, (count + 1/2) / (n + symbols / 2).
_START = 1
_STEP = 2
_MAX_TOTAL = 1 << 16

_MODELLED_BITS = 2
_DIVERGED = 2


class Coder(Protocol):
    """Writes symbols, or reads them: then the symbol that is passed is ignored."""

    def adaptive(self, frequencies: Frequencies, symbol: int) -> int:
        """Code a symbol by its frequency, count it, and return it."""

    def uniform(self, count: int, symbol: int) -> int:
        """Code one of `count` equally likely symbols and return it."""


class RangeEncoder:
    """Writes symbols into bytes.

    Source: Martin, "Range encoding", 1979; Witten, Neal, Cleary, CACM 30(6), 1987.
    """

    def __init__(self) -> None:
        self._low = 0
        self._range = 1 << _STATE_BITS
        self._out = bytearray()

    def adaptive(self, frequencies: Frequencies, symbol: int) -> int:
        """Code a symbol by its frequency, count it, and return it."""
        self._narrow(sum(frequencies[:symbol]), frequencies[symbol], sum(frequencies))
        _count(frequencies, symbol)
        return symbol

    def uniform(self, count: int, symbol: int) -> int:
        """Code one of `count` equally likely symbols and return it."""
        self._narrow(symbol, 1, count)
        return symbol

    def finish(self) -> bytes:
        """Return all bytes; the reader takes what is missing at the end as zeros."""
        value, kept = _shortest(self._low, self._range)
        self._carry(value)
        return bytes(self._out) + (value & _MASK).to_bytes(_STATE_BYTES, "big")[:kept]

    def _narrow(self, start: int, size: int, total: int) -> None:
        unit = self._range // total
        low = self._low + unit * start
        self._carry(low)
        low &= _MASK
        width = unit * size
        while width < _BOTTOM:
            self._out.append(low >> _TOP_SHIFT)
            low = (low << 8) & _MASK
            width <<= 8
        self._low = low
        self._range = width

    def _carry(self, low: int) -> None:
        if low > _MASK:
            last = len(self._out) - 1
            while self._out[last] == 255:
                self._out[last] = 0
                last -= 1
            self._out[last] += 1


class RangeDecoder:
    """Reads the symbols that `RangeEncoder` wrote.

    Raises CodecError as soon as the bytes can come from no encoder.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data + bytes(_STATE_BYTES)
        self._next = _STATE_BYTES
        self._value = int.from_bytes(self._data[:_STATE_BYTES], "big")
        self._range = 1 << _STATE_BITS

    def adaptive(self, frequencies: Frequencies, symbol: int) -> int:
        """Read a symbol by its frequency, count it, and return it."""
        target = self._target(sum(frequencies))
        start, found = 0, 0
        while start + frequencies[found] <= target:
            start += frequencies[found]
            found += 1
        self._narrow(start, frequencies[found])
        _count(frequencies, found)
        return found

    def uniform(self, count: int, symbol: int) -> int:
        """Read one of `count` equally likely symbols and return it."""
        target = self._target(count)
        self._narrow(target, 1)
        return target

    def finish(self) -> None:
        """Raise CodecError unless the bytes end as the encoder of these symbols ends them."""
        last = self._next - _STATE_BYTES
        length = len(self._data) - _STATE_BYTES
        window = int.from_bytes(self._data[last : self._next], "big")
        value, kept = _shortest(window - self._value, self._range)
        if (value, last + kept) != (window, length):
            raise CodecError(
                f"coded soft labels are {length} bytes and do not end with their last symbol; "
                "send what encode returned"
            )

    def _target(self, total: int) -> int:
        self._unit = self._range // total
        target = self._value // self._unit
        # Rounding leaves a gap that no encoder uses; reading on from it would let the state grow without bound.
        if target >= total:
            raise CodecError("coded soft labels hold a code that no symbol has; send what encode returned")
        return target

    def _narrow(self, start: int, size: int) -> None:
        value = self._value - self._unit * start
        width = self._unit * size
        while width < _BOTTOM:
            if self._next == len(self._data):
                raise CodecError(
                    f"coded soft labels end after {len(self._data) - _STATE_BYTES} bytes, too early; "
                    "send what encode returned"
                )
            value = value << 8 | self._data[self._next]
            self._next += 1
            width <<= 8
        self._value = value
        self._range = width


def code_units(
    coder: Coder,
    units: NDArray[np.uint8] | None,
    reference: NDArray[np.uint8] | None,
    *,
    tasks: int,
    classes: int,
    bits: int,
) -> NDArray[np.uint8]:
    """Write units through a coder, or read them (`units` None), and return them.

    For each task: the label with the most units; if `bits` is above 1, how many units it lacks to have all;
    and class by class the units of the others, until none is left. Frequencies depend on the reference's
    label and units, so what rarely changes costs little. Without a reference, classes come in the order in
    which tasks of the same label have favoured them so far.

    units, reference: uint8 (tasks, classes), rows summing to 2^bits − 1
    returns: uint8 (tasks, classes), rows summing to 2^bits − 1, whatever a reader reads

    Raises CodecError when a reader's bytes can come from no encoder.
    Source: docs/protocols/soft-label.md, "Compression".
    """
    total = unit_total(bits)
    label_model = _LabelModel(classes)
    value_model = _ValueModel(total, classes)
    rows: Sequence[list[int]] = [[0] * classes] * tasks if units is None else units.tolist()
    labels: Sequence[int] = [0] * tasks if units is None else units.argmax(axis=1).tolist()
    if reference is None:
        known_labels: Sequence[int | None] = [None] * tasks
        known_rows, orders = None, None
    else:
        known_labels = reference.argmax(axis=1).tolist()
        known_rows = reference.tolist()
        orders = np.argsort(-reference.astype(np.int16), axis=1, kind="stable").tolist()
    coded = np.zeros((tasks, classes), dtype=np.uint8)
    for task in range(tasks):
        label = label_model.code(coder, labels[task], known_labels[task])
        if bits == 1:
            coded[task, label] = 1
        elif known_rows is None or orders is None:
            coded[task] = value_model.code_alone(coder, rows[task], label)
        else:
            same = label == known_labels[task]
            coded[task] = value_model.code_against(coder, rows[task], label, same, known_rows[task], orders[task])
    return coded


class _LabelModel:
    """A label's frequencies: first whether it is the reference's, then which other, by the reference's label."""

    def __init__(self, classes: int) -> None:
        self._alone = [_START] * classes
        self._changed = [[_START] * 2 for _ in range(classes)]
        self._others = [[_START] * (classes - 1) for _ in range(classes)]

    def code(self, coder: Coder, label: int, known: int | None) -> int:
        if known is None:
            return coder.adaptive(self._alone, label)
        if not coder.adaptive(self._changed[known], int(label != known)):
            return known
        other = coder.adaptive(self._others[known], label - (label > known))
        return other + (other >= known)


class _ValueModel:
    """The frequencies of how a task's units are shared, its label given.

    A number is coded as its bit length, by the bit length of the most that it can be and of the reference's
    number (or the class's place in the order); then two bits after the leading one, by whether the reference
    begins in the same way and goes on with 0 or 1; then the rest, all values equally likely.
    """

    def __init__(self, total: int, classes: int) -> None:
        self._total = total
        self._most_lacking = total - -(-total // classes)
        lengths = total.bit_length() + 1
        self._lacking = [
            [[_START] * (self._most_lacking.bit_length() + 1) for _ in range(lengths)] for _ in range(2)
        ]
        self._shared = [[[_START] * (most + 1) for _ in range(max(lengths, classes))] for most in range(lengths)]
        self._bits: defaultdict[tuple[int, int, int], Frequencies] = defaultdict(lambda: [_START] * 2)
        self._favoured = [[0] * classes for _ in range(classes)]

    def code_against(
        self, coder: Coder, row: list[int], label: int, same: bool, known: list[int], order: list[int]
    ) -> list[int]:
        expected = self._total - known[label]
        lacking = self._number(
            coder, self._total - row[label], self._most_lacking, self._lacking[same][expected.bit_length()], expected
        )
        others = [one for one in order if one != label]
        return self._share(coder, row, label, lacking, others, [known[one].bit_length() for one in others], known)

    def code_alone(self, coder: Coder, row: list[int], label: int) -> list[int]:
        lacking = self._number(coder, self._total - row[label], self._most_lacking, self._lacking[0][0], 0)
        favoured = self._favoured[label]
        others = sorted(
            (one for one in range(len(row)) if one != label), key=favoured.__getitem__, reverse=True
        )
        coded = self._share(coder, row, label, lacking, others, range(len(others)), [0] * len(row))
        for one in others:
            favoured[one] += coded[one]
        return coded

    def _share(
        self,
        coder: Coder,
        row: list[int],
        label: int,
        lacking: int,
        others: list[int],
        contexts: Sequence[int],
        expected: list[int],
    ) -> list[int]:
        coded = [0] * len(row)
        coded[label] = most = self._total - lacking
        left = lacking
        for one, context in zip(others[:-1], contexts, strict=False):
            if left == 0:
                break
            bound = min(left, most)
            coded[one] = self._number(
                coder, row[one], bound, self._shared[bound.bit_length()][context], expected[one]
            )
            left -= coded[one]
        coded[others[-1]] += left
        return coded

    def _number(self, coder: Coder, value: int, bound: int, lengths: Frequencies, expected: int) -> int:
        length = coder.adaptive(lengths, value.bit_length())
        if length < 2:
            return length
        prefix, rest = 1, length - 1
        last = max(0, rest - _MODELLED_BITS)
        while rest > last:
            rest -= 1
            prefix <<= 1
            # A 1 that would go beyond the bound is impossible, so the bit need not be coded.
            if (prefix + 1) << rest <= bound:
                bit = (expected >> rest) - prefix
                state = bit if 0 <= bit <= 1 else _DIVERGED
                prefix += coder.adaptive(self._bits[length, prefix, state], value >> rest & 1)
        if rest == 0:
            return prefix
        low = prefix << rest
        return low + coder.uniform(min(1 << rest, bound - low + 1), value - low)


def _shortest(low: int, width: int) -> tuple[int, int]:
    """Return the number from `low` to below `low + width` that ends in the most zero bytes, and how many it keeps."""
    for kept in range(_STATE_BYTES):
        rest = (1 << (_STATE_BITS - 8 * kept)) - 1
        value = (low + rest) & ~rest
        if value < low + width:
            return value, kept
    return low, _STATE_BYTES


def _count(frequencies: Frequencies, symbol: int) -> None:
    frequencies[symbol] += _STEP
    if sum(frequencies) > _MAX_TOTAL:
        frequencies[:] = [(one + 1) >> 1 for one in frequencies]
