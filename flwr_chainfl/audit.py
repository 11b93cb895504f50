"""Recompute a run from its ledger and its stored contents, to the last unit, and list what differs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flwr_chainfl.admission import AllowList, Invitations, read_list
from flwr_chainfl.consensus import Memory, Standing, rule_of
from flwr_chainfl.crypto import (
    EnvelopeContext,
    Signature,
    decoder_statement,
    envelope_readers,
    keccak256,
    payload_hash,
    recover,
    round_seed,
    salts_entropy,
)
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import LabelFormat, hard_labels
from flwr_chainfl.ledger import NOBODY, Ledger, Registry, Task, TaskStatus
from flwr_chainfl.ledger.accounting import conservation
from flwr_chainfl.ledger.task import roles_in_order
from flwr_chainfl.messages import SOFT_LABELS
from flwr_chainfl.record import read_run
from flwr_chainfl.reputation import reputation
from flwr_chainfl.rewards import PayFacts, Schedule, Streaks, Strikes, schedule_of
from flwr_chainfl.roles import Role, Rotation
from flwr_chainfl.roster import Roster
from flwr_chainfl.scoring import (
    Alignment,
    Facts,
    RoleReward,
    Scored,
    Scorer,
    marks_of,
    scorer_of,
    weighting_of,
)
from flwr_chainfl.sealing import Entered, next_state
from flwr_chainfl.serverapp.book import mean_text
from flwr_chainfl.signals import Signals
from flwr_chainfl.storage import FolderStore, Store, address, digest, open_store
from flwr_chainfl.update_audit import UpdateAudit
from flwr_chainfl.weights import unpack_weights

Entry = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be.

    where: e.g. ``round 3, 0x…, paid``; recorded: what the record or the ledger says; recomputed: what it should say
    """

    where: str
    recorded: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.where}: {self.recorded} is recorded, {self.recomputed} is right"


@dataclass
class _Settled:
    """A round as the ledger's events tell it."""

    budget: int = 0  # with what earlier and missing-reveal slashes add to it
    reveals: dict[str, Entry] = field(default_factory=dict)
    receipts: dict[str, Entry] = field(default_factory=dict)
    stakes: dict[str, int] = field(default_factory=dict)  # before the round's own slashes
    samples: dict[str, int] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)  # members at the opening, by position
    marks: dict[str, dict[str, int]] = field(default_factory=dict)
    attested: dict[str, bytes] = field(default_factory=dict)
    aggregate: bytes = b""  # that it was sealed with
    calibration: bytes = b""  # the items that were opened
    seed: bytes = b""
    is_void: bool = False
    streaks: dict[str, int] = field(default_factory=dict)  # before the round
    excluded: set[str] = field(default_factory=set)  # as the ledger says
    struck_out: set[str] = field(default_factory=set)  # as follows from the receipts
    block: int = 0  # in which it was opened

    @property
    def participants(self) -> list[str]:
        """Who took part, ascending by address."""
        return sorted({*self.reveals, *self.marks, *self.attested}, key=lambda one: int(one, 16))


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
        return list(_Audit(record, store, ledger, task).run())
    except ConnectionError:
        raise
    except (ChainFLError, KeyError, TypeError, ValueError, AttributeError) as error:
        return [Difference("the run", f"{type(error).__name__}: {error}", "a record, contents and ledger that can be read")]


class _Audit:
    """One pass over a run; each method yields the differences of one concern."""

    def __init__(self, record: Entry, store: Store, ledger: Ledger, task: Task) -> None:
        self._record = record
        self._store = store
        self._ledger = ledger
        self._task = task
        self._events = task.events()
        self._scores: defaultdict[str, list[int]] = defaultdict(list)
        self._qualities: defaultdict[str, list[int]] = defaultdict(list)
        self._memory = Memory()
        self._sealed: str | None = None  # CID of what the newest sealed round came to
        self._terms: Entry = json.loads(store.get(self._terms_cid()))
        self._scorer: Scorer = scorer_of(**self._terms["scorer"])
        self._weighting = weighting_of(self._terms["weighting"])
        self._schedule: Schedule = schedule_of(**self._terms["schedule"])
        self._settings = task.settings()
        registry = None if self._settings.reputation == NOBODY else Registry(ledger.chain, self._settings.reputation)
        self._updates = registry.updates() if registry is not None else None
        self._update_audit = (
            UpdateAudit(self._terms, self._scorer, store) if isinstance(self._scorer, Alignment) else None
        )
        self._settled = self._settle()

    def run(self) -> Iterator[Difference]:
        """Yield all differences."""
        yield from self._compare_terms()
        by_number = {entry["ledger_round"]: entry for entry in self._record["rounds"] if entry["ledger_round"]}
        for number in sorted(set(by_number) | set(self._settled)):
            where = f"round {number}"
            if number not in by_number:
                yield Difference(where, "no entry in run.json", "a round on the ledger")
            elif number not in self._settled:
                yield Difference(where, "an entry in run.json", "no such round on the ledger")
            else:
                yield from self._compare_roles(number, by_number[number], self._settled[number])
                yield from self._compare_round(where, by_number[number], self._settled[number])
        yield from self._compare_totals()

    def _terms_cid(self) -> str:
        return next(str(a["termsCid"]) for name, a in self._events if name == "TaskInitialized")

    def _settle(self) -> dict[int, _Settled]:
        """Go through the events in their order and collect each round; stakes move with them."""
        settled: defaultdict[int, _Settled] = defaultdict(_Settled)
        stakes: dict[str, int] = {}
        samples: dict[str, int] = {}
        opened = self._task.opening_blocks()
        roster = Roster()
        streaks, strikes = Streaks(self._settings.streak_cap), Strikes(self._settings.most_strikes)
        for name, a in self._events:
            roster.take(name, a)
            if name == "ParticipantJoined":
                stakes[a["participant"]], samples[a["participant"]] = a["stake"], a["samples"]
            elif name == "ParticipantLeft":
                streaks.forget(a["participant"])
                strikes.forget(a["participant"])
            elif name == "MemberExcluded":
                settled[a["round"]].excluded.add(a["participant"])
            elif name == "RoundOpened":
                settled[a["round"]].budget = a["budget"] + a["forfeits"]
                settled[a["round"]].block = opened[a["round"]]
            elif name == "RolesDrawn":
                settled[a["round"]].roles = roles_in_order(a["order"], a["workers"], a["validators"])
                settled[a["round"]].active = roster.active
            elif name == "ScoresSubmitted":
                settled[a["round"]].marks[a["participant"]] = dict(zip(a["subjects"], a["scores"], strict=True))
                settled[a["round"]].samples[a["participant"]] = samples[a["participant"]]
            elif name == "Attested":
                settled[a["round"]].attested[a["participant"]] = a["aggregate"]
                settled[a["round"]].samples[a["participant"]] = samples[a["participant"]]
            elif name == "RoundSealed":
                settled[a["round"]].aggregate = a["aggregate"]
            elif name == "EquivocationSlashed":
                stakes[a["participant"]] -= a["amount"]
            elif name == "RoundVoided":
                settled[a["round"]].is_void = True
            elif name == "CalibrationRevealed":
                settled[a["round"]].calibration = a["calibration"]
            elif name == "Revealed":
                settled[a["round"]].reveals[a["participant"]] = a
                settled[a["round"]].samples[a["participant"]] = samples[a["participant"]]
            elif name == "MissingRevealSlashed":
                settled[a["round"]].budget += a["amount"] if a["intoRound"] else 0
                stakes[a["participant"]] -= a["amount"]
            elif name == "Receipt":
                settled[a["round"]].receipts[a["participant"]] = a
                settled[a["round"]].stakes[a["participant"]] = stakes[a["participant"]]
                stakes[a["participant"]] -= a["slashed"]
                previous = max((r for r, one in settled.items() if r < a["round"] and not one.is_void), default=0)
                settled[a["round"]].streaks[a["participant"]] = streaks.pay(
                    a["participant"], a["round"], previous=previous, earned=a["score"] > 0
                )
                if a["participant"] in settled[a["round"]].reveals and strikes.pay(a["participant"], a["quality"]):
                    settled[a["round"]].struck_out.add(a["participant"])
        for number, one in settled.items():
            one.seed = self._seed(number, {p: revealed["salt"] for p, revealed in one.reveals.items()})
        return dict(settled)

    def _seed(self, round_number: int, salts: dict[str, bytes]) -> bytes:
        """Return what a round's random draws begin with, from what was revealed; empty where a word is missing."""
        word: bytes | None = bytes(32)
        if self._settings.randomness != NOBODY:
            word = self._ledger.randomness(self._settings.randomness).word(self._task.address, round_number)
        if word is None:
            return b""
        return round_seed(
            chain_id=self._ledger.chain.chain_id, task=self._task.address, round_number=round_number,
            entropy=salts_entropy(salts), word=word,
        )

    def _compare_roles(self, number: int, entry: Entry, settled: _Settled) -> Iterator[Difference]:
        """Draw the roles again, from the seed of the round before."""
        where = f"round {number}"
        recorded = {participant: role.name.lower() for participant, role in settled.roles.items()}
        yield from _differ(f"{where}, roles", entry.get("roles", {}), recorded)
        workers, validators, miners = self._settings.workers, self._settings.validators, self._settings.miners
        if not self._settings.has_roles:
            return
        before = self._settled.get(number - 1)
        salts = {p: revealed["salt"] for p, revealed in before.reveals.items()} if before is not None else {}
        seed = before.seed if before is not None and not before.is_void else self._wordless(number - 1, salts)
        rotation = Rotation(workers=workers, validators=validators, miners=miners)
        drawn = rotation.draw(settled.active, seed)
        yield from _differ(f"{where}, roles on the ledger", sorted(settled.roles.items()), sorted(drawn.items()))

    def _wordless(self, number: int, salts: dict[str, bytes]) -> bytes:
        """Return the seed of a round without its random word, as a void one is taken."""
        return round_seed(
            chain_id=self._ledger.chain.chain_id, task=self._task.address, round_number=number, entropy=salts_entropy(salts)
        )

    def _compare_terms(self) -> Iterator[Difference]:
        cid = self._terms_cid()
        yield from _differ("config, terms", self._record["config"].get("terms"), cid)
        for key, value in self._terms.items():
            yield from _differ(f"config, {key}", self._record["config"].get(key), value)
        yield from _differ("protocol", self._record["protocol"], self._terms["protocol"])
        for key, value in asdict(self._settings).items():
            recorded = self._record["config"]["settings"].get(key)
            yield from _differ(f"config, settings, {key}", recorded, value if isinstance(value, bool) else str(value))
        yield from self._compare_admission()
        yield from self._compare_decoders()
        funded = next(a for name, a in self._events if name == "TaskInitialized")
        yield from _differ("config, reward-per-round", self._record["config"].get("reward-per-round"),
                           str(funded["pool"] // funded["rounds"]))

    def _compare_admission(self) -> Iterator[Difference]:
        """Compare what the terms say of who may join with the ledger's contract, and the members with the list."""
        terms = self._terms.get("admission")
        yield from _differ("config, admission", terms is not None, self._settings.admission != NOBODY)
        if terms is None or self._settings.admission == NOBODY:
            return
        gate = self._ledger.gate(self._settings.admission)
        if terms["contract"] == AllowList.contract:
            allowed = read_list(self._store.get(terms["list"]))
            root = "0x" + allowed.arguments[0].hex()
            yield from _differ("config, admission, root", terms["arguments"][0], root)
            yield from _differ("config, admission, root on the ledger", "0x" + gate.root().hex(), root)
            joined = {str(a["participant"]) for name, a in self._events if name == "ParticipantJoined"}
            for participant in sorted(joined - set(allowed.addresses)):
                yield Difference(f"{participant}, admission", "a member", "not on the allow-list")
        elif terms["contract"] == Invitations.contract:
            inviter, purpose = terms["arguments"]
            yield from _differ("config, admission, inviter on the ledger", gate.inviter(), inviter)
            yield from _differ(
                "config, admission, purpose on the ledger", gate.purpose_hash().hex(), keccak256(purpose.encode()).hex()
            )

    def _compare_decoders(self) -> Iterator[Difference]:
        """Check that each decoder that public inputs were drawn from is there, and signed by its participant for this task."""
        drawn = self._terms.get("pseudo-public")
        if drawn is None:
            return
        cids, signers, signatures = drawn["decoders"], drawn.get("signers", []), drawn.get("signatures", [])
        if not len(cids) == len(signers) == len(signatures) == len(drawn["histograms"]):
            yield Difference("decoders", f"{len(signatures)} signatures", f"one of each of {len(cids)} decoders")
            return
        for signer, count in Counter(signers).items():
            if count > 1:
                yield Difference(f"decoders of {signer}", f"{count} decoders", "one of each participant")
        for cid, histogram, signer, signature in zip(cids, drawn["histograms"], signers, signatures, strict=True):
            where = f"decoder {cid} of {signer}"
            try:
                statement = decoder_statement(
                    self._task.domain, participant=signer, decoder=digest(cid), histogram=histogram
                )
                found = recover(statement, Signature.from_bytes(bytes.fromhex(signature)))
                yield from _differ(f"{where}, signature", signer, found)
            except (ChainFLError, ValueError, TypeError) as error:
                yield Difference(f"{where}, signature", str(error), "the signature of its participant")
            try:
                self._store.get(cid)
            except ChainFLError as error:
                yield Difference(where, str(error), f"the bytes of {cid}")

    def _compare_round(self, where: str, entry: Entry, settled: _Settled) -> Iterator[Difference]:
        participants = settled.participants
        recorded = {c["address"]: c for c in entry["contributions"]}
        yield from _differ(f"{where}, participants", sorted(recorded), sorted(participants))
        if set(recorded) != set(participants):
            return
        contents: dict[str, bytes] = {}
        for participant in settled.reveals:
            yield from self._compare_report(
                f"{where}, {participant}", recorded[participant], settled.reveals[participant], contents
            )
        reports = [bytes.fromhex(recorded[p]["report"]) for p in participants]
        marks = {who: {one: str(score) for one, score in given.items()} for who, given in settled.marks.items()}
        yield from _differ(f"{where}, marks", entry.get("marks", {}), marks)
        unsealed = self._settings.seal_seconds > 0 and not settled.aggregate
        if settled.is_void and entry["seed"] is None and (unsealed or self._settings.randomness != NOBODY):
            settled.seed = b""  # a word that came too late was no part of the round, and without a seal nobody is scored
        yield from _differ(f"{where}, seed", entry["seed"], settled.seed.hex() or None)
        yield from _differ(f"{where}, calibration", entry["calibration"], settled.calibration.hex() or None)
        yield from self._compare_reputations(where, recorded, settled)
        exchanged = [p for p in participants if recorded[p]["content"] is not None]
        if self._update_audit is not None:
            found = list(self._update_audit.take(where, entry, exchanged, recorded))
            found += self._update_audit.compare_table(where, settled.calibration)
            yield from (Difference(*one) for one in found)
        scored = None
        counted: dict[str, int] = {}
        if settled.seed:
            facts = self._facts(participants, settled)
            scored = self._scorer.score(reports, facts)
            counted = self._counted(exchanged, dict(zip(participants, scored.scores, strict=True)))
        entered = exchanged
        if isinstance(self._scorer, RoleReward):
            good = self._scorer.accepted(reports, self._facts(participants, settled))
            accepted = [p for p, enters in zip(participants, good, strict=True) if enters]
            if settled.reveals:
                yield from _differ(f"{where}, accepted", entry.get("accepted"), [p for p in accepted if p in exchanged])
            entered = [p for p in exchanged if p in accepted]
        contents = {p: content for p, content in contents.items() if p in entered}
        if self._settings.seal_seconds:
            yield from self._compare_seal(where, entry, recorded, settled, entered)
        if unsealed:
            exchanged = entered = []
        if self._terms["exchange"] == SOFT_LABELS:
            exchanged = entered
            if exchanged and len(contents) == len(exchanged):
                yield from self._compare_consensus(where, entry, recorded, contents, settled, counted)
        else:
            yield from self._compare_signals(where, entry, exchanged, recorded)
            yield from self._compare_readers(where, entry, exchanged, recorded)
            for participant in exchanged:
                weight = recorded[participant]["weight"]
                yield from _differ(f"{where}, {participant}, weight", weight, counted.get(participant))
        if scored is not None:
            yield from self._compare_pay(where, participants, recorded, settled, scored)
            return
        for participant in participants:
            for key, value in (("score", None), ("quality", None), ("paid", "0")):
                yield from _differ(f"{where}, {participant}, {key}", recorded[participant][key], value)

    def _facts(self, participants: Sequence[str], settled: _Settled) -> Facts:
        """Return what the scores of a round rest on."""
        return Facts(
            samples=[settled.samples[p] for p in participants],
            calibration=settled.calibration,
            seed=settled.seed or bytes(32),
            roles=[settled.roles[p] for p in participants] if settled.roles else (),
            marks=marks_of(participants, settled.marks, reference=self._task.address) if settled.marks else (),
            attested=[settled.attested.get(p) == settled.aggregate for p in participants] if settled.attested else (),
        )

    def _compare_seal(
        self, where: str, entry: Entry, recorded: dict[str, Entry], settled: _Settled, entered: Sequence[str]
    ) -> Iterator[Difference]:
        """Compute what the round came to again, and compare it with what the miners sealed."""
        sealed = entry["seal"]
        yield from _differ(
            f"{where}, seal", None if sealed is None else digest(sealed).hex(), settled.aggregate.hex() or None
        )
        if sealed is None:
            return
        if self._sealed is not None:
            yield from _differ(f"{where}, reference", entry["reference"], self._sealed)
        self._sealed = sealed
        if self._terms["exchange"] != SOFT_LABELS and not self._terms["kept"]:
            return
        standing = Standing(
            reputations={p: int(recorded[p]["reputation"]) for p in entered if recorded[p]["reputation"] is not None},
            calibration=settled.calibration,
        )
        try:
            before = self._store.get(entry["reference"]) if entry["reference"] is not None else b""
            found = next_state(
                self._terms,
                [Entered(p, self._store.get(recorded[p]["content"]), bytes.fromhex(recorded[p]["report"])) for p in entered],
                before=before,
                standing=standing,
            )
        except ChainFLError as error:
            yield Difference(f"{where}, seal", str(error), "contents that add up to it")
            return
        yield from _differ(f"{where}, seal on the ledger", settled.aggregate.hex(), digest(address(found)).hex())

    def _counted(self, exchanged: Sequence[str], scores: dict[str, int]) -> dict[str, int]:
        """Return what each contribution counts in the aggregate by what it scored."""
        if self._weighting is None:
            return {}
        return dict(zip(exchanged, self._weighting.weights([scores[p] for p in exchanged]), strict=True))

    def _compare_signals(
        self, where: str, entry: Entry, exchanged: Sequence[str], recorded: dict[str, Entry]
    ) -> Iterator[Difference]:
        """Recompute the reports of weight updates from the stored weights, where those were kept."""
        if self._terms["signals"] is None or entry["reference"] is None:
            return
        signals = Signals(**self._terms["signals"])
        try:
            reference = unpack_weights(self._store.get(entry["reference"]))
        except ChainFLError as error:
            yield Difference(f"{where}, reference", str(error), f"the bytes of {entry['reference']}")
            return
        for participant in exchanged:
            try:
                arrays = unpack_weights(self._store.get(recorded[participant]["content"]))
            except ChainFLError as error:
                cid = recorded[participant]["content"]
                yield Difference(f"{where}, {participant}, content", str(error), f"the bytes of {cid}")
                continue
            found = signals.report(arrays, reference).hex()
            yield from _differ(f"{where}, {participant}, report", recorded[participant]["report"], found)

    def _compare_readers(
        self, where: str, entry: Entry, exchanged: Sequence[str], recorded: dict[str, Entry]
    ) -> Iterator[Difference]:
        """Check that sealed contents are there, made for this round by their owners, and open for registered keys alone."""
        if self._terms.get("envelopes") is None:
            return
        known = self._ledger.keys(self._terms["envelopes"]).registered()
        for participant in exchanged:
            person = f"{where}, {participant}, envelope"
            try:
                context, key_ids = envelope_readers(self._store.get(recorded[participant]["content"]))
            except ChainFLError as error:
                yield Difference(person, str(error), f"the bytes of {recorded[participant]['content']}")
                continue
            made = EnvelopeContext(
                chain_id=self._ledger.chain.chain_id, task=self._task.address, round_number=entry["ledger_round"],
                owner=participant,
            )
            yield from _differ(f"{person}, made for", asdict(context), asdict(made))
            strangers = [key_id.hex() for key_id in key_ids if key_id not in known]
            yield from _differ(f"{person}, keys that nobody registered", strangers, [])

    def _compare_report(
        self, where: str, recorded: Entry, revealed: Entry, contents: dict[str, bytes]
    ) -> Iterator[Difference]:
        """Check one contribution against its reveal; enter its content where there is one to check.

        A member that revealed on the ledger by itself has a report and no content: it is scored, and is no part of the
        consensus.
        """
        report = bytes.fromhex(recorded["report"])
        yield from _differ(f"{where}, report", keccak256(report).hex(), revealed["reportHash"].hex())
        if recorded["content"] is None:
            return
        yield from _differ(f"{where}, content", digest(recorded["content"]).hex(), revealed["contentDigest"].hex())
        if self._terms["exchange"] != SOFT_LABELS:
            return
        try:
            content = self._store.get(recorded["content"])
            soft_labels = self._form("report-bits").unpack(content)
        except ChainFLError as error:
            yield Difference(f"{where}, content", str(error), f"the bytes of {recorded['content']}")
            return
        yield from _differ(f"{where}, report", report.hex(), hard_labels(soft_labels).tobytes().hex())
        contents[recorded["address"]] = content

    def _form(self, bits: str) -> LabelFormat:
        return LabelFormat(self._terms["tasks"], self._terms["classes"], self._terms[bits])

    def _compare_reputations(self, where: str, recorded: dict[str, Entry], settled: _Settled) -> Iterator[Difference]:
        """Compare what the consensus took participants for with what the registry said when the round was opened."""
        for participant, entry in recorded.items():
            if entry["content"] is not None:
                expected = self._reputation(participant, settled.block)
                yield from _differ(f"{where}, {participant}, reputation", entry["reputation"], expected)

    def _reputation(self, participant: str, block: int) -> str | None:
        """Return a participant's reputation as of a block; None where none are kept."""
        if self._updates is None:
            return None
        values = [v for b, p, v in self._updates if p == participant and b <= block]
        return str(values[-1] if values else reputation(None))

    def _compare_consensus(
        self,
        where: str,
        entry: Entry,
        recorded: dict[str, Entry],
        contents: dict[str, bytes],
        settled: _Settled,
        counted: dict[str, int],
    ) -> Iterator[Difference]:
        """Recompute the consensus, and what each participant counted in it."""
        form = self._form("report-bits")
        standing = Standing(
            reputations={p: int(recorded[p]["reputation"]) for p in contents if recorded[p]["reputation"] is not None},
            calibration=settled.calibration,
            contributions=counted,
        )
        formed = rule_of(self._terms).form(
            [(p, bytes.fromhex(recorded[p]["report"])) for p in contents],
            (form.unpack(content) for content in contents.values()),
            standing,
            self._memory,
        )
        self._memory = formed.memory
        stored = self._form("consensus-bits").pack(formed.soft_labels)
        yield from _differ(f"{where}, consensus", entry["consensus"], address(stored))
        for participant, weight in formed.weights.items():
            yield from _differ(f"{where}, {participant}, weight", recorded[participant]["weight"], weight)

    def _compare_pay(
        self,
        where: str,
        participants: Sequence[str],
        recorded: dict[str, Entry],
        settled: _Settled,
        scored: Scored,
    ) -> Iterator[Difference]:
        """Recompute scores, slashes and payouts, and compare them with the ledger's receipts and the record."""
        scores = scored.scores
        for participant, score, quality in zip(participants, scores, scored.qualities, strict=True):
            self._scores[participant].append(score)
            self._qualities[participant].append(quality)
            yield from _differ(f"{where}, {participant}, quality", recorded[participant]["quality"], str(quality))
        if not settled.receipts:
            for participant, score in zip(participants, scores, strict=True):
                yield from _differ(f"{where}, {participant}, score", recorded[participant]["score"], str(score))
            return
        for participant, quality in zip(participants, scored.qualities, strict=True):
            paid_for = settled.receipts[participant]["quality"]
            yield from _differ(f"{where}, {participant}, quality on the ledger", str(paid_for), str(quality))
        slashes = [self._slash(score, settled.stakes[p]) for p, score in zip(participants, scores, strict=True)]
        facts = PayFacts(
            roles=[settled.roles[p] for p in participants] if settled.roles else (),
            streaks=[settled.streaks[p] for p in participants],
        )
        amounts = self._schedule.split(settled.budget, sum(slashes), scores, facts)
        yield from _differ(f"{where}, excluded on the ledger", sorted(settled.excluded), sorted(settled.struck_out))
        for participant, score, slash, amount in zip(participants, scores, slashes, amounts, strict=True):
            receipt, entry = settled.receipts[participant], recorded[participant]
            person = f"{where}, {participant}"
            reveal = settled.reveals.get(participant)
            tagged = 0
            if reveal is not None:
                tagged = int.from_bytes(payload_hash(reveal["contentDigest"], bytes.fromhex(entry["report"])), "big") | 1
            yield from _differ(f"{person}, payload hash", receipt["payloadHash"].hex(), f"{tagged:064x}")
            yield from _differ(f"{person}, formula", receipt["formula"].rstrip(b"\0").decode(), self._scorer.formula)
            for name, key, value in (("score", "score", score), ("payout", "paid", amount), ("slashed", "slashed", slash)):
                yield from _differ(f"{person}, {name} on the ledger", str(receipt[name]), str(value))
                yield from _differ(f"{person}, {key}", entry[key], str(value))

    def _slash(self, score: int, stake: int) -> int:
        """Return what a score costs, as the contract computes it; token units."""
        if score >= 0 or -score < self._settings.slash_floor:
            return 0
        return min(stake, -score * self._settings.slash_per_score // WAD)

    def _compare_totals(self) -> Iterator[Difference]:
        paid: defaultdict[str, int] = defaultdict(int)
        slashed: defaultdict[str, int] = defaultdict(int)
        stakes: defaultdict[str, int] = defaultdict(int)
        samples: dict[str, int] = {}
        for name, a in self._events:
            if name == "ParticipantJoined":
                samples[a["participant"]] = a["samples"]
                stakes[a["participant"]] += a["stake"]
            elif name == "Receipt":
                paid[a["participant"]] += a["payout"]
                slashed[a["participant"]] += a["slashed"]
            elif name in ("MissingRevealSlashed", "EquivocationSlashed"):
                slashed[a["participant"]] += a["amount"]
        recorded = {p["address"]: p for p in self._record["participants"]}
        yield from _differ("participants", sorted(recorded), sorted(samples))
        for participant in sorted(set(recorded) & set(samples)):
            entry = recorded[participant]
            yield from _differ(f"{participant}, samples", entry["samples"], samples[participant])
            yield from _differ(f"{participant}, paid", entry["paid"], str(paid[participant]))
            yield from _differ(f"{participant}, slashed", entry["slashed"], str(slashed[participant]))
            left = stakes[participant] - slashed[participant]
            yield from _differ(f"{participant}, stake", entry["stake"], str(left))
            scores, qualities = self._scores[participant], self._qualities[participant]
            yield from _differ(f"{participant}, score", entry["score"], mean_text(scores))
            yield from _differ(f"{participant}, quality", entry["quality"], mean_text(qualities))
            known = self._reputation(participant, self._record["ledger"]["block"])
            yield from _differ(f"{participant}, reputation", entry["reputation"], known)
        yield from self._compare_money()

    def _compare_money(self) -> Iterator[Difference]:
        totals = conservation(
            self._events,
            requester=self._task.requester,
            locked=self._ledger.token_balance(self._task.token, self._task.address),
        )
        for name in ("deposited", "paid", "withdrawn", "refunded", "slashed", "locked", "dust"):
            yield from _differ(f"conservation, {name}", self._record["conservation"].get(name), str(getattr(totals, name)))
        yield from _differ("conservation, dust on the ledger", str(totals.dust), "0")
        if self._record["ledger"]["digest"] is not None or self._task.status == TaskStatus.COMPLETED:
            yield from _differ("ledger, digest", self._record["ledger"]["digest"], self._task.digest())


def _differ(where: str, recorded: object, recomputed: object) -> Iterator[Difference]:
    if recorded != recomputed:
        yield Difference(where, str(recorded), str(recomputed))
