"""How long a run's contents are pinned: those of old rounds are let go, so that no list of them grows for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.storage.store import Store


def expired(last_used: Mapping[str, int], round_number: int, keep_rounds: int) -> list[str]:
    """Return the contents to let go when a round begins: those last used before the `keep_rounds` rounds up to it.

    last_used: round in which each address was last put; 0, before the first round, is kept for ever

    >>> expired({"terms": 0, "old": 1, "new": 2, "again": 3}, round_number=3, keep_rounds=2)
    ['old']
    """
    return [cid for cid, used in last_used.items() if 0 < used <= round_number - keep_rounds]


class RoundStore:
    """A store of one run that unpins what was last put, pinned or read more than `keep_rounds` rounds ago.

    What was used before the first round (terms, public inputs) stays. It holds one entry a pinned content.

    Raises ConfigError when `keep_rounds` is below 1.

    An audit of rounds that were let go finds their contents missing. Contents that another run put into the same store
    are let go, too, where this run put the same ones.
    """

    def __init__(self, store: Store, *, keep_rounds: int) -> None:
        if keep_rounds < 1:
            raise ConfigError(f"keep_rounds is {keep_rounds}; it must be 1 or more, or None to keep everything")
        self._store = store
        self._keep_rounds = keep_rounds
        self._round = 0
        self._last_used: dict[str, int] = {}

    def begin_round(self, round_number: int) -> None:
        """Let go of what is too old now. Where the store fails, it is tried again with the next round."""
        self._round = round_number
        for cid in expired(self._last_used, round_number, self._keep_rounds):
            self._store.unpin(cid)
            del self._last_used[cid]

    @property
    def location(self) -> str:
        """That of the store behind."""
        return self._store.location

    def put(self, data: bytes) -> str:
        """Store bytes, and keep them for this and the next rounds."""
        return self._use(self._store.put(data))

    def get(self, cid: str, *, max_bytes: int | None = None) -> bytes:
        """Return the bytes of an address; reading keeps what this run put."""
        data = self._store.get(cid, max_bytes=max_bytes)
        if cid in self._last_used:
            self._use(cid)
        return data

    def put_file(self, source: BinaryIO) -> str:
        """Store a seekable file, and keep it for this and the next rounds."""
        return self._use(self._store.put_file(source))

    def get_file(self, cid: str, target: BinaryIO, *, max_bytes: int | None = None) -> None:
        """Write the bytes of an address into a seekable file; reading keeps what this run put."""
        self._store.get_file(cid, target, max_bytes=max_bytes)
        if cid in self._last_used:
            self._use(cid)

    def pin(self, cid: str) -> None:
        """Keep the content of an address for this and the next rounds."""
        self._store.pin(cid)
        self._use(cid)

    def unpin(self, cid: str) -> None:
        """Let the content of an address go now."""
        self._store.unpin(cid)
        self._last_used.pop(cid, None)

    def is_pinned(self, cid: str) -> bool:
        """Whether the content of an address is kept."""
        return self._store.is_pinned(cid)

    def _use(self, cid: str) -> str:
        if self._last_used.get(cid) != 0:
            self._last_used[cid] = self._round
        return cid
