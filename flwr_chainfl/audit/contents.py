"""What participants contributed: each content and report against its reveal, its signals and its readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from flwr_chainfl.audit.audited_run import AuditedRun, Entry
from flwr_chainfl.audit.difference import Difference, differ
from flwr_chainfl.crypto import EnvelopeContext, envelope_readers, keccak256
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.labels import hard_labels
from flwr_chainfl.messages import SOFT_LABELS
from flwr_chainfl.signals import Signals
from flwr_chainfl.storage import digest
from flwr_chainfl.weights import unpack_weights


def compare_report(
    run: AuditedRun, where: str, recorded: Entry, revealed: Entry, contents: dict[str, bytes]
) -> Iterator[Difference]:
    """Check one contribution against its reveal; enter its content where there is one to check.

    A member that revealed on the ledger by itself has a report and no content: it is scored, and is no part of the
    consensus.
    """
    report = bytes.fromhex(recorded["report"])
    yield from differ(f"{where}, report", keccak256(report).hex(), revealed["reportHash"].hex())
    if recorded["content"] is None:
        return
    yield from differ(f"{where}, content", digest(recorded["content"]).hex(), revealed["contentDigest"].hex())
    if run.terms["exchange"] != SOFT_LABELS:
        return
    try:
        content = run.store.get(recorded["content"])
        soft_labels = run.form("report-bits").unpack(content)
    except ChainFLError as error:
        yield Difference(f"{where}, content", str(error), f"the bytes of {recorded['content']}")
        return
    yield from differ(f"{where}, report", report.hex(), hard_labels(soft_labels).tobytes().hex())
    contents[recorded["address"]] = content


def compare_signals(
    run: AuditedRun, where: str, entry: Entry, exchanged: Sequence[str], recorded: dict[str, Entry]
) -> Iterator[Difference]:
    """Recompute the reports of weight updates from the stored weights, where those were kept."""
    if run.terms["signals"] is None or entry["reference"] is None:
        return
    signals = Signals(**run.terms["signals"])
    try:
        reference = unpack_weights(run.store.get(entry["reference"]))
    except ChainFLError as error:
        yield Difference(f"{where}, reference", str(error), f"the bytes of {entry['reference']}")
        return
    for participant in exchanged:
        try:
            arrays = unpack_weights(run.store.get(recorded[participant]["content"]))
        except ChainFLError as error:
            cid = recorded[participant]["content"]
            yield Difference(f"{where}, {participant}, content", str(error), f"the bytes of {cid}")
            continue
        found = signals.report(arrays, reference).hex()
        yield from differ(f"{where}, {participant}, report", recorded[participant]["report"], found)


def compare_readers(
    run: AuditedRun, where: str, entry: Entry, exchanged: Sequence[str], recorded: dict[str, Entry]
) -> Iterator[Difference]:
    """Check that sealed contents are there, made for this round by their owners, and open for registered keys alone."""
    if run.terms.get("envelopes") is None:
        return
    known = run.ledger.keys(run.terms["envelopes"]).registered()
    for participant in exchanged:
        person = f"{where}, {participant}, envelope"
        try:
            context, key_ids = envelope_readers(run.store.get(recorded[participant]["content"]))
        except ChainFLError as error:
            yield Difference(person, str(error), f"the bytes of {recorded[participant]['content']}")
            continue
        made = EnvelopeContext(
            chain_id=run.ledger.chain.chain_id, task=run.task.address, round_number=entry["ledger_round"],
            owner=participant,
        )
        yield from differ(f"{person}, made for", asdict(context), asdict(made))
        strangers = [key_id.hex() for key_id in key_ids if key_id not in known]
        yield from differ(f"{person}, keys that nobody registered", strangers, [])
