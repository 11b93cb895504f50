"""Model weights as bytes: safetensors, never pickle; the same bytes for the same arrays everywhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flwr.app import Array, ArrayRecord
from safetensors.numpy import load, save

from flwr_chainfl.errors import ReportShapeError


def pack_weights(arrays: ArrayRecord) -> bytes:
    """Return an ArrayRecord's arrays as safetensors bytes."""
    return bytes(save({name: np.ascontiguousarray(array.numpy()) for name, array in arrays.items()}))


def unpack_weights(data: bytes) -> ArrayRecord:
    """Return the ArrayRecord of safetensors bytes; raises ReportShapeError when they are none."""
    try:
        arrays = load(data)
    except Exception as error:  # safetensors raises a type of its own Rust module
        raise ReportShapeError(f"{len(data)} bytes are no safetensors ({error}); send the weights again") from error
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def in_order(arrays: ArrayRecord, names: Iterable[str]) -> ArrayRecord:
    """Return arrays in the order of a model's own, which safetensors does not keep and some users' functions go by.

    Raises ReportShapeError when they have other names.
    """
    wanted = list(names)
    if set(arrays) != set(wanted):
        raise ReportShapeError("the arrays have other names than the global model's; use the same architecture")
    return ArrayRecord({name: arrays[name] for name in wanted})


def same_shapes(arrays: ArrayRecord, reference: ArrayRecord) -> None:
    """Check that a reply's arrays are those of the global model, and finite.

    Raises ReportShapeError otherwise.
    """
    if set(arrays) != set(reference):
        raise ReportShapeError("the reply's arrays have other names than the global model's; use the same architecture")
    for name, array in arrays.items():
        expected = reference[name].numpy()
        try:
            values = array.numpy()
        except Exception as error:  # whatever numpy makes of a stranger's bytes
            raise ReportShapeError(f"array {name!r} cannot be read ({error}); send the weights again") from error
        if values.shape != expected.shape or values.dtype != expected.dtype:
            raise ReportShapeError(
                f"array {name!r} is {values.dtype} of shape {values.shape}, the global model's is {expected.dtype} of shape "
                f"{expected.shape}; use the same architecture"
            )
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ReportShapeError(f"array {name!r} is not finite; train with a lower learning rate")


def is_scaled_update(arrays: ArrayRecord, committed: ArrayRecord, reference: ArrayRecord, *, tolerance: float = 1e-3) -> bool:
    """Say whether arrays are the global model plus a shrunk version of a committed update, as clipping makes them.

    tolerance: on the relative distance between the two updates once scaled alike
    """
    update, original = [], []
    for name, base in reference.items():
        start = base.numpy().astype(np.float64)
        update.append((arrays[name].numpy() - start).ravel())
        original.append((committed[name].numpy() - start).ravel())
    u, o = np.concatenate(update), np.concatenate(original)
    norm = float(o @ o)
    if norm == 0:
        return bool(np.allclose(u, 0))
    factor = float(u @ o) / norm
    return -tolerance <= factor <= 1 + tolerance and float(np.linalg.norm(u - factor * o)) <= tolerance * float(
        np.linalg.norm(o)
    )
