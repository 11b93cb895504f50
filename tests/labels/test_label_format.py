import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError, ReportError, SoftLabelError
from flwr_chainfl.labels import LabelFormat, hard_labels


def labels_of(seed: int, tasks: int, classes: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.dirichlet([0.3] * classes, tasks).astype(np.float32)


def test_float32_labels_are_stored_as_four_bytes_a_class_in_row_order():
    soft_labels = labels_of(0, 5, 3)
    form = LabelFormat(5, 3, 0)
    stored = form.pack(soft_labels)
    assert len(stored) == 4 * 5 * 3
    assert (form.unpack(stored) == soft_labels).all()
    assert form.pack(np.asfortranarray(soft_labels)) == stored


@pytest.mark.parametrize("length", [0, 59, 61])
def test_float32_labels_of_another_length_are_an_error_with_both_lengths(length):
    with pytest.raises(SoftLabelError, match=f"{length} bytes.*60"):
        LabelFormat(5, 3, 0).unpack(bytes(length))


def test_one_bit_stores_one_byte_an_input_and_reads_back_as_one_hot():
    soft_labels = labels_of(1, 20, 4)
    form = LabelFormat(20, 4, 1)
    stored = form.pack(soft_labels)
    assert len(stored) == 20
    assert (form.unpack(stored) == np.eye(4, dtype=np.float32)[hard_labels(soft_labels)]).all()


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(0, 8), seed=st.integers(0, 1000), tasks=st.integers(1, 60), classes=st.integers(2, 12),
    reference=st.sampled_from(["none", "same", "other"]),
)  # fmt: skip
def test_what_travels_comes_back_as_it_was_stored(bits, seed, tasks, classes, reference):
    form = LabelFormat(tasks, classes, bits)
    stored = form.pack(labels_of(seed, tasks, classes))
    known = {"none": None, "same": stored, "other": form.pack(labels_of(seed + 1, tasks, classes))}[reference]
    assert form.expand(form.compress(stored, known), known) == stored


def test_labels_that_hardly_change_travel_in_a_fraction_of_their_size():
    form = LabelFormat(2000, 10, 1)
    before = labels_of(2, 2000, 10)
    after = before.copy()
    after[:60] = labels_of(3, 60, 10)
    stored, known = form.pack(after), form.pack(before)
    assert len(form.compress(stored, known)) * 4 < len(form.compress(stored, None))


def test_a_missing_reference_is_an_error_and_not_other_labels():
    form = LabelFormat(50, 10, 1)
    stored = form.pack(labels_of(4, 50, 10))
    sent = form.compress(stored, stored)
    with pytest.raises(ReportError, match="reference"):
        form.expand(sent, None)


@pytest.mark.parametrize("bits", [-1, 9])
def test_bits_out_of_range_are_named(bits):
    with pytest.raises(ConfigError, match=f"bits is {bits}"):
        LabelFormat(5, 3, bits)
