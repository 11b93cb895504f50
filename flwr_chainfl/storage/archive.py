"""Content-addressed archives (CAR version 1): a content cut and linked already, as a node imports it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from flwr_chainfl.storage.cid import AddressBuilder, binary, block_cid, varint
from flwr_chainfl.storage.transfer import pieces


class Archive:
    """Gives the bytes of an archive as a file does that can only be read, some blocks at a time."""

    def __init__(self, sections: Iterator[bytes]) -> None:
        self._sections = sections
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._sections, b""))
        given, self._rest = self._rest[:size], self._rest[size:]
        return bytes(given)


def archive(source: BinaryIO, cid: str) -> Archive:
    """Return the archive of a seekable file's chunks and of the tree over them.

    cid: the file's address, the archive's root

    Source: https://ipld.io/specs/transport/car/carv1/
    """
    return Archive(_sections(source, cid))


def _sections(source: BinaryIO, cid: str) -> Iterator[bytes]:
    # DAG-CBOR of {"roots": [cid], "version": 1}
    header = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + binary(cid) + b"\x67version\x01"
    yield varint(len(header)) + header
    tree: list[bytes] = []
    builder = AddressBuilder(block=lambda block_id, block: tree.append(_section(block_id, block)))
    for chunk in pieces(source):
        yield _section(block_cid(chunk), chunk)
        builder.update(chunk)
        yield from tree
        tree.clear()
    builder.address()
    yield from tree


def _section(cid: bytes, block: bytes) -> bytes:
    return varint(len(cid) + len(block)) + cid + block
