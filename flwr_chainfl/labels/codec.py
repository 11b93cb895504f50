"""Bytes of quantised soft labels: the canonical ones, to commit to and store, and short ones, to send.

The canonical bytes are a function of the units alone. The bytes that travel may be written in several ways,
against a reference that both sides have; whoever receives them decodes them and checks the canonical bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import CodecError, ReportShapeError
from flwr_chainfl.labels.entropy_coding import RangeDecoder, RangeEncoder, code_units
from flwr_chainfl.labels.quantization import require_size, unit_total, validate_units

VERSION = 1

_DEFLATE = 0
_RANGE = 1
_CODERS = {_DEFLATE: "deflate", _RANGE: "range"}

_RAW_DEFLATE = -zlib.MAX_WBITS


def pack_units(units: NDArray[np.uint8], *, bits: int) -> bytes:
    """Return the canonical bytes of units: with one bit a label a task, else the units row by row.

    units: uint8 (tasks, classes), rows summing to 2^bits − 1
    returns: tasks bytes if `bits` is 1, else tasks · classes

    Raises ConfigError when `bits` is not 1 to 8, ReportShapeError or SoftLabelError when these are no units.
    Source: docs/protocols/soft-label.md, "Compression".

    >>> list(pack_units(np.array([[0, 1, 0], [0, 0, 1]], dtype=np.uint8), bits=1))
    [1, 2]
    """
    validate_units(units, bits=bits)
    if bits == 1:
        units = units.argmax(axis=1).astype(np.uint8)
    return units.tobytes()


def unpack_units(data: bytes, *, tasks: int, classes: int, bits: int) -> NDArray[np.uint8]:
    """Return the units of canonical bytes.

    returns: uint8 (tasks, classes), rows summing to 2^bits − 1

    Raises CodecError when the bytes are of another length, hold a label that is no class, or a row of another
    sum; ConfigError or ReportShapeError when `bits`, `tasks` or `classes` are impossible.
    Source: docs/protocols/soft-label.md, "Compression".
    """
    total = unit_total(bits)
    length = _packed_length(tasks=tasks, classes=classes, bits=bits)
    if len(data) != length:
        raise CodecError(
            f"{len(data)} bytes of units; {tasks} tasks of {classes} classes with {bits} bits take {length}"
        )
    packed = np.frombuffer(data, dtype=np.uint8)
    if bits == 1:
        if int(packed.max()) >= classes:
            task = int(np.flatnonzero(packed >= classes)[0])
            raise CodecError(f"the label of task {task} is {packed[task]}; labels must be below the {classes} classes")
        one_hot: NDArray[np.uint8] = np.eye(classes, dtype=np.uint8)[packed]
        return one_hot
    units = packed.reshape(tasks, classes).copy()
    sums = units.sum(axis=1, dtype=np.int64)
    if (sums != total).any():
        task = int(np.flatnonzero(sums != total)[0])
        raise CodecError(f"the units of task {task} sum to {sums[task]}; with {bits} bits they must sum to {total}")
    return units


def encode(units: NDArray[np.uint8], *, bits: int, reference: NDArray[np.uint8] | None) -> bytes:
    """Return the shortest bytes found from which the units come back exactly.

    Tried are deflate and the range coder of `code_units`, each with and without the reference.

    units: uint8 (tasks, classes), rows summing to 2^bits − 1
    reference: units of the same shape and bits that the receiver has too, such as the sender's last report
        or the consensus; None if there are none
    returns: a byte for version, coder and use of the reference, then what the coder wrote

    Raises ConfigError when `bits` is not 1 to 8, ReportShapeError or SoftLabelError when units or reference
    are none.
    Source: docs/protocols/soft-label.md, "Compression".
    Choice: what deflate writes may differ between builds of zlib, so the length, and which coder wins, may
    differ between machines. What is decoded never does, and only canonical bytes are committed to.

    >>> last = np.eye(4, dtype=np.uint8)[np.arange(1000) % 7 % 4]
    >>> len(pack_units(last, bits=1)), len(encode(last, bits=1, reference=last)) < 12
    (1000, True)
    """
    _require_reference(reference, shape=units.shape, bits=bits)
    packed = pack_units(units, bits=bits)
    return min(_candidates(units, packed, reference, bits=bits), key=len)


def decode(
    data: bytes, *, tasks: int, classes: int, bits: int, reference: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Return the units that were encoded.

    Time and memory depend on `tasks` and `classes`, not on the bytes. Bytes that were damaged may decode to
    other units; the commitment, to canonical bytes, tells.

    reference: the units that the sender's `encode` was given; ignored if it made no use of them
    returns: uint8 (tasks, classes), rows summing to 2^bits − 1

    Raises CodecError when the bytes are no encoding of that many units, or need a reference that is not
    given; ConfigError, ReportShapeError or SoftLabelError when another argument is impossible.
    Source: docs/protocols/soft-label.md, "Compression".
    """
    length = _packed_length(tasks=tasks, classes=classes, bits=bits)
    _require_reference(reference, shape=(tasks, classes), bits=bits)
    coder, with_reference = _read_header(data)
    if not with_reference:
        reference = None
    elif reference is None:
        raise CodecError("coded soft labels need the reference that they were encoded against; pass it")
    if coder == _RANGE:
        reader = RangeDecoder(data[1:])
        units = code_units(reader, None, reference, tasks=tasks, classes=classes, bits=bits)
        reader.finish()
        return units
    packed = _inflate(data[1:], length)
    if reference is not None:
        packed = _add(packed, pack_units(reference, bits=bits))
    return unpack_units(packed, tasks=tasks, classes=classes, bits=bits)


def _candidates(
    units: NDArray[np.uint8], packed: bytes, reference: NDArray[np.uint8] | None, *, bits: int
) -> Iterator[bytes]:
    tasks, classes = units.shape
    for known in [None] if reference is None else [None, reference]:
        writer = RangeEncoder()
        code_units(writer, units, known, tasks=tasks, classes=classes, bits=bits)
        yield _header(_RANGE, known is not None) + writer.finish()
        delta = packed if known is None else _subtract(packed, pack_units(known, bits=bits))
        yield _header(_DEFLATE, known is not None) + _deflate(delta)


def _header(coder: int, with_reference: bool) -> bytes:
    return bytes([VERSION << 4 | coder << 1 | with_reference])


def _read_header(data: bytes) -> tuple[int, bool]:
    if not data:
        raise CodecError("0 bytes are no coded soft labels; send what encode returned")
    version, coder, with_reference = data[0] >> 4, data[0] >> 1 & 7, bool(data[0] & 1)
    if version != VERSION:
        raise CodecError(
            f"coded soft labels are of version {version}, this is version {VERSION}; "
            "both sides need the same flwr-chainfl version"
        )
    if coder not in _CODERS:
        raise CodecError(
            f"coded soft labels name coder {coder}; known are "
            + ", ".join(f"{number} ({name})" for number, name in _CODERS.items())
        )
    return coder, with_reference


def _deflate(data: bytes) -> bytes:
    writer = zlib.compressobj(level=9, wbits=_RAW_DEFLATE)
    return writer.compress(data) + writer.flush()


def _inflate(data: bytes, length: int) -> bytes:
    reader = zlib.decompressobj(wbits=_RAW_DEFLATE)
    try:
        # One byte more than is wanted shows that there is more, without unpacking all of it.
        inflated = reader.decompress(data, length + 1)
    except zlib.error as error:
        raise CodecError(f"coded soft labels cannot be inflated ({error}); send what encode returned") from error
    if len(inflated) != length or not reader.eof or reader.unused_data:
        much = f"more than {length}" if len(inflated) > length else str(len(inflated))
        raise CodecError(
            f"coded soft labels inflate to {much} bytes, with {len(reader.unused_data)} left over; "
            f"{length} and none left over are needed"
        )
    return inflated


def _subtract(packed: bytes, known: bytes) -> bytes:
    return (np.frombuffer(packed, dtype=np.uint8) - np.frombuffer(known, dtype=np.uint8)).tobytes()


def _add(delta: bytes, known: bytes) -> bytes:
    return (np.frombuffer(delta, dtype=np.uint8) + np.frombuffer(known, dtype=np.uint8)).tobytes()


def _packed_length(*, tasks: int, classes: int, bits: int) -> int:
    unit_total(bits)
    require_size(tasks, classes)
    return tasks if bits == 1 else tasks * classes


def _require_reference(reference: NDArray[np.uint8] | None, *, shape: tuple[int, ...], bits: int) -> None:
    if reference is None:
        return
    validate_units(reference, bits=bits)
    if reference.shape != shape:
        raise ReportShapeError(f"the reference has shape {reference.shape}, the units {shape}; both must be equal")
