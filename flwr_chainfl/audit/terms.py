"""What a run was made under: the task's terms and settings on the ledger, and who may join."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from flwr_chainfl.admission import AllowList, Invitations, read_list
from flwr_chainfl.audit.audited_run import AuditedRun
from flwr_chainfl.audit.difference import Difference, differ
from flwr_chainfl.crypto import keccak256
from flwr_chainfl.ledger import NOBODY


def compare_terms(run: AuditedRun) -> Iterator[Difference]:
    """Compare what the record says of a run's terms, settings and money with the ledger."""
    cid = run.terms_cid
    yield from differ("config, terms", run.record["config"].get("terms"), cid)
    for key, value in run.terms.items():
        yield from differ(f"config, {key}", run.record["config"].get(key), value)
    yield from differ("protocol", run.record["protocol"], run.terms["protocol"])
    for key, value in asdict(run.settings).items():
        recorded = run.record["config"]["settings"].get(key)
        yield from differ(f"config, settings, {key}", recorded, value if isinstance(value, bool) else str(value))
    yield from _compare_admission(run)
    funded = next(a for name, a in run.events if name == "TaskInitialized")
    yield from differ("config, reward-per-round", run.record["config"].get("reward-per-round"),
                       str(funded["pool"] // funded["rounds"]))


def _compare_admission(run: AuditedRun) -> Iterator[Difference]:
    """Compare what the terms say of who may join with the ledger's contract, and the members with the list."""
    terms = run.terms.get("admission")
    yield from differ("config, admission", terms is not None, run.settings.admission != NOBODY)
    if terms is None or run.settings.admission == NOBODY:
        return
    gate = run.ledger.gate(run.settings.admission)
    if terms["contract"] == AllowList.contract:
        allowed = read_list(run.store.get(terms["list"]))
        root = "0x" + allowed.arguments[0].hex()
        yield from differ("config, admission, root", terms["arguments"][0], root)
        yield from differ("config, admission, root on the ledger", "0x" + gate.root().hex(), root)
        joined = {str(a["participant"]) for name, a in run.events if name == "ParticipantJoined"}
        for participant in sorted(joined - set(allowed.addresses)):
            yield Difference(f"{participant}, admission", "a member", "not on the allow-list")
    elif terms["contract"] == Invitations.contract:
        inviter, purpose = terms["arguments"]
        yield from differ("config, admission, inviter on the ledger", gate.inviter(), inviter)
        yield from differ(
            "config, admission, purpose on the ledger", gate.purpose_hash().hex(), keccak256(purpose.encode()).hex()
        )
