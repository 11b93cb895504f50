"""What miners are sent, and how their attestations are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flwr.app import ConfigRecord, Message, RecordDict

from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import Signature, TypedData, task_domain
from flwr_chainfl.errors import SealError
from flwr_chainfl.ledger import ScoreRequest, SealRequest
from flwr_chainfl.messages import TYPE_SEAL, RoundTerms, SealTerms, write_terms
from flwr_chainfl.scoring import ProxyVote
from flwr_chainfl.serverapp.contribution import Contribution, check_signed, read_field, read_record


def seal_terms(
    rule: Mapping[str, Any],
    vote: ProxyVote,
    before: bytes,
    contributions: Sequence[Contribution],
    contents: Sequence[bytes],
    samples: Sequence[int],
    standing: Standing,
    marks: Sequence[ScoreRequest],
) -> SealTerms:
    """Return all that a miner needs to find what a round comes to.

    rule: the exchange's part of the task's terms; contents, samples: of each contribution, stored form and declared count;
    marks: of the validators, as they signed them
    """
    return SealTerms(
        rule=json.dumps(rule, sort_keys=True),
        threshold=vote.threshold,
        before=before,
        workers=[c.address for c in contributions],
        samples=list(samples),
        commitments=[c.commit.commitment for c in contributions],
        commit_signatures=[c.commit.signature.to_bytes() for c in contributions],
        salts=[c.salt for c in contributions],
        contents=list(contents),
        reports=[c.report for c in contributions],
        reputations=[standing.reputations[c.address] for c in contributions] if standing.reputations else [],
        known_items=standing.calibration,
        validators=[one.participant for one in marks],
        judged=json.dumps([list(one.subjects) for one in marks]),
        marks=json.dumps([list(one.scores) for one in marks]),
        mark_signatures=[one.signature.to_bytes() for one in marks],
    )


def seal_message(terms: RoundTerms, wanted: SealTerms, node: int) -> Message:
    """Return what a miner is sent."""
    content = RecordDict({"config": write_terms(ConfigRecord(), terms, wanted)})
    return Message(content, dst_node_id=node, message_type=TYPE_SEAL)


def read_attestation(reply: Message, terms: RoundTerms, miner: str) -> SealRequest:
    """Read a miner's reply and check its signature.

    Raises ReportError for a missing or mistyped field, SealError for another round, SignatureError when another key signed.
    """
    record = read_record(reply)
    if (sealed := read_field(record, "round", int)) != terms.round_number:
        raise SealError(f"the attestation is of round {sealed}, not {terms.round_number}; attest the round that was asked for")
    if (address := read_field(record, "address", str)) != miner:
        raise SealError(f"the attestation is of {address}, this node takes part as {miner}; keep to one key in a run")
    aggregate = read_field(record, "aggregate", bytes)
    if len(aggregate) != 32:
        raise SealError(f"the attested hash has {len(aggregate)} bytes; 32 are needed")
    request = SealRequest(
        participant=miner,
        aggregate=aggregate,
        signature=Signature.from_bytes(read_field(record, "signature", bytes)),
    )
    statement = {"participant": miner, "round": terms.round_number, "aggregate": aggregate}
    domain = task_domain(terms.chain_id, terms.task)
    check_signed(TypedData(domain=domain, primary="Seal", message=statement), request.signature, miner)
    return request
