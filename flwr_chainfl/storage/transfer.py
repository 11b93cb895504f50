"""Contents that come and go in pieces: measured, bounded and checked against their address."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from flwr_chainfl.errors import ContentMismatchError, ContentTooLargeError
from flwr_chainfl.storage.cid import CHUNK_BYTES, AddressBuilder


def pieces(source: BinaryIO) -> Iterator[bytes]:
    """Give a seekable file from its beginning, a chunk at a time."""
    source.seek(0)
    while piece := source.read(CHUNK_BYTES):
        yield piece


def measure(source: BinaryIO, *, max_bytes: int) -> str:
    """Return the address of a seekable file; raises ContentTooLargeError."""
    builder = AddressBuilder()
    for piece in pieces(source):
        builder.update(piece)
        require_size(builder.size, max_bytes)
    return builder.address()


def receive(parts: Iterable[bytes], cid: str, target: BinaryIO, *, max_bytes: int, whose: str) -> None:
    """Write the content of an address into a seekable file at its position; on any error leave nothing of it there.

    whose: where the parts come from, for the error

    Raises ContentMismatchError, ContentTooLargeError, and what the parts raise.
    """
    start = target.tell()
    builder = AddressBuilder()
    try:
        for part in parts:
            builder.update(part)
            require_size(builder.size, max_bytes)
            target.write(part)
        if builder.address() != cid:
            raise ContentMismatchError(f"{whose}: {builder.size} bytes do not hash to {cid}")
    except BaseException:
        target.seek(start)
        target.truncate()
        raise


def receive_bytes(parts: Iterable[bytes], cid: str, *, max_bytes: int, whose: str) -> bytes:
    """Return the content of an address, as `receive` does."""
    target = io.BytesIO()
    receive(parts, cid, target, max_bytes=max_bytes, whose=whose)
    return target.getvalue()


def require_size(size: int, max_bytes: int) -> None:
    """Raise ContentTooLargeError for more bytes than a store takes or gives."""
    if size > max_bytes:
        raise ContentTooLargeError(
            f"the content has more than {max_bytes} bytes, the most that is taken here; allow more with max_bytes"
        )
