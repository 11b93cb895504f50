"""Contents that only named recipients can read, and that cannot be changed, cut or passed off as another's.

An envelope is a header and the content in chunks. All numbers are big endian.

======================  ======================================================================================
magic                   15 bytes, ``chainfl-sealed`` and a newline
version                 1 byte, 1
chain, task, round,     8, 20, 4 and 20 bytes: what the content was made for, and by whom
owner
chunk                   4 bytes: bytes of content in a chunk
key commitment          32 bytes
recipients              2 bytes: how many follow, ascending by key id
each recipient          32 bytes key id, 1 byte scheme, 2 bytes length, and the secret wrapped for that key
each chunk              AES-256-GCM of up to `chunk` bytes of content; 16 bytes longer
======================  ======================================================================================

A fresh secret of 32 bytes is wrapped for each recipient. HKDF-SHA256 expands it into the key of the chunks and the key
commitment. Each chunk's associated data are SHA-256 of the whole header; its nonce is its number (11 bytes) and whether
it is the last (1 byte), as in STREAM. So a chunk opens in its place only, and the last one only at the end.

The commitment is there because AES-GCM alone lets somebody who knows two keys make one ciphertext that opens under both,
to different contents: an owner could show a good model to one reviewer and a bad one to another, under one address.

Source: docs/storage-and-confidentiality.md; Hoang, Reyhanitabar, Rogaway, Vizár 2015 (STREAM); NIST SP 800-38D; RFC 5869.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from eth_utils.address import is_checksum_address, to_checksum_address

from flwr_chainfl.crypto.encryption_key import EncryptionKey, PublicKey
from flwr_chainfl.errors import (
    ConfigError,
    EnvelopeContextError,
    EnvelopeFormatError,
    EnvelopeTamperedError,
    RecipientError,
)

CHUNK_BYTES = 1 << 20
MAX_RECIPIENTS = 1024

_MAGIC = b"chainfl-sealed\n"
_VERSION = 1
_TAG_BYTES = 16
_LARGEST_CHUNK = 1 << 24  # an envelope decides how much memory opening it takes, up to this
_FIXED = struct.Struct(f">{len(_MAGIC)}sBQ20sI20sI32sH")
_RECIPIENT = struct.Struct(">32sBH")


@dataclass(frozen=True, kw_only=True)
class EnvelopeContext:
    """What a content was made for, and by whom; an envelope opens in its own context only.

    task, owner: checksummed addresses

    Raises ConfigError for what is no chain id, round number or address.
    """

    chain_id: int
    task: str
    round_number: int
    owner: str

    def __post_init__(self) -> None:
        for name, value, largest in (("chain_id", self.chain_id, 2**64), ("round_number", self.round_number, 2**32)):
            if not 0 <= value < largest:
                raise ConfigError(f"{name} is {value}; it must be 0 or more and below {largest}")
        for name, address in (("task", self.task), ("owner", self.owner)):
            if not is_checksum_address(address):
                raise ConfigError(f"{name} is {address!r}; a checksummed address is needed (0x…)")


def seal(
    source: BinaryIO,
    target: BinaryIO,
    *,
    context: EnvelopeContext,
    recipients: Iterable[PublicKey],
    chunk_bytes: int = CHUNK_BYTES,
) -> None:
    """Write an envelope of what `source` holds from its position on; holds some chunks in memory, whatever its size.

    recipients: who can open it; the owner, too, only where it is named. Naming one twice changes nothing
    chunk_bytes: 16 bytes are added to each; opening takes some of them in memory

    It does not say who sealed it: anybody can seal in anybody's name. That the owner stands by it shows its signed
    commitment to the envelope's address.

    Raises ConfigError for no or too many recipients, or an impossible chunk.
    """
    keys = sorted({key.key_id: key for key in recipients}.items())
    if not 1 <= len(keys) <= MAX_RECIPIENTS:
        raise ConfigError(f"the envelope has {len(keys)} recipients; 1 to {MAX_RECIPIENTS} are possible")
    if not 1 <= chunk_bytes <= _LARGEST_CHUNK:
        raise ConfigError(f"chunk_bytes is {chunk_bytes}; 1 to {_LARGEST_CHUNK} are possible")
    secret = secrets.token_bytes(32)
    key, key_commitment = _expand(secret)
    fixed = _FIXED.pack(_MAGIC, _VERSION, *_fields(context), chunk_bytes, key_commitment, len(keys))
    header = bytearray(fixed)
    for key_id, public in keys:
        wrapped = public.wrap(secret, _info(fixed, key_id))
        header += _RECIPIENT.pack(key_id, public.scheme_number, len(wrapped)) + wrapped
    target.write(header)
    cipher = AESGCM(key)
    bound = hashlib.sha256(header).digest()
    target.writelines(cipher.encrypt(_nonce(number, last), chunk, bound) for number, last, chunk in _chunks(source, chunk_bytes))


def unseal(source: BinaryIO, target: BinaryIO, *, context: EnvelopeContext, key: EncryptionKey) -> None:
    """Write the content of the envelope that `source` holds from its position on into a seekable file, at its position.

    context: what the content has to have been made for, and by whom; what the envelope says of itself is not enough
    target: on an error nothing of the content is left in it

    Raises EnvelopeFormatError, EnvelopeContextError, RecipientError, EnvelopeTamperedError.
    """
    header, wrapped, chunk_bytes, key_commitment = _read_header(source, context, key)
    secret = key.unwrap(wrapped, _info(header[: _FIXED.size], key.public.key_id))
    content_key, expected = _expand(secret)
    if not hmac.compare_digest(expected, key_commitment):
        raise EnvelopeTamperedError("the key inside the envelope is not the one that it commits to; do not use its content")
    cipher = AESGCM(content_key)
    bound = hashlib.sha256(header).digest()
    start = target.tell()
    try:
        for number, last, chunk in _chunks(source, chunk_bytes + _TAG_BYTES):
            try:
                target.write(cipher.decrypt(_nonce(number, last), chunk, bound))
            except (InvalidTag, ValueError) as error:
                raise EnvelopeTamperedError(
                    f"chunk {number} of the envelope is not the one that was sealed there: it was changed, moved, cut off or "
                    f"added to; fetch the envelope again"
                ) from error
    except BaseException:
        target.seek(start)
        target.truncate()
        raise


def seal_bytes(data: bytes, *, context: EnvelopeContext, recipients: Iterable[PublicKey]) -> bytes:
    """Return an envelope of bytes, as `seal` writes it."""
    target = io.BytesIO()
    seal(io.BytesIO(data), target, context=context, recipients=recipients)
    return target.getvalue()


def unseal_bytes(envelope: bytes, *, context: EnvelopeContext, key: EncryptionKey) -> bytes:
    """Return the content of an envelope, as `unseal` writes it."""
    target = io.BytesIO()
    unseal(io.BytesIO(envelope), target, context=context, key=key)
    return target.getvalue()


def envelope_readers(envelope: bytes) -> tuple[EnvelopeContext, list[bytes]]:
    """Return what everybody sees of an envelope: what it was made for and by whom, and the key ids of who can open it.

    Raises EnvelopeFormatError, EnvelopeTamperedError.
    """
    source = io.BytesIO(envelope)
    found, _, _, count = _read_fixed(_read(source, _FIXED.size))
    key_ids = []
    for _ in range(count):
        key_id, _, _ = _read_recipient(source)
        key_ids.append(key_id)
    chain_id, task, round_number, owner = found
    context = EnvelopeContext(
        chain_id=chain_id, task=to_checksum_address(task), round_number=round_number, owner=to_checksum_address(owner)
    )
    return context, key_ids


def _read_header(
    source: BinaryIO, context: EnvelopeContext, key: EncryptionKey
) -> tuple[bytes, bytes, int, bytes]:
    """Return the header, the secret wrapped for this key, the chunk's size, and the key commitment."""
    fixed = _read(source, _FIXED.size)
    found, chunk_bytes, key_commitment, count = _read_fixed(fixed)
    if found != list(_fields(context)):
        chain_id, task, round_number, owner = found
        raise EnvelopeContextError(
            f"the envelope is of round {round_number} by {to_checksum_address(owner)} for the task {to_checksum_address(task)} "
            f"on chain {chain_id}; wanted is round {context.round_number} by {context.owner} for {context.task} on chain "
            f"{context.chain_id}: ask its publisher for that one"
        )
    header = bytearray(fixed)
    mine: bytes | None = None
    for _ in range(count):
        key_id, scheme, wrapped = _read_recipient(source)
        header += _RECIPIENT.pack(key_id, scheme, len(wrapped)) + wrapped
        if (key_id, scheme) == (key.public.key_id, key.public.scheme_number):
            mine = wrapped
    if mine is None:
        raise RecipientError(
            f"the envelope is sealed for {count} others, not for {key.public!r}; have its owner name this key as a recipient"
        )
    return bytes(header), mine, chunk_bytes, key_commitment


def _read_fixed(fixed: bytes) -> tuple[list[Any], int, bytes, int]:
    """Return the context's fields, the chunk's size, the key commitment, and the number of recipients."""
    if fixed[: len(_MAGIC)] != _MAGIC[: len(fixed)] or not fixed:
        raise EnvelopeFormatError(f"the bytes are no envelope (they begin with {fixed[:8].hex()!r}); seal the content")
    if len(fixed) > len(_MAGIC) and fixed[len(_MAGIC)] != _VERSION:
        raise EnvelopeFormatError(
            f"the envelope is of version {fixed[len(_MAGIC)]}, this is version {_VERSION}; both sides need the same "
            f"flwr-chainfl version"
        )
    if len(fixed) < _FIXED.size:
        raise _cut_short()
    _, _, *found, chunk_bytes, key_commitment, count = _FIXED.unpack(fixed)
    if not 1 <= chunk_bytes <= _LARGEST_CHUNK or not 1 <= count <= MAX_RECIPIENTS:
        raise EnvelopeFormatError(
            f"the envelope has {count} recipients and chunks of {chunk_bytes} bytes; 1 to {MAX_RECIPIENTS}, and 1 to "
            f"{_LARGEST_CHUNK}, are possible: fetch it again"
        )
    return found, chunk_bytes, key_commitment, count


def _read_recipient(source: BinaryIO) -> tuple[bytes, int, bytes]:
    """Return a recipient's key id, scheme and wrapped secret."""
    entry = _read(source, _RECIPIENT.size)
    if len(entry) < _RECIPIENT.size:
        raise _cut_short()
    key_id, scheme, length = _RECIPIENT.unpack(entry)
    wrapped = _read(source, length)
    if len(wrapped) < length:
        raise _cut_short()
    return key_id, scheme, wrapped


def _chunks(source: BinaryIO, size: int) -> Iterator[tuple[int, bool, bytes]]:
    """Give the number of each chunk, whether it is the last, and its bytes; nothing is one empty chunk."""
    number = 0
    chunk = _read(source, size)
    while True:
        following = _read(source, size) if len(chunk) == size else b""
        yield number, not following, chunk
        if not following:
            return
        number += 1
        chunk = following


def _read(source: BinaryIO, size: int) -> bytes:
    """Read as much as there is, up to a size; a raw file or a pipe may give less at a time."""
    data = source.read(size)
    while 0 < len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data


def _fields(context: EnvelopeContext) -> tuple[int, bytes, int, bytes]:
    return context.chain_id, bytes.fromhex(context.task[2:]), context.round_number, bytes.fromhex(context.owner[2:])


def _info(fixed: bytes, key_id: bytes) -> bytes:
    """Return what is bound to a wrapped secret: where it belongs, and whose it is."""
    return fixed + key_id


def _expand(secret: bytes) -> tuple[bytes, bytes]:
    """Return the key of the chunks and the commitment to it."""
    key = HKDFExpand(hashes.SHA256(), 32, b"flwr-chainfl envelope 1 content key").derive(secret)
    return key, HKDFExpand(hashes.SHA256(), 32, b"flwr-chainfl envelope 1 key commitment").derive(secret)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _cut_short() -> EnvelopeTamperedError:
    return EnvelopeTamperedError("the envelope ends inside its header; fetch it again")
