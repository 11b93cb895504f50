"""What a client commits to of its weight update: the root of the packed vector that the contract averages and scores."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context
from numpy.typing import NDArray

from flwr_chainfl.crypto import vector_root
from flwr_chainfl.errors import VectorError
from flwr_chainfl.messages import RESIDUAL_RECORD, UpdateTerms
from flwr_chainfl.packed_vector import pack
from flwr_chainfl.scoring import VectorReport
from flwr_chainfl.updates import Updates


def report_of_update(arrays: ArrayRecord, reference: ArrayRecord, terms: UpdateTerms, *, samples: int) -> bytes:
    """Return the report of an update, 48 bytes.

    arrays: trained; reference: the global model that the training began with; samples: local examples

    Raises VectorError for values that are not finite, ReportShapeError for arrays of other shapes.
    """
    lanes = _updates(terms).vector(arrays, reference, step=terms.update_step).lanes
    root = vector_root(pack(lanes, bits=terms.update_bits), unit=terms.update_unit)
    return VectorReport(samples, terms.update_step, root).pack()


def with_feedback(
    arrays: ArrayRecord, reference: ArrayRecord, terms: UpdateTerms, context: Context, *, task: str
) -> ArrayRecord:
    """Return what to send in place of the trained arrays: with what rounding took away before added to the update.

    What this client's last update lost is kept in the context, for the same task; what the last average lost comes with the terms.
    A round in which the update was not accepted loses the residual with it.

    Raises VectorError for values that are not finite or a carry of another length, ReportShapeError for arrays of other shapes.
    """
    updates = _updates(terms)
    parameters = updates.parameters(reference)
    sent = updates.shifted(arrays, reference, _kept(context, task, parameters) + _carried(terms, parameters))
    residual = updates.residual(sent, reference, step=terms.update_step).astype(np.float32)
    context.state[RESIDUAL_RECORD] = ConfigRecord({"of-task": task, "residual": residual.tobytes()})
    return sent


def _updates(terms: UpdateTerms) -> Updates:
    names = tuple(terms.update_names.split("\n")) if terms.update_names else ()
    return Updates(bits=terms.update_bits, names=names, projection=terms.update_projection, seed=terms.update_seed)


def _kept(context: Context, task: str, parameters: int) -> NDArray[np.float64]:
    """Return what the last update lost, zeros where none is known of this task."""
    kept = context.state.config_records.get(RESIDUAL_RECORD)
    data = kept["residual"] if kept is not None and kept["of-task"] == task else b""
    if not isinstance(data, bytes) or len(data) != 4 * parameters:
        return np.zeros(parameters)
    return np.frombuffer(data, dtype=np.float32).astype(np.float64)


def _carried(terms: UpdateTerms, parameters: int) -> NDArray[np.float64]:
    """Return what the last average lost, zeros for nothing."""
    if not terms.update_carry:
        return np.zeros(parameters)
    if len(terms.update_carry) != parameters or not np.isfinite(terms.update_carry_step):
        raise VectorError(
            f"the server's carry has {len(terms.update_carry)} bytes in steps of {terms.update_carry_step}; {parameters} bytes "
            f"and a finite step are needed"
        )
    return np.frombuffer(terms.update_carry, dtype=np.int8).astype(np.float64) * terms.update_carry_step
