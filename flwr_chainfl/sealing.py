"""What a round comes to, as bytes that every miner finds alike, and whose hash they attest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flwr_chainfl.consensus import Memory, Standing, rule_of
from flwr_chainfl.exact_mean import ExactMean
from flwr_chainfl.labels import LabelFormat
from flwr_chainfl.messages import SOFT_LABELS
from flwr_chainfl.weights import pack_weights, unpack_weights


@dataclass(frozen=True)
class Entered:
    """A contribution that was accepted: whose, the exchanged content in the stored form, and the report of it."""

    address: str
    content: bytes
    report: bytes


def next_state(terms: Mapping[str, Any], entered: Sequence[Entered], *, before: bytes, standing: Standing) -> bytes:
    """Return what the next round starts from: the packed global model, or the consensus in the stored form.

    terms: of the task, in so far as they are the exchange's; entered: ascending by address; before: what this round started
    from, in the same form, which stays where nothing was accepted; standing: what a consensus takes into account besides

    The same bytes on every machine: models are averaged in whole numbers, and so are probabilities.

    Raises ReportError when a content is not what the terms say.
    Source: docs/protocols/role-rotation.md, "Aggregation".
    """
    if not entered:
        return before
    if terms["exchange"] != SOFT_LABELS:
        samples = [int.from_bytes(one.report, "big") for one in entered]
        models = (unpack_weights(one.content) for one in entered)
        return pack_weights(ExactMean(**terms["exact"]).mean(models, samples, unpack_weights(before)))
    formed = rule_of(terms).form(
        [(one.address, one.report) for one in entered],
        (LabelFormat(terms["tasks"], terms["classes"], terms["report-bits"]).unpack(one.content) for one in entered),
        standing,
        Memory(),
    )
    return LabelFormat(terms["tasks"], terms["classes"], terms["consensus-bits"]).pack(formed.soft_labels)
