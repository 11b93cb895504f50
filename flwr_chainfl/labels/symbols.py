"""The labels of several participants as one number a task, so that tables replace work label by label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SHARE_UNIT = 1 << 10
"""One, as the unit of the shares that are counted."""

_SYMBOLS = 1 << 11
_ADDED_AT_ONCE = 96  # participants
_ROW_ENTRIES = 1 << 18
_TABLE_ENTRIES = 1 << 15
_HALF = 1 << 26  # two sums side by side in a float64, the second in this unit
_COUNTED_AT_ONCE = _HALF // SHARE_UNIT - 1  # tasks


class Symbols:
    """Reports, the labels of several participants to a task being the digits of one number.

    A task then costs one look-up for several participants. All sums are over whole numbers, some of them side by side in
    one word, and exact.
    """

    def __init__(self, reports: NDArray[np.uint8], *, classes: int) -> None:
        """Take reports, uint8 (participants, tasks), labels below `classes` or `NO_REPORT`."""
        self._participants, self._tasks = reports.shape
        gaps = int(reports.max()) >= classes
        self._classes = classes
        self._base = classes + 1 if gaps else classes
        self._width = 1
        while self._base ** (self._width + 1) <= min(_SYMBOLS, self._tasks):
            self._width += 1
        self._size = self._base**self._width
        groups = -(-self._participants // self._width)
        # Digits that belong to nobody are 0.
        self._symbols = np.zeros((groups, self._tasks), dtype=np.uint16)
        for digit in range(self._width):
            if digit:
                self._symbols *= np.uint16(self._base)
            rows = reports[digit :: self._width]
            self._symbols[: len(rows)] += np.minimum(rows, classes) if gaps else rows

    def votes(self, weights: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Add up the weights of the participants that gave each label; int64 (classes, tasks).

        weights: int64 (participants,), 0 or more; without, everybody has one vote
        """
        one_each = np.eye(self._classes, dtype=np.int64)
        if weights is None:
            return self.add_up(np.broadcast_to(one_each, (self._participants, *one_each.shape)))
        return self.add_up(weights[:, None, None] * one_each)

    def add_up(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up over participants the column of each one's label; nothing where it has none.

        rows: int64 (participants, rows, classes), 0 or more, no sum over participants above 2⁶³
        returns: int64 (rows, tasks)
        """
        # Sums of several rows lie side by side in a word, as many as have room for what a block of participants adds up to.
        height = rows.shape[1]
        some = max(1, min(_ADDED_AT_ONCE, self._participants, _ROW_ENTRIES // (height * self._base)))
        at_once = -(-some // self._width) * self._width
        bits = max(1, (int(rows.max()) * at_once).bit_length())
        lanes = max(1, min(height, 64 // bits))
        words = -(-height // lanes)
        shifts = np.arange(lanes, dtype=np.uint64)[:, None, None] * np.uint64(bits)
        mask = np.uint64((1 << bits) - 1)
        total = np.empty((self._tasks, words), dtype=np.uint64)
        picked = np.empty_like(total)
        sums: NDArray[np.uint64] | None = None
        for start in range(0, self._participants, at_once):
            packed = self._pack(rows[start : start + at_once], shifts, words)
            into = total
            for group, table in self._tables(packed, start // self._width):
                table.take(self._symbols[group], axis=0, out=into, mode="clip")
                if into is picked:
                    np.add(total, picked, out=total)
                into = picked
            part = total.T.copy() >> shifts
            part &= mask
            if sums is None:
                sums = part
            else:
                sums += part
        assert sums is not None
        return sums.reshape(lanes * words, -1)[:height].view(np.int64)

    def _pack(self, rows: NDArray[np.int64], shifts: NDArray[np.uint64], words: int) -> NDArray[np.uint64]:
        """Return rows side by side in words, uint64 (groups, width, words, base), zeros for nobody."""
        lanes = len(shifts)
        groups = -(-len(rows) // self._width)
        padded = np.zeros((groups * self._width, lanes * words, self._base), dtype=np.uint64)
        padded[: len(rows), : rows.shape[1], : self._classes] = rows
        split = padded.reshape(-1, lanes, words, self._base)
        split <<= shifts
        packed: NDArray[np.uint64] = split.sum(axis=1)
        return packed.reshape(groups, self._width, words, self._base)

    def _tables(self, packed: NDArray[np.uint64], first: int) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        """Yield each group's number, and the sums of the rows of its symbols' digits, uint64 (symbols, words)."""
        words = packed.shape[2]
        at_once = max(1, _TABLE_ENTRIES // (self._size * words))
        for start in range(0, len(packed), at_once):
            some = packed[start : start + at_once]
            tables = some[:, 0]
            for digit in range(1, self._width):
                tables = (tables[..., None] + some[:, digit, :, None, :]).reshape(len(some), words, -1)
            yield from enumerate(tables.transpose(0, 2, 1).copy(), start=first + start)

    def count(self, shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """Add up the shares of the tasks that each participant gave each label.

        shares: whole float64 (rows, tasks), from 0 to `SHARE_UNIT`
        returns: int64 (participants, rows, classes)
        """
        counts = np.zeros((self._participants, len(shares), self._classes), dtype=np.int64)
        for start in range(0, self._tasks, _COUNTED_AT_ONCE):
            span = slice(start, start + _COUNTED_AT_ONCE)
            self._count(self._symbols[:, span], shares[:, span], counts)
        return counts

    def _count(self, symbols: NDArray[np.uint16], shares: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        rows, tasks = shares.shape
        second = rows // 2
        # Two rows a float64, which bincount adds up: both sums stay below _HALF.
        pairs = shares[0::2].copy()
        pairs[:second] += shares[1::2] * _HALF
        filled = pairs != 0
        where = [np.flatnonzero(row) if 2 * np.count_nonzero(row) < tasks else None for row in filled]
        weights = [pair if at is None else pair[at] for at, pair in zip(where, pairs, strict=True)]
        at_once = max(1, _TABLE_ENTRIES // (self._size * len(pairs)))
        for start in range(0, len(symbols), at_once):
            part = symbols[start : start + at_once]
            tables = np.empty((len(part), len(pairs), self._size))
            for own, symbol in zip(tables, part, strict=True):
                index = symbol.astype(np.intp)
                for row, at, weight in zip(own, where, weights, strict=True):
                    row[:] = np.bincount(index if at is None else index[at], weights=weight, minlength=self._size)
            both = _by_digit(tables, self._base, self._width).astype(np.int64)[..., : self._classes]
            both = both.transpose(0, 2, 1, 3).reshape(-1, len(pairs), self._classes)
            mine = counts[start * self._width : (start + at_once) * self._width]
            mine[:, 0::2] += both[: len(mine)] % _HALF
            mine[:, 1::2] += both[: len(mine), :second] // _HALF


def _by_digit(tables: NDArray[np.float64], base: int, width: int) -> NDArray[np.float64]:
    """Add up, for each digit and each of its values, the symbols that have it.

    tables: (…, base ** width); returns: (…, width, base)
    """
    if width == 1:
        return tables[..., None, :]
    low = width // 2
    split = tables.reshape(*tables.shape[:-1], -1, base**low)
    # A product with ones adds up faster than sum does; whole numbers below 2⁵³ are exact in any order.
    highs = _by_digit(split @ np.ones(split.shape[-1]), base, width - low)
    return np.concatenate([highs, _by_digit(np.ones(split.shape[-2]) @ split, base, low)], axis=-2)
