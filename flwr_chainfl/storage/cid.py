"""Content addresses equal to an IPFS node's: CIDv1, raw leaves, 1 MiB chunks, 1024 links (profile unixfs-v1-2025)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from flwr_chainfl.errors import AddressError

CHUNK_BYTES = 1 << 20
LINKS_PER_NODE = 1024

_RAW = 0x55
_DAG_PB = 0x70
_SHA2_256 = 0x12
_UNIXFS_FILE = 2
_RAW_PREFIX = bytes([1, _RAW, _SHA2_256, 32])
_DAG_PB_PREFIX = bytes([1, _DAG_PB, _SHA2_256, 32])


@dataclass(frozen=True)
class _Node:
    """A block of the tree over the chunks.

    cid: binary CID; content_bytes: file bytes below it; tree_bytes: encoded bytes of it and all below it
    """

    cid: bytes
    content_bytes: int
    tree_bytes: int


class AddressBuilder:
    """Computes the CID of bytes that come piece by piece, however they are cut; holds a chunk and a few links.

    chunk_bytes, links: other values than the defaults give addresses that a node computes only when it is
        set to them
    block: called with the binary CID and the bytes of each block above the chunks, when it is complete
    """

    def __init__(
        self,
        *,
        chunk_bytes: int = CHUNK_BYTES,
        links: int = LINKS_PER_NODE,
        block: Callable[[bytes, bytes], object] = lambda cid, data: None,
    ) -> None:
        self._chunk_bytes = chunk_bytes
        self._links = links
        self._block = block
        self._chunk = hashlib.sha256()
        self._filled = 0
        self._levels: list[list[_Node]] = [[]]  # of each level of the tree, the nodes that have no parent yet
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        self.size += len(view)
        while len(view):
            if self._filled == self._chunk_bytes:
                self._end_chunk()
            part = view[: self._chunk_bytes - self._filled]
            self._chunk.update(part)
            self._filled += len(part)
            view = view[len(part) :]

    def address(self) -> str:
        """Return the CID of all bytes that came, in base32; nothing can be added afterwards."""
        self._end_chunk()
        level = 0
        while level < len(self._levels) - 1 or len(self._levels[level]) > 1:
            if self._levels[level]:
                self._close(level)
            level += 1
        return _text(self._levels[level][0].cid)

    def _end_chunk(self) -> None:
        if self.size == 0 or self._filled:
            self._levels[0].append(_Node(_RAW_PREFIX + self._chunk.digest(), self._filled, self._filled))
        self._chunk = hashlib.sha256()
        self._filled = 0
        level = 0
        while len(self._levels[level]) == self._links:
            self._close(level)
            level += 1

    def _close(self, level: int) -> None:
        """Give the nodes of a level a parent."""
        if level + 1 == len(self._levels):
            self._levels.append([])
        node, data = _parent(self._levels[level])
        self._levels[level + 1].append(node)
        self._block(node.cid, data)
        self._levels[level] = []


def address(data: bytes, *, chunk_bytes: int = CHUNK_BYTES, links: int = LINKS_PER_NODE) -> str:
    """Return the CID of bytes, in base32; `AddressBuilder` has the parameters.

    >>> address(b"hello world")
    'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
    """
    builder = AddressBuilder(chunk_bytes=chunk_bytes, links=links)
    builder.update(data)
    return builder.address()


def block_cid(chunk: bytes) -> bytes:
    """Return the binary CID of one chunk."""
    return _RAW_PREFIX + hashlib.sha256(chunk).digest()


def binary(cid: str) -> bytes:
    """Return the 36 bytes of a CID; raises AddressError as `digest` does."""
    return _parse(cid)


def digest(cid: str) -> bytes:
    """Return the 32-byte SHA-256 digest inside a CID.

    Raises AddressError when it is not a base32 CIDv1 of a raw or dag-pb block with a SHA-256 digest.
    """
    return _parse(cid)[4:]


def address_of_digest(found: bytes) -> str:
    """Return the CID of content of one chunk, up to 1 MiB, from its SHA-256 digest."""
    return _text(_RAW_PREFIX + found)


def _text(binary: bytes) -> str:
    return "b" + base64.b32encode(binary).decode().lower().rstrip("=")


def _parse(cid: str) -> bytes:
    try:
        binary = base64.b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))
    except ValueError:
        binary = b""
    known = len(binary) == 36 and binary[0] == 1 and binary[1] in (_RAW, _DAG_PB) and binary[2:4] == bytes([_SHA2_256, 32])
    # Spelling it again refuses capitals, and anything in the bits that the last digit has to spare.
    if not known or cid != _text(binary):
        raise AddressError(
            f"{cid!r} is no content address; a CIDv1 in base32 of a raw or dag-pb block with SHA-256 is needed (b…)"
        )
    return binary


def _parent(children: list[_Node]) -> tuple[_Node, bytes]:
    """Encode a dag-pb node with a UnixFS file header over its children (IPLD dag-pb: links first, then data)."""
    links = b"".join(
        _field(2, _field(1, child.cid) + _field(2, b"") + _number(3, child.tree_bytes)) for child in children
    )
    size = sum(child.content_bytes for child in children)
    header = _number(1, _UNIXFS_FILE) + _number(3, size)
    header += b"".join(_number(4, child.content_bytes) for child in children)
    block = links + _field(1, header)
    cid = _DAG_PB_PREFIX + hashlib.sha256(block).digest()
    return _Node(cid, size, len(block) + sum(child.tree_bytes for child in children)), block


def varint(value: int) -> bytes:
    """Return a number in 7 bits a byte, lowest first (LEB128)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(tag: int, value: int) -> bytes:
    return varint(tag << 3) + varint(value)


def _field(tag: int, value: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(value)) + value
