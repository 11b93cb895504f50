"""The part of an audit that is about updates: their vectors, the model that their average leads to, Shapley tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flwr_chainfl.audit.difference import Difference
from flwr_chainfl.crypto import vector_root
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.packed_vector import pack
from flwr_chainfl.scoring import Alignment, VectorReport
from flwr_chainfl.scoring.alignment import unpack_factors
from flwr_chainfl.serverapp.fairness import recompute_table
from flwr_chainfl.storage import Store, address, address_of_digest
from flwr_chainfl.updates import Updates
from flwr_chainfl.weights import pack_weights, unpack_weights

if TYPE_CHECKING:
    from flwr.app import ArrayRecord

Entry = Mapping[str, Any]


class UpdateAudit:
    """Recomputes the vectors of a run of AveragedUpdates, round by round, in their order.

    terms: of the task; scorer: learns each round's vectors
    """

    def __init__(self, terms: Entry, scorer: Alignment, store: Store) -> None:
        self._updates = Updates(**{**terms["updates"], "names": tuple(terms["updates"]["names"])})
        self._scorer = scorer
        self._store = store
        self._expected: str | None = None

    def take(self, where: str, entry: Entry, exchanged: Sequence[str], recorded: Mapping[str, Entry]) -> Iterator[Difference]:
        """Recompute a round's vectors from the stored weights, and the model that they lead to; the scorer learns them.

        exchanged: whose weights were kept, ascending by address
        """
        self._scorer.forget()
        if entry["reference"] is None:
            return
        if self._updates.averages and self._expected is not None and entry["reference"] != self._expected:
            yield Difference(f"{where}, the model that it began with", entry["reference"], self._expected)
        reports = []
        step = 0.0
        try:
            reference = unpack_weights(self._store.get(entry["reference"]))
            for participant in exchanged:
                report = bytes.fromhex(recorded[participant]["report"])
                step = VectorReport.unpack(report).step
                arrays = unpack_weights(self._store.get(recorded[participant]["content"]))
                data = pack(self._updates.vector(arrays, reference, step=step).lanes, bits=self._updates.bits)
                root = vector_root(data, unit=self._scorer.unit)
                if root != report[16:]:
                    yield Difference(f"{where}, {participant}, report", report[16:].hex(), root.hex())
                    continue
                self._scorer.learn(root, data)
                reports.append(report)
        except ChainFLError as error:
            yield Difference(f"{where}, updates", str(error), "the stored weights, as they were committed to")
            return
        self._expect(reference, reports, [VectorReport.unpack(report).samples for report in reports], step)

    def _expect(self, reference: ArrayRecord, reports: Sequence[bytes], samples: Sequence[int], step: float) -> None:
        """Find the model that the next round begins with; a sketch's average leads to none."""
        if not self._updates.averages:
            return
        sums = self._scorer.sums(reports, samples)
        moved = reference if sums is None else self._updates.applied(reference, sums.average, step=step)
        self._expected = address(pack_weights(moved))

    def compare_table(self, where: str, calibration: bytes) -> Iterator[Difference]:
        """Recompute a Shapley round's values and factors from the worth of the coalitions that its table names."""
        found = unpack_factors(calibration)
        if not calibration or found is None:
            return
        try:
            table = json.loads(self._store.get(address_of_digest(found[0])))
            values, factors = recompute_table(table)
        except (ChainFLError, ValueError, KeyError, TypeError) as error:
            yield Difference(f"{where}, Shapley table", f"{type(error).__name__}: {error}", "a table that can be recomputed")
            return
        if table["values"] != values:
            yield Difference(f"{where}, Shapley values", str(table["values"]), str(values))
        listed = [(bytes.fromhex(report)[16:], int(factor)) for report, factor in zip(table["reports"], factors, strict=True)]
        if listed != found[1]:
            yield Difference(f"{where}, fairness factors", str(found[1]), str(listed))
