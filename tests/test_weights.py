import contextlib
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ReportShapeError
from flwr_chainfl.weights import is_scaled_update, pack_weights, same_shapes, unpack_weights


def _record(**arrays: list[float] | np.ndarray) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(values, dtype=np.float32)) for name, values in arrays.items()})


MODEL = _record(w=[[1, 2], [3, 4]], b=[0, 1])
TRAINED = _record(w=[[2, 2], [3, 5]], b=[0, -1])


def test_weights_come_back_from_their_bytes() -> None:
    again = unpack_weights(pack_weights(TRAINED))
    assert set(again) == set(TRAINED)
    assert all((again[name].numpy() == TRAINED[name].numpy()).all() for name in TRAINED)


def test_equal_weights_have_equal_bytes_in_any_memory_order() -> None:
    fortran = ArrayRecord({name: Array(np.asfortranarray(array.numpy())) for name, array in TRAINED.items()})
    assert pack_weights(fortran) == pack_weights(TRAINED)
    assert pack_weights(MODEL) != pack_weights(TRAINED)


@pytest.mark.parametrize("data", [b"", b"no weights", pack_weights(MODEL)[:-1], b"\xff" * 64])
def test_bytes_that_are_no_weights_are_an_error_that_counts_them(data: bytes) -> None:
    with pytest.raises(ReportShapeError, match=f"^{len(data)} bytes are no safetensors .*; send the weights again"):
        unpack_weights(data)


@given(st.data())
def test_changed_bytes_are_other_weights_or_an_error_and_never_code(data: st.DataObject) -> None:
    packed = bytearray(pack_weights(MODEL))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReportShapeError):
        unpack_weights(bytes(packed))


@pytest.mark.parametrize(
    "header",
    [
        b'{"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}',  # which numpy lacks
        b'{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,2]}}',
        b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999]}}',
        b'{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,2]}}',
        b"[" * 100_000,
    ],
)
def test_headers_that_lie_are_an_error(header: bytes) -> None:
    with pytest.raises(ReportShapeError, match="are no safetensors"):
        unpack_weights(len(header).to_bytes(8, "little") + header + b"\0\0")


def test_a_pickle_is_no_weights() -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return pytest.fail, ("a pickle was run",)

    with pytest.raises(ReportShapeError, match="are no safetensors"):
        unpack_weights(pickle.dumps(Trap()))


def test_the_global_model_s_shapes_are_accepted() -> None:
    same_shapes(TRAINED, MODEL)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (_record(w=[[1, 2], [3, 4]]), "other names than the global model's"),
        (_record(w=[[1, 2], [3, 4]], c=[0, 1]), "other names than the global model's"),
        (_record(w=[[1, 2], [3, 4]], b=[0]), r"array 'b' is float32 of shape \(1,\), the global model's is float32 of shape \(2,\)"),
        (_record(w=[[1, 2], [3, np.nan]], b=[0, 1]), "array 'w' is not finite; train with a lower learning rate"),
        (_record(w=[[1, 2], [3, 4]], b=[0, np.inf]), "array 'b' is not finite"),
    ],
)
def test_another_architecture_or_broken_numbers_are_refused_by_name(arrays: ArrayRecord, message: str) -> None:
    with pytest.raises(ReportShapeError, match=message):
        same_shapes(arrays, MODEL)


def _towards(factor: float, *, shift: float = 0.0) -> ArrayRecord:
    return ArrayRecord(
        {
            name: Array((base.numpy() + factor * (TRAINED[name].numpy() - base.numpy()) + shift).astype(np.float32))
            for name, base in MODEL.items()
        }
    )


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0])
def test_a_clipped_update_is_the_committed_one_shrunk(factor: float) -> None:
    assert is_scaled_update(_towards(factor), TRAINED, MODEL)


@pytest.mark.parametrize(("factor", "shift"), [(1.5, 0.0), (-0.5, 0.0), (0.5, 0.1), (1.0, 0.01)])
def test_a_grown_turned_or_changed_update_is_not_the_committed_one(factor: float, shift: float) -> None:
    assert not is_scaled_update(_towards(factor, shift=shift), TRAINED, MODEL)


def test_where_nothing_was_learnt_nothing_may_change() -> None:
    assert is_scaled_update(MODEL, MODEL, MODEL)
    assert not is_scaled_update(TRAINED, MODEL, MODEL)
