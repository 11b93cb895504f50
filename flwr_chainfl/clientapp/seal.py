"""A miner's part: check what workers and validators signed, count the votes, compute the aggregate, attest its hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flwr.app import ConfigRecord, RecordDict

from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import (
    Domain,
    Signature,
    TypedData,
    Wallet,
    address_order,
    commitment,
    payload_hash,
    recover,
    task_domain,
)
from flwr_chainfl.errors import ReportError, SealError, SignatureError
from flwr_chainfl.labels import LabelFormat, hard_labels
from flwr_chainfl.messages import REPLY_RECORD, SOFT_LABELS, RoundTerms, SealTerms
from flwr_chainfl.roles import Role
from flwr_chainfl.scoring import Facts, ProxyVote, marks_of
from flwr_chainfl.sealing import Entered, next_state
from flwr_chainfl.storage import address, digest


def attest(wallet: Wallet, terms: RoundTerms, wanted: SealTerms) -> RecordDict:
    """Return the signed hash of what the round comes to, found from what others signed.

    What a miner cannot see: whether the workers and validators that it is told of are those that were drawn, and whether
    some were left out. Both are public on the ledger, and an audit compares them.

    Raises SealError when a statement or content is not what its participant signed.
    """
    domain = task_domain(terms.chain_id, terms.task)
    rule: dict[str, Any] = json.loads(wanted.rule)
    entries = [_checked_worker(index, rule, domain, terms, wanted) for index in range(len(wanted.workers))]
    given = dict(_checked_votes(domain, terms, wanted))
    accepted = _tally(entries, given, terms, wanted)
    standing = Standing(
        reputations=dict(zip(wanted.workers, wanted.reputations, strict=True)) if wanted.reputations else {},
        calibration=wanted.known_items,
    )
    entered = [entry for entry in entries if entry.address in accepted]
    found = digest(address(next_state(rule, entered, before=wanted.before, standing=standing)))
    statement = {"participant": wallet.address, "round": terms.round_number, "aggregate": found}
    signature = wallet.sign(TypedData(domain=domain, primary="Seal", message=statement))
    return RecordDict(
        {
            REPLY_RECORD: ConfigRecord(
                {
                    "address": wallet.address,
                    "round": terms.round_number,
                    "aggregate": found,
                    "signature": signature.to_bytes(),
                }
            )
        }
    )


def _checked_worker(index: int, rule: dict[str, Any], domain: Domain, terms: RoundTerms, wanted: SealTerms) -> Entered:
    """Check that a worker signed the commitment, and that it is to what the miner was sent."""
    worker, content, report = wanted.workers[index], wanted.contents[index], wanted.reports[index]
    committed = wanted.commitments[index]
    statement = {"participant": worker, "round": terms.round_number, "commitment": committed}
    _require_signed(TypedData(domain=domain, primary="Commit", message=statement), wanted.commit_signatures[index], worker)
    opened = commitment(
        chain_id=terms.chain_id, task=terms.task, round_number=terms.round_number, participant=worker,
        payload=payload_hash(digest(address(content)), report), salt=wanted.salts[index],
    )  # fmt: skip
    if opened != committed:
        raise SealError(f"the server's content of {worker} is not what it committed to; this miner does not attest it")
    if rule["exchange"] == SOFT_LABELS:
        labels = hard_labels(LabelFormat(rule["tasks"], rule["classes"], rule["report-bits"]).unpack(content))
        if labels.tobytes() != report:
            raise SealError(f"the report of {worker} is not its soft labels' hard labels; this miner does not attest it")
    return Entered(worker, content, report)


def _checked_votes(domain: Domain, terms: RoundTerms, wanted: SealTerms) -> Iterable[tuple[str, dict[str, int]]]:
    """Give each validator with its marks, checking its signature over all of them."""
    marks = zip(json.loads(wanted.judged), json.loads(wanted.marks), wanted.mark_signatures, strict=True)
    for validator, (subjects, scores, signature) in zip(wanted.validators, marks, strict=True):
        statement = {"participant": validator, "round": terms.round_number, "subjects": subjects, "scores": scores}
        _require_signed(TypedData(domain=domain, primary="Score", message=statement), signature, validator)
        yield validator, dict(zip(subjects, scores, strict=True))


def _tally(
    entries: list[Entered], given: dict[str, dict[str, int]], terms: RoundTerms, wanted: SealTerms
) -> set[str]:
    """Return the workers that the votes accept, and whose sample counts are not above what they declared."""
    reports = {entry.address: entry.report for entry in entries}
    declared = dict(zip(wanted.workers, wanted.samples, strict=True))
    acted = sorted({*reports, *given}, key=address_order)
    facts = Facts(
        samples=[declared.get(one, 0) for one in acted],
        roles=[Role.WORKER if one in reports else Role.VALIDATOR for one in acted],
        marks=marks_of(acted, given, reference=terms.task) if given else (),
    )
    votes = ProxyVote(threshold=wanted.threshold).tally(facts).accepted
    rule = json.loads(wanted.rule)
    counted = rule["exchange"] != SOFT_LABELS and rule["signals"] is None
    return {
        one
        for one, good in zip(acted, votes, strict=True)
        if good and (not counted or int.from_bytes(reports[one], "big") <= declared[one])
    }


def _require_signed(statement: TypedData, signature: bytes, participant: str) -> None:
    try:
        signer = recover(statement, Signature.from_bytes(signature))
    except (ReportError, SignatureError) as error:
        raise SealError(f"the {statement.primary} statement of {participant} bears no signature: {error}") from error
    if signer != participant:
        raise SealError(
            f"the {statement.primary} statement of {participant} is signed by {signer}; this miner does not attest it"
        )


__all__ = ["attest"]
