"""What a client commits to of its weight update: the root of the packed vector that the contract averages and scores."""

from __future__ import annotations

from flwr.app import ArrayRecord

from flwr_chainfl.crypto import vector_root
from flwr_chainfl.messages import UpdateTerms
from flwr_chainfl.packed_vector import pack
from flwr_chainfl.scoring import VectorReport
from flwr_chainfl.updates import Updates


def report_of_update(arrays: ArrayRecord, reference: ArrayRecord, terms: UpdateTerms, *, samples: int) -> bytes:
    """Return the report of an update, 48 bytes.

    arrays: trained; reference: the global model that the training began with; samples: local examples

    Raises VectorError for values that are not finite, ReportShapeError for arrays of other shapes.
    """
    names = tuple(terms.update_names.split("\n")) if terms.update_names else ()
    updates = Updates(
        bits=terms.update_bits, names=names, projection=terms.update_projection, seed=terms.update_seed
    )
    lanes = updates.vector(arrays, reference, step=terms.update_step).lanes
    root = vector_root(pack(lanes, bits=terms.update_bits), unit=terms.update_unit)
    return VectorReport(samples, terms.update_step, root).pack()
