import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.clientapp.update import with_feedback
from flwr_chainfl.errors import ConfigError, ReportShapeError, VectorError
from flwr_chainfl.messages import UpdateTerms
from flwr_chainfl.packed_vector import dot, pack, quantize, unpack
from flwr_chainfl.updates import Updates, fitting_step


def model(seed: int) -> ArrayRecord:
    rng = np.random.default_rng(seed)
    return ArrayRecord({
        "head": Array(rng.normal(size=(30, 4)).astype(np.float32)), "count": Array(np.array([seed])),
        "body": Array(rng.normal(size=500).astype(np.float32)),
    })


def test_an_update_of_one_client_leads_back_to_its_own_model_up_to_half_a_step() -> None:
    before, after = model(0), model(1)
    updates, step = Updates(), 2.0**-12
    moved = updates.applied(before, updates.vector(after, before, step=step).lanes, step=step)
    for name in ("head", "body"):
        assert np.abs(moved[name].numpy() - after[name].numpy()).max() <= step / 2 + 1e-6
    assert moved["count"].numpy() == 0


def test_what_is_not_chosen_stays_as_it_was() -> None:
    before, after = model(0), model(1)
    updates = Updates(names=("head",))
    assert updates.parameters(before) == 120
    moved = updates.applied(before, updates.vector(after, before, step=0.001).lanes, step=0.001)
    np.testing.assert_array_equal(moved["body"].numpy(), before["body"].numpy())
    with pytest.raises(ConfigError, match="no floating-point array 'count'"):
        Updates(names=("count",)).parameters(before)


def test_sketches_keep_the_cosine_of_updates() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=20_000)
    empty = ArrayRecord({"w": Array(np.zeros(20_000))})
    updates = Updates(projection=1024, seed=3)
    a, b = (
        updates.vector(ArrayRecord({"w": Array(common + rng.normal(size=20_000))}), empty, step=2.0**-10).lanes for _ in range(2)
    )
    assert dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5 == pytest.approx(0.5, abs=0.1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.sampled_from([8, 16, 32]))
def test_packing_and_unpacking_changes_nothing(values: list[float], bits: int) -> None:
    lanes = quantize(np.array(values), step=0.5, bits=bits).lanes
    np.testing.assert_array_equal(unpack(pack(lanes, bits=bits), parameters=len(lanes), bits=bits), lanes)


def test_values_that_are_clipped_are_counted_and_those_that_are_no_numbers_refused() -> None:
    found = quantize(np.array([1.0, 200.0, -200.0, 0.0]), step=1.0, bits=8)
    assert (found.lanes.tolist(), found.clipped) == ([1, 127, -127, 0], 0.5)
    with pytest.raises(VectorError, match="value 1 of the update is nan"):
        quantize(np.array([1.0, np.nan]), step=1.0, bits=8)
    with pytest.raises(VectorError, match="a vector has 64 bytes; 10 parameters of 16 bits take 32"):
        unpack(bytes(64), parameters=10, bits=16)
    with pytest.raises(VectorError, match="goes on with other numbers"):
        unpack(b"\1" * 32, parameters=10, bits=16)
    with pytest.raises(ReportShapeError, match="'body' is missing"):
        Updates().vector(ArrayRecord({"head": model(0)["head"]}), model(0), step=1.0)


@given(st.floats(1e-9, 1e6), st.sampled_from([8, 16]))
def test_the_next_step_leaves_room_for_a_quarter_more(largest: float, bits: int) -> None:
    most = fitting_step(largest, bits=bits) * (2 ** (bits - 1) - 1)
    assert 1.25 * largest <= most * (1 + 1e-12) < 2.51 * largest


def feedback_terms(carry: bytes = b"", carry_step: float = 0.0) -> UpdateTerms:
    return UpdateTerms(
        update_step=1.0, update_bits=8, update_unit=32, update_names="a", update_projection=0, update_seed=0,
        update_feedback=True, update_carry=carry, update_carry_step=carry_step,
    )  # fmt: skip


def test_what_rounding_and_clipping_take_away_is_added_to_the_next_rounds_updates() -> None:
    zeros = ArrayRecord({"a": Array(np.zeros(3, np.float32)), "b": Array(np.zeros(1, np.float32))})
    trained = ArrayRecord({"a": Array(np.array([-0.25, 0.375, -150.0], np.float32)), "b": Array(np.ones(1, np.float32))})
    context = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})
    updates, summed, alone = Updates(bits=8, names=("a",)), np.zeros(3), np.zeros(3)
    for number in range(8):
        task = "0x1" if number else "0x2"  # what another task's update lost is no part of this one's
        sent = with_feedback(trained, zeros, feedback_terms(), context, task=task)
        summed += updates.vector(sent, zeros, step=1.0).lanes
        alone += updates.vector(trained, zeros, step=1.0).lanes
        assert sent["b"].numpy() == trained["b"].numpy()
    assert alone.tolist() == [0, 0, 8 * 127]
    assert summed.tolist() == [2, -3, 8 * 127]
    trained["a"] = Array(np.zeros(3, np.float32))
    assert updates.vector(with_feedback(trained, zeros, feedback_terms(), context, task="0x1"), zeros, step=1.0).lanes[2] == 127


def test_what_the_average_lost_comes_back_with_the_next_update() -> None:
    zeros = ArrayRecord({"a": Array(np.zeros(3, np.float32))})
    context = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})
    terms = feedback_terms(np.array([127, -128, 0], np.int8).tobytes(), 1 / 64)
    sent = with_feedback(zeros, zeros, terms, context, task="0x1")
    assert sent["a"].numpy().tolist() == [-127 / 64, 2, 0]
    with pytest.raises(VectorError, match="carry has 2 bytes in steps of 0.5; 3 bytes"):
        with_feedback(zeros, zeros, feedback_terms(bytes(2), 0.5), context, task="0x1")
