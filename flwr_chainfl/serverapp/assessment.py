"""Who judges a round's contributions and how: one seam for reviews among peers and for validators' votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict

from flwr_chainfl.crypto import Signature, TypedData, address_order, task_domain
from flwr_chainfl.errors import ReportError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import ScoreRequest
from flwr_chainfl.messages import (
    TYPE_REVIEW,
    AssessmentTerms,
    ConsensusTerms,
    RoundTerms,
    write_terms,
)
from flwr_chainfl.serverapp.contribution import check_signed, read_field, read_record

Judged = ArrayRecord | bytes
"""What an assessor is brought of a contribution: the model, or the envelope that it is sealed in."""


class Assessment(Protocol):
    """A part of ChainStrategy: between the reveals and the scores, some judge what others contributed.

    Every assessor is sent the contributions of all workers but its own, evaluates them with its own evaluate function, and
    signs its marks; the ledger keeps them, and a scorer reads them (`Facts.marks`).
    """

    @property
    def message_type(self) -> str:
        """The action that the assessors are asked for."""

    @property
    def metric(self) -> str:
        """Name of the evaluation metric that is the mark, a share from 0 to 1."""

    @property
    def judges_reference(self) -> bool:
        """Whether the model that the round began with is judged, too, under the task's own address."""

    @property
    def retrains_reference(self) -> bool:
        """Whether that model is judged as each assessor's own training leaves it."""

    def terms(self) -> dict[str, Any]:
        """Return the assessment's part of the task's terms, for the ledger and the run record."""

    def assessors(self, workers: Sequence[str], roles: Mapping[str, Any]) -> list[str]:
        """Return who is to judge, in the order of addresses.

        workers: whose contribution was accepted; roles: of all that have one in this round, empty where nobody has
        """


@dataclass(frozen=True, kw_only=True)
class PeerReview:
    """Every worker whose contribution was accepted judges those of the others on its own held-out data.

    metric: name of the evaluation metric that is the mark, a share from 0 to 1. The data behind it should not be what the
    worker trains on
    judges_reference: whether they judge the model that the round began with, too

    Nobody can see on which data a worker evaluates, or whether it does; see `scoring.PeerReviewScore` for what a lie costs.

    Source: docs/protocols/collateral.md, "Scoring".
    """

    metric: str = "accuracy"
    judges_reference: bool = False
    message_type: str = field(default=TYPE_REVIEW, init=False)
    retrains_reference: bool = field(default=False, init=False)

    def terms(self) -> dict[str, Any]:
        """Return kind and parameters."""
        return {"kind": "peer-review", "metric": self.metric, "judges-reference": self.judges_reference}

    def assessors(self, workers: Sequence[str], roles: Mapping[str, Any]) -> list[str]:
        """Return the workers themselves."""
        return list(workers)


def assessment_message(
    assessment: Assessment,
    terms: RoundTerms,
    node: int,
    assessor: str,
    judged: Mapping[str, Judged],
    reference: ArrayRecord | None,
    *,
    names: Sequence[str] = (),
    consensus: ConsensusTerms | None = None,
    calibration: bytes = b"",
) -> Message | None:
    """Return what an assessor is sent, None where there is nothing for it to judge.

    judged: by the workers' addresses, ascending; reference: the model that the round began with, where that is judged;
    names: of the model's arrays in their order, where contributions are sealed; consensus: what an assessor of labels needs
    of the exchange; calibration: items that count for all assessors of labels
    """
    others = {address: content for address, content in judged.items() if address != assessor}
    if reference is not None:
        others = dict(sorted([*others.items(), (terms.task, reference)], key=lambda item: address_order(item[0])))
    if not others:
        return None
    wanted = AssessmentTerms(
        subjects=list(others),
        envelopes=[one if isinstance(one, bytes) else b"" for one in others.values()],
        names=list(names),
        metric=assessment.metric,
        calibration=calibration,
        retrained=assessment.retrains_reference,
    )
    content = RecordDict({address: one for address, one in others.items() if not isinstance(one, bytes)})
    content["config"] = write_terms(ConfigRecord(), terms, wanted, *([consensus] if consensus is not None else []))
    return Message(content, dst_node_id=node, message_type=assessment.message_type)


def read_marks(reply: Message, terms: RoundTerms, assessor: str, judged: Sequence[str]) -> ScoreRequest:
    """Read an assessor's reply and check its signature.

    judged: addresses that there are marks for, the task's own among them where the reference is judged

    Raises ReportError for a missing, mistyped or impossible field, SignatureError when another key signed.
    """
    record = read_record(reply)
    if read_field(record, "round", int) != terms.round_number:
        raise ReportError(f"the marks are of round {record['round']!r}, not {terms.round_number}; the client missed a round")
    if (address := read_field(record, "address", str)) != assessor:
        raise ReportError(f"the marks are of {address}, this node takes part as {assessor}; keep to one key in a run")
    subjects, scores = record.get("subjects"), record.get("scores")
    if not isinstance(subjects, list) or not isinstance(scores, list) or len(subjects) != len(scores) or not subjects:
        raise ReportError("the reply's subjects and scores are no lists of one length; one mark a subject is needed")
    named = [subject for subject in subjects if isinstance(subject, str)]
    marks = [score for score in scores if isinstance(score, int) and not isinstance(score, bool) and 0 <= score <= WAD]
    if len(named) != len(subjects) or len(marks) != len(scores):
        raise ReportError(f"the reply's marks are {scores!r}; whole numbers from 0 to {WAD} are needed, one an address")
    order = {address: position for position, address in enumerate(judged) if address != assessor}
    positions = [order.get(subject, -1) for subject in named]
    if positions != sorted(set(positions)) or positions[0] < 0:
        raise ReportError("the reply's subjects are not some of those that were to be judged, each once and in their order")
    request = ScoreRequest(
        participant=assessor,
        subjects=tuple(named),
        scores=tuple(marks),
        signature=Signature.from_bytes(read_field(record, "signature", bytes)),
    )
    statement = {"participant": assessor, "round": terms.round_number, "subjects": named, "scores": marks}
    domain = task_domain(terms.chain_id, terms.task)
    check_signed(TypedData(domain=domain, primary="Score", message=statement), request.signature, assessor)
    return request
