"""The seam of all stores."""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Bytes in, address out, and back."""

    def put(self, data: bytes) -> str:
        """Store bytes and return their content address. Storing them again changes nothing."""

    def get(self, cid: str) -> bytes:
        """Return the bytes of an address.

        Raises AddressError when it is no address, ContentNotFoundError when nothing is stored under it,
        ContentMismatchError when what is stored does not hash to it.
        """
