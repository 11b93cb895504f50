import hashlib
import io
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.crypto import (
    EncryptionKey,
    EnvelopeContext,
    Wallet,
    envelope,
    envelope_readers,
    seal,
    seal_bytes,
    unseal,
    unseal_bytes,
)
from flwr_chainfl.errors import (
    ConfigError,
    EnvelopeContextError,
    EnvelopeError,
    EnvelopeFormatError,
    EnvelopeTamperedError,
    RecipientError,
)

OWNER, COPIER, TASK = (Wallet.derived(0, name).address for name in ("owner", "copier", "task"))
CONTEXT = EnvelopeContext(chain_id=1, task=TASK, round_number=3, owner=OWNER)
ANN, BOB, EVE = (EncryptionKey.derived(0, name) for name in ("ann", "bob", "eve"))
CLASSIC = EncryptionKey.generate("rsa-oaep")
READERS = [ANN, BOB, CLASSIC]
CHUNK = 16
HEADER = envelope._FIXED.size + len(READERS) * envelope._RECIPIENT.size + 2 * 80 + 384


def _seal(data: bytes, *, context: EnvelopeContext = CONTEXT, readers: list[EncryptionKey] = READERS) -> bytes:
    target = io.BytesIO()
    seal(io.BytesIO(data), target, context=context, recipients=[key.public for key in readers], chunk_bytes=CHUNK)
    return target.getvalue()


def _refused(sealed: bytes, error: type[EnvelopeError], *, key: EncryptionKey = ANN, context: EnvelopeContext = CONTEXT) -> str:
    """Check that an envelope does not open and leaves nothing of its content, and return what the error says."""
    target = io.BytesIO(b"before")
    target.seek(0, io.SEEK_END)
    with pytest.raises(error) as raised:
        unseal(io.BytesIO(sealed), target, context=context, key=key)
    assert target.getvalue() == b"before"
    return str(raised.value)


DATA = bytes(range(3 * CHUNK + 5))
SEALED = _seal(DATA)


@settings(max_examples=60)
@given(st.binary(max_size=5 * CHUNK), st.sampled_from(READERS))
def test_every_recipient_opens_what_was_sealed(data: bytes, reader: EncryptionKey) -> None:
    sealed = _seal(data)
    assert len(sealed) == HEADER + len(data) + 16 * max(1, math.ceil(len(data) / CHUNK))
    assert unseal_bytes(sealed, context=CONTEXT, key=reader) == data


def test_bytes_are_sealed_like_files() -> None:
    sealed = seal_bytes(DATA, context=CONTEXT, recipients=[ANN.public])
    assert unseal_bytes(sealed, context=CONTEXT, key=ANN) == DATA


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255), st.sampled_from(READERS))
def test_any_changed_byte_is_an_error(position: int, change: int, reader: EncryptionKey) -> None:
    forged = SEALED[:position] + bytes([SEALED[position] ^ change]) + SEALED[position + 1 :]
    _refused(forged, EnvelopeError if position < HEADER else EnvelopeTamperedError, key=reader)


def test_a_changed_byte_of_each_part_of_the_header_has_its_own_error() -> None:
    fixed = envelope._FIXED.size
    first = min(READERS, key=lambda key: key.public.key_id)
    for position, error, says in (
        (0, EnvelopeFormatError, "are no envelope"),
        (15, EnvelopeFormatError, "of version 254, this is version 1"),
        (16, EnvelopeContextError, "on chain 18374686479671623681; wanted is round 3"),
        (24, EnvelopeContextError, TASK),
        (47, EnvelopeContextError, "of round 252 by"),
        (48, EnvelopeContextError, OWNER),
        (68, EnvelopeFormatError, "chunks of 4278190096 bytes"),
        (71, EnvelopeTamperedError, "does not open"),
        (72, EnvelopeTamperedError, "does not open"),
        (104, EnvelopeFormatError, "has 65283 recipients"),
        (fixed, RecipientError, "sealed for 3 others"),
        (fixed + 32, RecipientError, "sealed for 3 others"),
        (fixed + 35, EnvelopeTamperedError, "does not open"),
    ):
        forged = SEALED[:position] + bytes([SEALED[position] ^ 0xFF]) + SEALED[position + 1 :]
        assert says in _refused(forged, error, key=first)


def test_what_is_wrapped_for_others_cannot_be_changed_either() -> None:
    for position in range(HEADER - 1, envelope._FIXED.size, -7):
        forged = SEALED[:position] + bytes([SEALED[position] ^ 1]) + SEALED[position + 1 :]
        for reader in READERS:
            _refused(forged, EnvelopeError, key=reader)


@given(st.integers(0, len(SEALED) - 1), st.sampled_from(READERS))
def test_an_envelope_that_was_cut_is_an_error_wherever(length: int, reader: EncryptionKey) -> None:
    _refused(SEALED[:length], EnvelopeTamperedError if length else EnvelopeFormatError, key=reader)


@given(st.binary(min_size=1, max_size=3 * CHUNK), st.binary(max_size=4 * CHUNK))
def test_an_envelope_that_was_added_to_is_an_error(more: bytes, data: bytes) -> None:
    _refused(_seal(data) + more, EnvelopeTamperedError)


def _chunks(sealed: bytes) -> list[bytes]:
    return [sealed[start : start + CHUNK + 16] for start in range(HEADER, len(sealed), CHUNK + 16)]


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=6))
def test_chunks_in_another_order_left_out_or_repeated_are_an_error(order: list[int], picked: list[int]) -> None:
    chunks = _chunks(SEALED)
    for chosen in (order, picked):
        if list(chosen) != [0, 1, 2, 3]:
            _refused(SEALED[:HEADER] + b"".join(chunks[index] for index in chosen), EnvelopeTamperedError)


def test_a_header_of_another_envelope_is_an_error() -> None:
    other = _seal(bytes(len(DATA)))
    assert len(other) == len(SEALED)
    for reader in READERS:
        _refused(other[:HEADER] + SEALED[HEADER:], EnvelopeTamperedError, key=reader)


def test_a_chunk_of_another_envelope_is_an_error() -> None:
    other = _chunks(_seal(DATA))
    for index in range(4):
        chunks = _chunks(SEALED)
        chunks[index] = other[index]
        _refused(SEALED[:HEADER] + b"".join(chunks), EnvelopeTamperedError)


def test_who_is_no_recipient_cannot_open_nor_put_itself_in_place_of_one() -> None:
    assert "have its owner name this key" in _refused(SEALED, RecipientError, key=EVE)
    for reader in (ANN, BOB):
        forged = SEALED.replace(reader.public.key_id, EVE.public.key_id)
        _refused(forged, EnvelopeTamperedError, key=EVE)


@given(
    st.sampled_from(["chain_id", "task", "round_number", "owner"]),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=20, max_size=20),
)
def test_an_envelope_of_another_chain_task_round_or_owner_does_not_open(field: str, number: int, raw: bytes) -> None:
    value = envelope.to_checksum_address(raw) if field in ("task", "owner") else number
    other = replace(CONTEXT, **{field: value})
    if other == CONTEXT:
        return
    assert "ask its publisher for that one" in _refused(SEALED, EnvelopeContextError, context=other)


def test_who_copies_an_envelope_cannot_pass_it_off_as_its_own() -> None:
    copied = SEALED.replace(bytes.fromhex(OWNER[2:]), bytes.fromhex(COPIER[2:]))
    assert copied != SEALED
    for reader in READERS:
        _refused(copied, EnvelopeTamperedError, key=reader, context=replace(CONTEXT, owner=COPIER))


def test_a_recipient_can_seal_what_it_read_again_under_its_own_name() -> None:
    # Not defended by encryption: the round's commitments are made before anybody reads.
    read = unseal_bytes(SEALED, context=CONTEXT, key=BOB)
    mine = replace(CONTEXT, owner=COPIER)
    again = seal_bytes(read, context=mine, recipients=[ANN.public])
    assert unseal_bytes(again, context=mine, key=ANN) == DATA


def test_anybody_can_seal_in_anybodys_name() -> None:
    # Not defended by encryption: who stands by an envelope shows in the signed commitment to its address.
    forged = seal_bytes(b"bad model", context=CONTEXT, recipients=[ANN.public])
    assert unseal_bytes(forged, context=CONTEXT, key=ANN) == b"bad model"


def _multiply(x: int, y: int) -> int:
    """Multiply in GCM's field (NIST SP 800-38D, algorithm 1)."""
    z = 0
    for bit in range(127, -1, -1):
        z ^= y if x >> bit & 1 else 0
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def _power(x: int, exponent: int) -> int:
    result = 1 << 127  # the field's 1
    while exponent:
        result = _multiply(result, x) if exponent & 1 else result
        x, exponent = _multiply(x, x), exponent >> 1
    return result


def _opens_under_both(keys: tuple[bytes, bytes], nonce: bytes, bound: bytes) -> bytes:
    """Return one ciphertext with its tag that AES-GCM opens under two keys, each to another content of 32 bytes."""
    fixed = int.from_bytes(bound[:16], "big"), int.from_bytes(bound[16:], "big"), 7  # 7: any block
    lengths = 256 << 64 | 256
    right, slope, tags = 0, 0, []
    for key in keys:
        encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update
        h = int.from_bytes(encrypt(bytes(16)), "big")
        mask = int.from_bytes(encrypt(nonce + b"\0\0\0\1"), "big")
        known = mask ^ _multiply(lengths, h)
        for power, block in zip((5, 4, 3), fixed, strict=True):
            known ^= _multiply(block, _power(h, power))
        square = _power(h, 2)
        right, slope = right ^ known, slope ^ square
        tags.append((known, square))
    free = _multiply(right, _power(slope, 2**128 - 2))  # the block that makes both tags equal
    tag = tags[0][0] ^ _multiply(free, tags[0][1])
    assert tag == tags[1][0] ^ _multiply(free, tags[1][1])
    return b"".join(block.to_bytes(16, "big") for block in (fixed[2], free, tag))


def test_an_owner_cannot_show_one_recipient_another_content_than_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {ANN.public.key_id: b"a" * 32, BOB.public.key_id: b"b" * 32}
    content_keys = tuple(envelope._expand(secret)[0] for secret in secrets.values())
    committed = envelope._expand(b"a" * 32)[1]
    fixed = envelope._FIXED.pack(envelope._MAGIC, 1, *envelope._fields(CONTEXT), CHUNK * 2, committed, 2)
    header = fixed
    for key in sorted((ANN, BOB), key=lambda key: key.public.key_id):
        key_id = key.public.key_id
        header += envelope._RECIPIENT.pack(key_id, 2, 80) + key.public.wrap(secrets[key_id], fixed + key_id)
    forged = header + _opens_under_both(content_keys, envelope._nonce(0, True), hashlib.sha256(header).digest())

    shown_to_ann = unseal_bytes(forged, context=CONTEXT, key=ANN)
    assert "is not the one that it commits to" in _refused(forged, EnvelopeTamperedError, key=BOB)
    # Without the commitment the attack works, so it is the commitment that stops it.
    monkeypatch.setattr("flwr_chainfl.crypto.envelope.hmac.compare_digest", lambda *_: True)
    assert unseal_bytes(forged, context=CONTEXT, key=BOB) != shown_to_ann


def test_two_envelopes_of_one_content_share_neither_key_nor_bytes() -> None:
    assert not set(_chunks(SEALED)) & set(_chunks(_seal(DATA)))


def test_no_nonce_is_used_twice_and_only_the_last_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    nonces: list[bytes] = []

    class Recording:
        def __init__(self, key: bytes) -> None:
            self.cipher = AESGCM(key)

        def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
            nonces.append(nonce)
            return self.cipher.encrypt(nonce, data, associated_data)

    monkeypatch.setattr(envelope, "AESGCM", Recording)
    _seal(bytes(CHUNK * 300))
    assert len(set(nonces)) == len(nonces) == 300
    assert [nonce[-1] for nonce in nonces] == [0] * 299 + [1]
    assert {len(nonce) for nonce in nonces} == {12}


def test_what_an_envelope_does_not_hide_is_its_size_context_and_recipients() -> None:
    assert len(SEALED) - len(_seal(b"")) == len(DATA) + 3 * 16
    for visible in (bytes.fromhex(OWNER[2:]), bytes.fromhex(TASK[2:]), *(key.public.key_id for key in READERS)):
        assert visible in SEALED
    assert DATA[:8] not in SEALED


def test_a_large_content_is_sealed_and_opened_in_little_memory(tmp_path: Path) -> None:
    mib = 1 << 20
    with (tmp_path / "plain").open("w+b") as plain, (tmp_path / "sealed").open("w+b") as sealed:
        for index in range(48):
            plain.write(bytes([index]) * mib)
        plain.seek(0)
        with (tmp_path / "again").open("w+b") as again:
            tracemalloc.start()
            seal(plain, sealed, context=CONTEXT, recipients=[ANN.public])
            sealed.seek(0)
            unseal(sealed, again, context=CONTEXT, key=ANN)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert (tmp_path / "again").read_bytes() == (tmp_path / "plain").read_bytes()
    assert peak < 8 * mib


def test_a_source_that_gives_little_at_a_time_is_read_all_the_same() -> None:
    class Pipe:
        def __init__(self, data: bytes) -> None:
            self.rest = data

        def read(self, size: int) -> bytes:
            given, self.rest = self.rest[: min(size, 3)], self.rest[min(size, 3) :]
            return given

    target = io.BytesIO()
    seal(Pipe(DATA), target, context=CONTEXT, recipients=[ANN.public], chunk_bytes=CHUNK)  # type: ignore[arg-type]
    opened = io.BytesIO()
    unseal(Pipe(target.getvalue()), opened, context=CONTEXT, key=ANN)  # type: ignore[arg-type]
    assert opened.getvalue() == DATA


def test_naming_a_recipient_twice_changes_nothing() -> None:
    once, twice = (_seal(DATA, readers=[ANN] * count) for count in (1, 2))
    assert len(once) == len(twice)


def test_impossible_envelopes_are_refused_before_anything_is_written() -> None:
    target = io.BytesIO()
    for recipients, chunk_bytes, message in (
        ([], 1, "has 0 recipients; 1 to 1024 are possible"),
        ([ANN.public], 0, "chunk_bytes is 0; 1 to 16777216 are possible"),
        ([ANN.public], 1 << 25, "chunk_bytes is 33554432"),
    ):
        with pytest.raises(ConfigError, match=message):
            seal(io.BytesIO(DATA), target, context=CONTEXT, recipients=recipients, chunk_bytes=chunk_bytes)
    assert target.getvalue() == b""


@pytest.mark.parametrize(
    ("field", "value"),
    [("chain_id", -1), ("chain_id", 2**64), ("round_number", 2**32), ("task", "0x12"), ("owner", OWNER.lower()), ("owner", "")],
)
def test_a_context_that_is_none_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{field} is "):
        replace(CONTEXT, **{field: value})  # type: ignore[arg-type]


def test_everybody_sees_for_whom_an_envelope_is_and_what_it_was_made_for() -> None:
    context, key_ids = envelope_readers(SEALED)
    assert context == CONTEXT
    assert set(key_ids) == {key.public.key_id for key in READERS}


@pytest.mark.parametrize("size", [0, 20, envelope._FIXED.size - 1, envelope._FIXED.size + 3, HEADER - 1])
def test_a_header_that_is_cut_short_names_no_readers(size: int) -> None:
    with pytest.raises(EnvelopeError):
        envelope_readers(SEALED[:size])
