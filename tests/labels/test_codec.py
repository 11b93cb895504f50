import tracemalloc
import zlib
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import CodecError, ConfigError, ReportShapeError, SoftLabelError
from flwr_chainfl.labels import decode, encode, pack_units, quantize, unpack_units
from flwr_chainfl.labels.entropy_coding import RangeDecoder, RangeEncoder, code_units
from flwr_chainfl.labels.quantization import validate_units

DEFLATE, DEFLATE_DELTA, RANGE, RANGE_DELTA = b"\x10", b"\x11", b"\x12", b"\x13"


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def reports(tasks: int, classes: int, bits: int, *, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Peaked soft labels and a reference, the same logits with noise."""
    rng = np.random.default_rng(seed)
    logits = 6 * rng.normal(size=(tasks, classes))
    noisy = logits + 6 * noise * rng.normal(size=(tasks, classes))
    return quantize(softmax(logits), bits=bits), quantize(softmax(noisy), bits=bits)


def changed_labels(tasks: int, classes: int, *, agreement: float) -> tuple[np.ndarray, np.ndarray]:
    """Random hard labels and a reference in which exactly a share is the same, the others shifted at random."""
    rng = np.random.default_rng(1)
    labels = rng.integers(classes, size=tasks)
    shift = rng.integers(1, classes, size=tasks)
    shift[: round(agreement * tasks)] = 0
    one_hot = np.eye(classes, dtype=np.uint8)
    return one_hot[labels], one_hot[(labels + rng.permutation(shift)) % classes]


def deflate(data: bytes) -> bytes:
    writer = zlib.compressobj(9, wbits=-15)
    return writer.compress(data) + writer.flush()


def encodings(units: np.ndarray, bits: int, reference: np.ndarray) -> list[bytes]:
    """All that decode accepts for these units: each coder, with and without the reference."""
    packed, known = pack_units(units, bits=bits), pack_units(reference, bits=bits)
    delta = bytes((a - b) % 256 for a, b in zip(packed, known, strict=True))
    found = [DEFLATE + deflate(packed), DEFLATE_DELTA + deflate(delta)]
    for header, used in ((RANGE, None), (RANGE_DELTA, reference)):
        writer = RangeEncoder()
        code_units(writer, units, used, tasks=len(units), classes=units.shape[1], bits=bits)
        found.append(header + writer.finish())
    return found


@st.composite
def unit_pairs(draw: st.DrawFn) -> tuple[np.ndarray, int, np.ndarray]:
    """Units, bits and a reference, each from concentrated to flat, alike or not."""
    tasks, classes, bits = draw(st.integers(1, 20)), draw(st.sampled_from([2, 3, 10, 255])), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sharpness = draw(st.sampled_from([0, 0.1, 1, 6, 100]))
    logits = sharpness * rng.normal(size=(tasks, classes))
    other = logits + draw(st.sampled_from([0, 0.1, 3])) * sharpness * rng.normal(size=(tasks, classes))
    return quantize(softmax(logits), bits=bits), bits, quantize(softmax(other), bits=bits)


def decoded_or_refused(data: bytes, units: np.ndarray, bits: int, reference: np.ndarray | None) -> None:
    tasks, classes = units.shape
    try:
        found = decode(data, tasks=tasks, classes=classes, bits=bits, reference=reference)
    except CodecError:
        return
    assert found.shape == units.shape
    validate_units(found, bits=bits)


def test_canonical_bytes_are_labels_or_units_row_by_row() -> None:
    assert pack_units(np.array([[0, 0, 1], [1, 0, 0]], dtype=np.uint8), bits=1) == bytes([2, 0])
    assert pack_units(np.array([[0, 1, 2], [3, 0, 0]], dtype=np.uint8), bits=2) == bytes([0, 1, 2, 3, 0, 0])


def test_canonical_bytes_do_not_depend_on_the_layout_in_memory() -> None:
    units = np.array([[0, 1, 2], [3, 0, 0]], dtype=np.uint8)
    assert pack_units(np.asfortranarray(units), bits=2) == pack_units(units, bits=2)


@given(unit_pairs())
def test_canonical_bytes_come_back(pair: tuple[np.ndarray, int, np.ndarray]) -> None:
    units, bits, _ = pair
    back = unpack_units(pack_units(units, bits=bits), tasks=len(units), classes=units.shape[1], bits=bits)
    assert back.dtype == np.uint8
    assert (back == units).all()
    back[0, 0] = 0  # not a view of the bytes


@pytest.mark.parametrize(
    ("data", "bits", "message"),
    [
        (bytes(3), 1, "3 bytes of units; 2 tasks of 3 classes with 1 bits take 2"),
        (bytes(2), 2, "2 bytes of units; 2 tasks of 3 classes with 2 bits take 6"),
        (bytes([2, 3]), 1, "the label of task 1 is 3; labels must be below the 3 classes"),
        (bytes([1, 1, 1, 2, 2, 0]), 2, "the units of task 1 sum to 4; with 2 bits they must sum to 3"),
        (bytes([255, 0, 0, 255, 255, 1]), 8, "the units of task 1 sum to 511; with 8 bits they must sum to 255"),
    ],
)
def test_malformed_canonical_bytes_are_named(data: bytes, bits: int, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        unpack_units(data, tasks=2, classes=3, bits=bits)


def test_short_reports_are_coded_as_computed_by_hand() -> None:
    # One of two labels halves the range: label 0 is the lower half, of which 0 needs no byte, label 1 the upper
    # half, which begins at .80 in base 256. The frequencies are then 1 and 3: another 0 takes the first quarter of
    # the upper half, another 1 the rest of it, from .A0 on.
    one_hot = np.eye(2, dtype=np.uint8)
    coded = {labels: encode(one_hot[list(labels)], bits=1, reference=None) for labels in ((0,), (1,), (1, 0), (1, 1))}
    assert {labels: data.hex() for labels, data in coded.items()} == {
        (0,): "12",
        (1,): "1280",
        (1, 0): "1280",
        (1, 1): "12a0",
    }


@given(unit_pairs(), st.booleans())
def test_what_is_encoded_comes_back(pair: tuple[np.ndarray, int, np.ndarray], with_reference: bool) -> None:
    units, bits, reference = pair
    known = reference if with_reference else None
    data = encode(units, bits=bits, reference=known)
    found = decode(data, tasks=len(units), classes=units.shape[1], bits=bits, reference=known)
    assert found.dtype == np.uint8
    assert (found == units).all()
    assert len(data) == min(map(len, encodings(units, bits, reference)[:: 1 if with_reference else 2]))


@given(unit_pairs())
def test_every_coder_s_bytes_are_read(pair: tuple[np.ndarray, int, np.ndarray]) -> None:
    units, bits, reference = pair
    for data in encodings(units, bits, reference):
        found = decode(data, tasks=len(units), classes=units.shape[1], bits=bits, reference=reference)
        assert (found == units).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_range_coder_beats_deflate_on_a_classifier_s_soft_labels(bits: int) -> None:
    units, reference = reports(1000, 10, bits, noise=0.3)
    plain, delta, alone, against = map(len, encodings(units, bits, reference))
    assert alone < 0.9 * plain
    assert against < 0.8 * delta
    assert against < 0.8 * alone
    assert len(encode(units, bits=bits, reference=reference)) == against


@pytest.mark.parametrize("agreement", [0.8, 0.95])
def test_hard_labels_take_little_more_than_the_entropy_of_what_changed(agreement: float) -> None:
    tasks, classes = 5000, 10
    units, reference = changed_labels(tasks, classes, agreement=agreement)
    changed = 1 - agreement
    entropy = changed * log2((classes - 1) / changed) - agreement * log2(agreement)
    length = len(encode(units, bits=1, reference=reference))
    assert tasks * entropy / 8 < length < 1.06 * tasks * entropy / 8
    assert len(encode(units, bits=1, reference=None)) < 1.01 * tasks * log2(classes) / 8


def test_a_report_that_did_not_change_takes_a_few_bytes() -> None:
    units, _ = reports(1000, 10, 1, noise=0)
    assert len(encode(units, bits=1, reference=units)) < 16
    units, _ = reports(1000, 10, 8, noise=0)
    assert len(encode(units, bits=8, reference=units)) < 40


def test_labels_in_the_order_of_their_classes_are_deflated() -> None:
    units = np.eye(10, dtype=np.uint8)[np.arange(1000) // 100]
    unrelated, _ = reports(1000, 10, 1, noise=0)
    data = encode(units, bits=1, reference=unrelated)
    assert data[:1] == DEFLATE
    assert len(data) < 60
    for reference in (unrelated, None):
        assert (decode(data, tasks=1000, classes=10, bits=1, reference=reference) == units).all()


def test_a_long_report_keeps_its_frequencies_small_and_above_0() -> None:
    labels = np.zeros(70_000, dtype=np.uint8)
    labels[500::1000] = 1
    labels[-1] = 2
    frequencies = [1, 1, 1]
    writer = RangeEncoder()
    for label in labels.tolist():
        assert min(frequencies) > 0
        writer.adaptive(frequencies, label)
    assert sum(frequencies) <= 2**16
    units = np.eye(3, dtype=np.uint8)[labels]
    data = RANGE + writer.finish()
    assert (decode(data, tasks=70_000, classes=3, bits=1, reference=None) == units).all()


@given(st.lists(st.tuples(st.integers(1, 2**16), st.floats(0, 1, exclude_max=True)), max_size=60))
def test_equally_likely_symbols_come_back(choices: list[tuple[int, float]]) -> None:
    symbols = [(count, int(share * count)) for count, share in choices]
    writer = RangeEncoder()
    for count, symbol in symbols:
        writer.uniform(count, symbol)
    reader = RangeDecoder(writer.finish())
    assert [reader.uniform(count, 0) for count, _ in symbols] == [symbol for _, symbol in symbols]
    reader.finish()


def test_a_carry_runs_through_all_bytes_before_it() -> None:
    # The symbols of the number .80 in base 256: a third of the range never begins there, so until the last byte
    # the range begins below, at .7F FF FF …
    reader = RangeDecoder(b"\x80" + bytes(20))
    symbols = [reader.uniform(3, 0) for _ in range(90)]
    writer = RangeEncoder()
    for symbol in symbols:
        writer.uniform(3, symbol)
    assert writer._out[:10] == b"\x7f" + b"\xff" * 9
    assert writer.finish().rstrip(b"\0") == b"\x80"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are no coded soft labels"),
        (b"\x22\x80", "version 2, this is version 1; both sides need the same flwr-chainfl version"),
        (b"\x02\x80", "version 0, this is version 1"),
        (b"\x14\x80", "name coder 2; known are 0 .deflate., 1 .range."),
        (b"\x1e\x80", "name coder 7"),
        (RANGE_DELTA + b"\x80", "need the reference that they were encoded against"),
        (DEFLATE_DELTA + deflate(bytes(4)), "need the reference"),
        (RANGE + b"\x80\x80", "are 2 bytes and do not end with their last symbol"),
        (RANGE + bytes(1), "are 1 bytes and do not end with their last symbol"),
        (DEFLATE + b"\xff", "cannot be inflated"),
        (DEFLATE, "inflate to 0 bytes"),
        (DEFLATE + deflate(bytes(3)), "inflate to 3 bytes, with 0 left over; 4 and none left over are needed"),
        (DEFLATE + deflate(bytes(5)), "inflate to more than 4 bytes"),
        (DEFLATE + deflate(bytes(4)) + b"xx", "inflate to 4 bytes, with 2 left over"),
        (DEFLATE + deflate(bytes(4))[:-1], "inflate to"),
        (DEFLATE + deflate(bytes([0, 1, 2, 1])), "the label of task 2 is 2"),
    ],
)
def test_what_is_no_encoding_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        decode(data, tasks=4, classes=2, bits=1, reference=None)


def test_a_range_encoding_that_ends_early_is_refused() -> None:
    units, _ = reports(200, 10, 8, noise=0)
    data = encode(units, bits=8, reference=None)
    assert data[:1] == RANGE
    with pytest.raises(CodecError, match=f"end after {len(data) // 2 - 1} bytes, too early"):
        decode(data[: len(data) // 2], tasks=200, classes=10, bits=8, reference=None)


def test_a_code_in_the_gap_of_the_rounding_is_refused() -> None:
    # Three labels share 2^48 codes in three equal parts; one code is left over, the highest.
    with pytest.raises(CodecError, match="a code that no symbol has"):
        decode(RANGE + b"\xff" * 6, tasks=1, classes=3, bits=1, reference=None)


def test_a_small_message_cannot_fill_the_memory() -> None:
    bomb = DEFLATE + deflate(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(CodecError, match="inflate to more than 100 bytes"):
            decode(bomb, tasks=10, classes=10, bits=8, reference=None)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@given(unit_pairs(), st.binary(max_size=200), st.sampled_from([b"", DEFLATE, DEFLATE_DELTA, RANGE, RANGE_DELTA]))
def test_arbitrary_bytes_are_units_or_refused(
    pair: tuple[np.ndarray, int, np.ndarray], data: bytes, header: bytes
) -> None:
    units, bits, reference = pair
    decoded_or_refused(header + data, units, bits, reference)
    decoded_or_refused(header + data, units, bits, None)


@given(unit_pairs(), st.data())
def test_damaged_encodings_are_units_or_refused(
    pair: tuple[np.ndarray, int, np.ndarray], choice: st.DataObject
) -> None:
    units, bits, reference = pair
    for data in encodings(units, bits, reference):
        bit = choice.draw(st.integers(0, 8 * len(data) - 1))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        decoded_or_refused(bytes(flipped), units, bits, reference)
        decoded_or_refused(data[: bit // 8], units, bits, reference)


@given(unit_pairs(), st.binary(min_size=1, max_size=10))
def test_bytes_after_the_end_are_refused(pair: tuple[np.ndarray, int, np.ndarray], more: bytes) -> None:
    units, bits, reference = pair
    for data in encodings(units, bits, reference):
        try:
            found = decode(data + more, tasks=len(units), classes=units.shape[1], bits=bits, reference=reference)
        except CodecError:
            continue
        assert (found != units).any()


@given(unit_pairs())
def test_another_reference_gives_units_or_is_refused(pair: tuple[np.ndarray, int, np.ndarray]) -> None:
    units, bits, reference = pair
    for data in encodings(units, bits, reference):
        decoded_or_refused(data, units, bits, np.roll(reference, 1, axis=0))


@pytest.mark.parametrize(
    ("header", "coded"),
    [(RANGE, "b550469ab11204ef08f46471722246"), (RANGE_DELTA, "6b363a575744b104cbac0bea3b3657")],
)
def test_version_1_is_read_as_ever(header: bytes, coded: str) -> None:
    # Written by version 1: whoever changes what these bytes mean has to raise VERSION.
    units = [[1, 14, 34, 14], [61, 1, 1, 0], [1, 17, 28, 17], [56, 1, 5, 1]]
    units += [[5, 29, 0, 29], [0, 16, 31, 16], [59, 1, 2, 1], [2, 17, 27, 17]]
    reference = np.array((units[:3] * 3)[:8], dtype=np.uint8)
    found = decode(header + bytes.fromhex(coded), tasks=8, classes=4, bits=6, reference=reference)
    assert found.tolist() == units


def test_arguments_that_do_not_fit_are_named() -> None:
    units = np.array([[3, 0], [1, 2]], dtype=np.uint8)
    with pytest.raises(ReportShapeError, match=r"the reference has shape \(1, 2\), the units \(2, 2\)"):
        encode(units, bits=2, reference=units[:1])
    with pytest.raises(ReportShapeError, match=r"the reference has shape \(2, 2\), the units \(3, 2\)"):
        decode(b"\x12", tasks=3, classes=2, bits=2, reference=units)
    with pytest.raises(SoftLabelError, match="units of public input 0 sum to 3, not 7"):
        encode(units, bits=3, reference=None)
    with pytest.raises(SoftLabelError, match="units of public input 1 sum to 2, not 3"):
        decode(RANGE_DELTA, tasks=2, classes=2, bits=2, reference=np.array([[3, 0], [1, 1]], dtype=np.uint8))
    with pytest.raises(SoftLabelError, match="units of public input 0 sum to 2, not 1"):
        pack_units(np.array([[1, 1]], dtype=np.uint8), bits=1)
    with pytest.raises(ConfigError, match="bits is 0"):
        decode(b"\x12", tasks=2, classes=2, bits=0, reference=None)
    with pytest.raises(ReportShapeError, match="0 tasks"):
        decode(b"\x12", tasks=0, classes=2, bits=1, reference=None)
    with pytest.raises(ReportShapeError, match="256 classes"):
        unpack_units(b"\x00", tasks=1, classes=256, bits=1)
