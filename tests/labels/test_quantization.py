from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flwr_chainfl.errors import ConfigError, ReportShapeError, SoftLabelError
from flwr_chainfl.labels import dequantize, hard_labels, quantize, validate_soft_labels
from flwr_chainfl.labels.quantization import unit_total, validate_units


@st.composite
def soft_label_sets(draw: st.DrawFn, max_classes: int = 12) -> np.ndarray:
    """Distributions with many ties and zeros, and with probabilities down to 2^-30."""
    shape = draw(st.integers(1, 6)), draw(st.integers(2, max_classes))
    largest = draw(st.sampled_from([1, 3, 1000, 2**30]))
    weights = draw(arrays.arrays(np.int64, shape, elements=st.integers(0, largest))).astype(np.float64)
    weights[weights.sum(axis=1) == 0] = 1
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def test_shares_are_rounded_down_and_the_largest_remainders_get_what_is_left() -> None:
    # Of 15 units, shares 7.05, 4.2, 3.75 leave one, for the .75; shares 13.5, .75, .75 leave two, for the .75s.
    soft_labels = np.array([[0.47, 0.28, 0.25], [0.9, 0.05, 0.05]], dtype=np.float32)
    units = quantize(soft_labels, bits=4)
    assert units.dtype == np.uint8
    assert units.tolist() == [[7, 4, 4], [13, 1, 1]]


def test_tied_remainders_go_to_the_lowest_classes() -> None:
    assert quantize(np.full((1, 4), 0.25, dtype=np.float32), bits=2).tolist() == [[1, 1, 1, 0]]
    assert quantize(np.array([[0, 0.5, 0.5]], dtype=np.float32), bits=1).tolist() == [[0, 1, 0]]


def test_a_row_that_sums_to_nearly_1_counts_in_proportion_to_its_sum() -> None:
    # Of 255 units, 200.40, 30.35 and 24.25 leave one for the first; a 1000th less would be 200.20, 30.32 and 24.23.
    rough = np.array([[200.40, 30.35, 24.25]]) / 255 * 0.9991
    assert quantize(rough.astype(np.float32), bits=8).tolist() == [[201, 30, 24]]
    assert quantize(np.array([[1.0005, 0, 0]], dtype=np.float32), bits=8).tolist() == [[255, 0, 0]]


@given(soft_label_sets(), st.integers(1, 8))
def test_every_task_has_all_its_units_and_only_the_first_class_can_be_a_unit_off(soft_labels: np.ndarray, bits: int) -> None:
    units = quantize(soft_labels, bits=bits)
    validate_units(units, bits=bits)
    shares = soft_labels / soft_labels.sum(axis=1, keepdims=True, dtype=np.float64) * unit_total(bits)
    off = units - shares
    assert np.abs(off).max() < 2
    off[np.arange(len(off)), hard_labels(soft_labels)] = 0
    assert np.abs(off).max() < 1


@given(soft_label_sets(), st.integers(1, 8))
def test_a_more_probable_class_never_gets_fewer_units(soft_labels: np.ndarray, bits: int) -> None:
    units = quantize(soft_labels, bits=bits).astype(int)
    above = soft_labels[:, :, None] > soft_labels[:, None, :]
    assert (units[:, :, None] >= units[:, None, :])[above].all()
    assert (units.argmax(axis=1) == hard_labels(soft_labels)).all()


def test_the_most_probable_class_gets_the_most_units_where_the_nearest_would_tie() -> None:
    # Shares 0.6, 0.9 and 1.5 of 3: one each is nearest. Shares 1.05, 2.8, 2.85 and 0.3 of 7: three for both is.
    assert quantize(np.array([[0.2, 0.3, 0.5]], dtype=np.float32), bits=2).tolist() == [[0, 1, 2]]
    assert quantize(np.array([[0.15, 0.4, 0.4071, 0.0429]], dtype=np.float32), bits=3).tolist() == [[1, 2, 4, 0]]


@given(soft_label_sets())
def test_one_bit_is_the_hard_label(soft_labels: np.ndarray) -> None:
    units = quantize(soft_labels, bits=1)
    assert (units == np.eye(soft_labels.shape[1], dtype=np.uint8)[hard_labels(soft_labels)]).all()


def test_one_bit_tells_apart_neighbouring_floats() -> None:
    half = np.float32(0.5)
    close = np.array([[np.nextafter(half, np.float32(0)), half], [half, np.nextafter(half, np.float32(1))]])
    assert quantize(close, bits=1).tolist() == [[0, 1], [0, 1]]


@given(st.lists(st.integers(0, 128), min_size=1, max_size=3), st.integers(1, 3))
def test_no_other_units_are_nearer(cuts: list[int], bits: int) -> None:
    parts = np.diff([0, *sorted(cuts), 128])
    total = unit_total(bits)

    def distance(units: tuple[int, ...]) -> Fraction:
        return sum((abs(Fraction(u, total) - Fraction(int(p), 128)) for u, p in zip(units, parts, strict=True)), Fraction())

    grid = (units for units in product(range(total + 1), repeat=len(parts)) if sum(units) == total)
    found = tuple(quantize((parts[None] / 128).astype(np.float32), bits=bits)[0].tolist())
    least = min(map(distance, grid))
    first = max(parts)
    if distance(found) > least:  # a unit that keeps the hard label
        assert (parts == first).sum() == 1
        assert distance(found) <= least + Fraction(2, total)
    else:
        assert distance(found) == least


@given(soft_label_sets(), st.integers(1, 8))
def test_what_is_quantized_stays_as_it_is(soft_labels: np.ndarray, bits: int) -> None:
    units = quantize(soft_labels, bits=bits)
    back = dequantize(units, bits=bits)
    assert back.dtype == np.float32
    validate_soft_labels(back, tasks=back.shape[0], classes=back.shape[1])
    assert np.abs(back.sum(axis=1, dtype=np.float64) - 1).max() < 1e-6
    assert (quantize(back, bits=bits) == units).all()


def test_units_are_shares_of_1() -> None:
    assert dequantize(np.array([[3, 12], [0, 15]], dtype=np.uint8), bits=4).tolist() == [
        [np.float32(0.2), np.float32(0.8)],
        [0, 1],
    ]


def test_the_largest_sizes_do_not_overflow() -> None:
    certain = np.eye(255, dtype=np.float32)
    assert (quantize(certain, bits=8) == 255 * np.eye(255, dtype=np.uint8)).all()
    assert quantize(np.full((1, 255), 1 / 255, dtype=np.float32), bits=8).tolist() == [[1] * 255]


@pytest.mark.parametrize("bits", [0, 9, -1, 2.0, True, "8"])
def test_bits_out_of_range_are_named(bits: object) -> None:
    with pytest.raises(ConfigError, match=rf"bits is {bits!r}; a whole number from 1 to 8"):
        quantize(np.full((1, 2), 0.5, dtype=np.float32), bits=bits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (np.full((1, 2), 0.5), r"soft labels are float64 of shape \(1, 2\); float32 \(tasks, classes\)"),
        (np.full(2, 0.5, dtype=np.float32), r"float32 of shape \(2,\)"),
        (np.zeros((0, 2), dtype=np.float32), "0 tasks; at least 1"),
        (np.ones((1, 1), dtype=np.float32), "1 classes; between 2 and 255"),
        (np.full((1, 256), 1 / 256, dtype=np.float32), "256 classes; between 2 and 255"),
    ],
)
def test_what_has_no_shape_of_soft_labels_is_refused(broken: np.ndarray, message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        quantize(broken, bits=4)


@pytest.mark.parametrize("broken", [[0.5, np.nan], [1.5, -0.5], [0.5, 0.6]])
def test_what_is_no_distribution_is_not_quantized(broken: list[float]) -> None:
    with pytest.raises(SoftLabelError, match="public input 1 "):
        quantize(np.array([[0.5, 0.5], broken], dtype=np.float32), bits=4)


def test_units_of_another_sum_are_named() -> None:
    with pytest.raises(SoftLabelError, match="units of public input 1 sum to 4, not 3; quantize with 2 bits"):
        dequantize(np.array([[3, 0], [3, 1]], dtype=np.uint8), bits=2)
    with pytest.raises(ReportShapeError, match="units are int64"):
        dequantize(np.array([[3, 0]], dtype=np.int64), bits=2)
    # 256 + 255 is 255 in eight bits.
    with pytest.raises(SoftLabelError, match="sum to 511, not 255"):
        validate_units(np.array([[255, 255, 1]], dtype=np.uint8), bits=8)
