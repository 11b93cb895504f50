"""The seam of all stores."""

from __future__ import annotations

from typing import BinaryIO, Protocol

MAX_BYTES = 2 << 30
"""Largest content that a store takes or gives unless told otherwise, in bytes."""


class Store(Protocol):
    """Bytes in, address out, and back.

    What is put is *pinned*: it stays until it is unpinned. What is not pinned may be gone at any time. Pins belong to
    the store, not to whoever pinned: one unpinning is enough, however often the same content was put. Every method can
    be called again after it failed.
    """

    @property
    def location(self) -> str:
        """What `open_store` takes to open it again, without any password."""

    def put(self, data: bytes) -> str:
        """Store bytes, pin them, and return their content address. Storing them again changes nothing.

        Raises ContentTooLargeError, StorageError.
        """

    def get(self, cid: str, *, max_bytes: int | None = None) -> bytes:
        """Return the bytes of an address, whose hash was checked.

        max_bytes: a tighter bound than the store's, where it is known how large the content can be

        Raises AddressError when it is no address, ContentNotFoundError when nothing is stored under it,
        ContentMismatchError when what is stored does not hash to it, ContentTooLargeError when it is more than the
        store gives.
        """

    def put_file(self, source: BinaryIO) -> str:
        """Store a seekable file from its beginning, as `put` does, holding no more than a chunk of it in memory."""

    def get_file(self, cid: str, target: BinaryIO, *, max_bytes: int | None = None) -> None:
        """Write the bytes of an address into a seekable file at its position, as `get` does, a chunk at a time.

        They are checked when all are there; on an error nothing of them is left in the file.
        """

    def pin(self, cid: str) -> None:
        """Keep the content of an address, which is fetched where a network has it.

        Raises AddressError, ContentNotFoundError.
        """

    def unpin(self, cid: str) -> None:
        """Let the content of an address go. Where it is not pinned, nothing happens. Raises AddressError."""

    def is_pinned(self, cid: str) -> bool:
        """Whether the content of an address is kept. Raises AddressError."""


def bound(store_bytes: int, max_bytes: int | None) -> int:
    """Return the tighter of a store's bound and that of one call."""
    return store_bytes if max_bytes is None else min(store_bytes, max_bytes)
