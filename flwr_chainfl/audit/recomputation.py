"""The audit of one run: which part of it is recomputed when, round by round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from flwr_chainfl.audit.aggregate import AggregateAudit
from flwr_chainfl.audit.audited_run import AuditedRun, Entry
from flwr_chainfl.audit.contents import compare_readers, compare_report, compare_signals
from flwr_chainfl.audit.decoders import compare_decoders
from flwr_chainfl.audit.difference import Difference, differ
from flwr_chainfl.audit.pay import PayAudit
from flwr_chainfl.audit.roles import compare_roles
from flwr_chainfl.audit.settled_round import SettledRound, settled_rounds
from flwr_chainfl.audit.terms import compare_terms
from flwr_chainfl.audit.updates import UpdateAudit
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.ledger import NOBODY, Ledger
from flwr_chainfl.messages import SOFT_LABELS
from flwr_chainfl.record import read_run
from flwr_chainfl.scoring import Alignment, Facts, RoleReward, marks_of
from flwr_chainfl.storage import FolderStore, Store, open_store


def audit(run_directory: str | Path, *, store: Store | None = None) -> list[Difference]:
    """Check a run of any strategy of this package and return the differences; an empty list means all is right.

    It replays the ledger's log (or reads the chain), fetches every content by its address, and recomputes hashes,
    consensus, scores, qualities, slashes, payouts, totals and the digest. Reputations are compared with the registry's
    events; what those say is computed by the registry's contract.

    run_directory: with run.json, and ledger.jsonl where the ledger was embedded
    store: where the contents are; None for where the run put them

    Raises RunRecordError when there is no run record to check, LedgerUnreachableError or StoreUnreachableError when a
    node does not answer.
    """
    directory = Path(run_directory)
    record = read_run(directory)
    try:
        if store is None:
            location = record["config"].get("store")
            store = open_store(location) if location is not None else FolderStore(directory / "store")
        ledger = Ledger.read(record["ledger"]["url"], log_file=directory / "ledger.jsonl")
        task = ledger.task(record["ledger"]["task"])
        return list(_Recomputation(AuditedRun.read(record, store, ledger, task)).differences())
    except ConnectionError:
        raise
    except (ChainFLError, KeyError, TypeError, ValueError, AttributeError) as error:
        return [Difference("the run", f"{type(error).__name__}: {error}", "a record, contents and ledger that can be read")]


class _Recomputation:
    """One pass over a run."""

    def __init__(self, run: AuditedRun) -> None:
        self._run = run
        self._pay = PayAudit(run)
        self._aggregate = AggregateAudit(run)
        self._updates = UpdateAudit(run.terms, run.scorer, run.store) if isinstance(run.scorer, Alignment) else None
        self._rounds = settled_rounds(run)

    def differences(self) -> Iterator[Difference]:
        """Yield all differences."""
        yield from compare_terms(self._run)
        yield from compare_decoders(self._run)
        by_number = {entry["ledger_round"]: entry for entry in self._run.record["rounds"] if entry["ledger_round"]}
        for number in sorted(set(by_number) | set(self._rounds)):
            where = f"round {number}"
            if number not in by_number:
                yield Difference(where, "no entry in run.json", "a round on the ledger")
            elif number not in self._rounds:
                yield Difference(where, "an entry in run.json", "no such round on the ledger")
            else:
                yield from compare_roles(self._run, number, by_number[number], self._rounds)
                yield from self._compare_round(where, by_number[number], self._rounds[number])
        yield from self._pay.compare_totals()

    def _compare_round(self, where: str, entry: Entry, settled: SettledRound) -> Iterator[Difference]:
        participants = settled.participants
        recorded = {c["address"]: c for c in entry["contributions"]}
        yield from differ(f"{where}, participants", sorted(recorded), sorted(participants))
        if set(recorded) != set(participants):
            return
        contents: dict[str, bytes] = {}
        for participant in settled.reveals:
            yield from compare_report(
                self._run, f"{where}, {participant}", recorded[participant], settled.reveals[participant], contents
            )
        reports = [bytes.fromhex(recorded[p]["report"]) for p in participants]
        marks = {who: {one: str(score) for one, score in given.items()} for who, given in settled.marks.items()}
        yield from differ(f"{where}, marks", entry.get("marks", {}), marks)
        unsealed = self._run.settings.seal_seconds > 0 and not settled.aggregate
        if settled.is_void and entry["seed"] is None and (unsealed or self._run.settings.randomness != NOBODY):
            settled.seed = b""  # a word that came too late was no part of the round, and without a seal nobody is scored
        yield from differ(f"{where}, seed", entry["seed"], settled.seed.hex() or None)
        yield from differ(f"{where}, calibration", entry["calibration"], settled.calibration.hex() or None)
        yield from self._compare_reputations(where, recorded, settled)
        exchanged = [p for p in participants if recorded[p]["content"] is not None]
        if self._updates is not None:
            yield from self._updates.take(where, entry, exchanged, recorded)
            yield from self._updates.compare_table(where, settled.calibration)
        scored = None
        counted: dict[str, int] = {}
        if settled.seed:
            facts = self._facts(participants, settled)
            scored = self._run.scorer.score(reports, facts)
            counted = self._counted(exchanged, dict(zip(participants, scored.scores, strict=True)))
        entered = exchanged
        if isinstance(self._run.scorer, RoleReward):
            good = self._run.scorer.accepted(reports, self._facts(participants, settled))
            accepted = [p for p, enters in zip(participants, good, strict=True) if enters]
            if settled.reveals:
                yield from differ(f"{where}, accepted", entry.get("accepted"), [p for p in accepted if p in exchanged])
            entered = [p for p in exchanged if p in accepted]
        contents = {p: content for p, content in contents.items() if p in entered}
        if self._run.settings.seal_seconds:
            yield from self._aggregate.compare_seal(where, entry, recorded, settled, entered)
        if unsealed:
            exchanged = entered = []
        if self._run.terms["exchange"] == SOFT_LABELS:
            exchanged = entered
            if exchanged and len(contents) == len(exchanged):
                yield from self._aggregate.compare_consensus(where, entry, recorded, contents, settled, counted)
        else:
            yield from compare_signals(self._run, where, entry, exchanged, recorded)
            yield from compare_readers(self._run, where, entry, exchanged, recorded)
            for participant in exchanged:
                weight = recorded[participant]["weight"]
                yield from differ(f"{where}, {participant}, weight", weight, counted.get(participant))
        if scored is not None:
            yield from self._pay.compare_round(where, participants, recorded, settled, scored)
            return
        for participant in participants:
            for key, value in (("score", None), ("quality", None), ("paid", "0")):
                yield from differ(f"{where}, {participant}, {key}", recorded[participant][key], value)

    def _compare_reputations(self, where: str, recorded: dict[str, Entry], settled: SettledRound) -> Iterator[Difference]:
        """Compare what the consensus took participants for with what the registry said when the round was opened."""
        for participant, entry in recorded.items():
            if entry["content"] is not None:
                expected = self._run.reputation(participant, settled.block)
                yield from differ(f"{where}, {participant}, reputation", entry["reputation"], expected)

    def _facts(self, participants: Sequence[str], settled: SettledRound) -> Facts:
        """Return what the scores of a round rest on."""
        return Facts(
            samples=[settled.samples[p] for p in participants],
            calibration=settled.calibration,
            seed=settled.seed or bytes(32),
            roles=[settled.roles[p] for p in participants] if settled.roles else (),
            marks=marks_of(participants, settled.marks, reference=self._run.task.address) if settled.marks else (),
            attested=[settled.attested.get(p) == settled.aggregate for p in participants] if settled.attested else (),
        )

    def _counted(self, exchanged: Sequence[str], scores: dict[str, int]) -> dict[str, int]:
        """Return what each contribution counts in the aggregate by what it scored."""
        if self._run.weighting is None:
            return {}
        return dict(zip(exchanged, self._run.weighting.weights([scores[p] for p in exchanged]), strict=True))
