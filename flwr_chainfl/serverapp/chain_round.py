"""One round between clients and ledger: read replies, bring commitments and reveals, aggregate, score, pay."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from flwr_chainfl.admission import Admission
from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import calibration_commitment, keccak256
from flwr_chainfl.errors import ChainFLError, CommitmentError, ReusedSaltError
from flwr_chainfl.ledger import (
    NO_HASH,
    JoinRequest,
    KeyRequest,
    Result,
    Reveal,
    ScoreRequest,
    SealRequest,
    TaskStatus,
)
from flwr_chainfl.messages import (
    REPLY_RECORD,
    TYPE_JOIN,
    TYPE_KEY,
    TYPE_REVEAL,
    RoundTerms,
    only_metrics,
    write_terms,
)
from flwr_chainfl.roles import Everyone, Role, Rotation
from flwr_chainfl.scoring import Alignment, Facts, RoleReward, Scorer, Weighting, marks_of
from flwr_chainfl.serverapp.assessment import Assessment, assessment_message, read_marks
from flwr_chainfl.serverapp.book import Book
from flwr_chainfl.serverapp.contribution import Contribution, read_contribution, read_join, read_reveal
from flwr_chainfl.serverapp.drawn_roles import next_roles
from flwr_chainfl.serverapp.envelopes import Reader
from flwr_chainfl.serverapp.exchange import Aggregate, Exchange
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.phases import ask
from flwr_chainfl.serverapp.relay import Opening, Relay, Revealed, address_order
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.serverapp.seal import read_attestation, seal_message, seal_terms
from flwr_chainfl.serverapp.updates_exchange import AveragedUpdates
from flwr_chainfl.storage import Store, digest

log = logging.getLogger("flwr")

Item = TypeVar("Item")


@dataclass
class ChainRound:
    """A round of a ChainStrategy. A client that fails costs only itself: it becomes an event of the round.

    assessment: who judges, None for nobody; admission: who may join, None for everybody; shapley: corrects the pay of some rounds, None for no such correction; calibration: the round's items and their salt;
    roles: who does what; expected: the role of each member as it was drawn when the clients were asked, empty for workers alone;
    mint: token units of the test token that a newcomer is given, 0 for a token that is worth something;
    extend: token units that a round that was not planned is funded with, 0 where all are;
    timeout: seconds to wait for the replies of a phase
    """

    grid: Grid
    terms: RoundTerms
    log: RoundLog
    book: Book
    relay: Relay
    store: Store
    exchange: Exchange
    scorer: Scorer
    assessment: Assessment | None
    admission: Admission | None
    shapley: Shapley | None
    weighting: Weighting | None
    calibration: Opening
    roles: Rotation | Everyone
    expected: Mapping[str, Role]
    mint: int
    extend: int
    timeout: float
    _selected: list[str] = field(default_factory=list)
    _reputations: dict[str, int] = field(default_factory=dict)
    _revealed: list[Revealed] = field(default_factory=list)
    _acted: list[Revealed] = field(default_factory=list)
    _result: Result | None = None
    _roles: dict[str, Role] = field(default_factory=dict)
    _requests: list[ScoreRequest] = field(default_factory=list)
    _attested: dict[str, bool] = field(default_factory=dict)
    _state: str = ""
    is_void: bool = field(default=False, init=False)

    def meet(self, nodes: Sequence[int]) -> list[int]:
        """Ask the nodes whose key for sealed contents is not known for it; return those whose key is on the ledger."""
        envelopes = self.exchange.envelopes
        if envelopes is None:
            return list(nodes)
        unknown = envelopes.unknown(nodes)
        messages = [
            Message(
                RecordDict({"config": write_terms(ConfigRecord(), self.terms, envelopes.terms([]))}),
                dst_node_id=node,
                message_type=TYPE_KEY,
            )
            for node in unknown
        ]
        found: dict[int, tuple[Reader, KeyRequest]] = {}
        with self.log.phase("keys"):
            for reply in self._ask(messages, "no-key", "no reply to query.key in time"):
                node = reply.metadata.src_node_id
                try:
                    found[node] = envelopes.read_key(reply)
                except ChainFLError as error:
                    self.failed("no-key", node, str(error))
        nodes_of = {reader.address: node for node, (reader, _) in sorted(found.items(), reverse=True)}
        requests = [found[nodes_of[address]][1] for address in sorted(nodes_of, key=address_order)]

        def refused(address: str, reason: str) -> None:
            self.failed("no-key", nodes_of[address], reason)

        with self.log.phase("ledger"):
            taken = self.relay.register_keys(envelopes.keys, requests, refused)
        for address in taken:
            try:
                envelopes.admit(nodes_of[address], found[nodes_of[address]][0])
            except ChainFLError as error:
                self.failed("no-key", nodes_of[address], str(error))
        unknown = envelopes.unknown(nodes)
        return [node for node in nodes if node not in unknown]

    def accept(self, replies: Sequence[Message], *, asked: Sequence[int]) -> list[Contribution]:
        """Return the contributions that were committed and truly revealed, ascending by address.

        replies: to the train messages; asked: the nodes that got one
        """
        self.log.received(replies)
        contributions = self._read(replies, asked)
        with self.log.phase("ledger"):
            committed = self._commit(contributions)
        openings: dict[str, Reveal] = {}
        for contribution in committed:
            if contribution.salt:
                self._check_reveal(contribution, openings)
        with self.log.phase("reveal"):
            self._ask_for_reveals([c for c in committed if not c.salt], openings)
        if self.exchange.envelopes is not None:
            self.log.spent("server, opening", self.exchange.envelopes.take_seconds())
        with self.log.phase("ledger"):
            return self._bring_reveals(committed, openings)

    def assess(self, accepted: Sequence[Contribution]) -> None:
        """Ask the assessors for marks on what was accepted, and bring those that come to the ledger."""
        if self.assessment is None or not accepted:
            return
        judged = {c.address: self.exchange.judged(c, self.store) for c in accepted}
        reference = self.exchange.reference if self.assessment.judges_reference else None
        assessors = {
            self.book.node(address): address for address in self.assessment.assessors(list(judged), self._roles)
        }
        items = self.calibration.items
        names = list(self.exchange.reference) if self.exchange.envelopes is not None else []
        messages = [
            message
            for node, address in sorted((n, a) for n, a in assessors.items() if n is not None)
            if (message := assessment_message(
                self.assessment, self.terms, node, address, judged, reference, names=names,
                consensus=self.exchange.consensus_terms(node), calibration=items,
            )) is not None
        ]
        columns = sorted([*judged, *([self.terms.task] if reference is not None else [])], key=address_order)
        requests: list[ScoreRequest] = []
        with self.log.phase("assess"):
            for reply in self._ask(messages, "no-marks", f"no reply to {self.assessment.message_type} in time"):
                node = reply.metadata.src_node_id
                try:
                    requests.append(read_marks(reply, self.terms, assessors[node], columns))
                    spent = reply.content.config_records[REPLY_RECORD].get("opening-seconds")
                    self.log.spent("clients, opening", spent)
                except ChainFLError as error:
                    self.failed("unusable-marks", node, str(error))
        with self.log.phase("ledger"):
            requests.sort(key=lambda request: address_order(request.participant))
            taken = set(self.relay.assess(self.log.ledger_round, requests, self._refusal("marks-refused")))
            self._requests = [request for request in requests if request.participant in taken]

    def tally(self, accepted: Sequence[Contribution]) -> list[Contribution]:
        """Return what the validators' votes let into the aggregate; all of it where nobody votes."""
        if not isinstance(self.scorer, RoleReward) or not accepted:
            return list(accepted)
        given = self._marks()
        reports = {c.address: c.report for c in accepted}
        acted = sorted({*reports, *given}, key=address_order)
        good = self.scorer.accepted([reports.get(one, b"") for one in acted], self._facts(acted, given, seed=NO_HASH))
        entered = {one for one, enters in zip(acted, good, strict=True) if enters}
        self.log.accepted = sorted(entered, key=address_order)
        return [c for c in accepted if c.address in entered]

    def seal(self, accepted: Sequence[Contribution], entered: Sequence[Contribution]) -> None:
        """Let the miners attest what the round comes to; without their majority for it the round is void.

        accepted: all that was revealed, which miners check; entered: what the votes let in
        """
        if not self.exchange.is_exact or not accepted:
            return
        assert isinstance(self.scorer, RoleReward)
        standing = Standing(reputations=self._reputations, calibration=self.calibration.items)
        with self.log.phase("aggregate"):
            state = self.exchange.found(entered, standing, self.store)
            self._state = self.store.put(state)
            before = self.exchange.before()
            self.log.reference = self.store.put(before) if before else None
            wanted = seal_terms(
                self.exchange.terms(), self.scorer.vote, before, accepted,
                [self.exchange.stored(c, self.store) for c in accepted],
                [self.book.samples(c.address) for c in accepted], standing, self._requests,
            )
        miners = {self.book.node(address): address for address, role in self._roles.items() if role == Role.MINER}
        messages = [seal_message(self.terms, wanted, node) for node in sorted(n for n in miners if n is not None)]
        requests: list[SealRequest] = []
        with self.log.phase("seal"):
            for reply in self._ask(messages, "no-attestation", "no reply to query.seal in time"):
                node = reply.metadata.src_node_id
                try:
                    requests.append(read_attestation(reply, self.terms, miners[node]))
                except ChainFLError as error:
                    self.failed("unusable-attestation", node, str(error))
        with self.log.phase("ledger"):
            self._end_seal(requests)

    def _end_seal(self, requests: list[SealRequest]) -> None:
        """Bring the attestations, and see whether the ledger's round is sealed with what this server found."""
        mine = digest(self._state)
        requests.sort(key=lambda request: address_order(request.participant))
        for request in requests:
            if request.aggregate != mine:
                self.failed(
                    "attested-otherwise", self._node(request.participant),
                    f"the miner attests 0x{request.aggregate.hex()}, the server finds 0x{mine.hex()}",
                )
        number = self.log.ledger_round
        taken = set(self.relay.attest(number, requests, self._refusal("attestation-refused")))
        sealed = self.relay.task.round(number).aggregate
        self._attested = {one.participant: one.aggregate == sealed for one in requests if one.participant in taken}
        self.is_void = sealed != mine
        self.log.seal = None if self.is_void else self._state
        if self.is_void:
            miners = sum(role == Role.MINER for role in self._roles.values())
            reason = f"{len(requests)} of {miners} miners attested, and no majority what the server finds; the round is void"
            log.warning("Round %d: %s", number, reason)
            self.log.event("no-seal", None, reason)

    def aggregate(self, server_round: int, accepted: Sequence[Contribution]) -> Aggregate:
        """Let the exchange aggregate what was accepted; nothing was: nothing changes."""
        with self.log.phase("aggregate"):
            if not accepted or self.is_void:
                return Aggregate(None, None)
            standing = Standing(
                reputations=self._reputations,
                calibration=self.calibration.items,
                contributions=self._counted([contribution.address for contribution in accepted]),
            )
            return self.exchange.aggregate(server_round, accepted, standing)

    def score(self, accepted: Sequence[Contribution]) -> None:
        """Score all that was revealed; without the round's seed, nobody can be."""
        if self.log.ledger_round == 0:
            return
        with self.log.phase("ledger"):
            revealed = [Revealed(c.address, digest(c.cid), c.report) for c in accepted]
            revealed += self.relay.direct_reveals(self.log.ledger_round, [c.address for c in accepted])
            revealed.sort(key=lambda one: address_order(one.participant))
            self._revealed = revealed
            given = self._marks()
            reports = {one.participant: one for one in revealed}
            acted = sorted({*reports, *given, *self._attested}, key=address_order)
            self._acted = [reports.get(one) or Revealed(one, NO_HASH, b"") for one in acted]
            self._learn_samples([one for one in acted if one not in {c.address for c in accepted}])
            if self.is_void or (self.exchange.is_exact and not accepted):
                return
            seed = self.relay.seed(self.log.ledger_round)
            if seed is None:
                self._give_up_reason()
                return
            facts = self._facts(acted, given, seed=seed)
            if self.relay.averaging is not None:
                self.relay.averaging.keep([contribution.evidence for contribution in accepted])
            scored = self.scorer.score([one.report for one in self._acted], facts)
            for kind, note in scored.notes if revealed else ():
                log.warning("%s", note)
                self.log.event(kind, None, note)
            self._result = Result(
                participants=tuple(acted),
                scores=tuple(scored.scores),
                qualities=tuple(scored.qualities),
                calibration=self.calibration.items,
            )
            self.log.seed = facts.seed.hex()

    def _value_updates(self, members: Sequence[Contribution]) -> None:
        """In a Shapley round, find what the updates are worth; the ledger's round opens with a hash of their factors."""
        if self.shapley is None or not self.shapley.is_due(self.log.number):
            return
        assert isinstance(self.scorer, Alignment)
        assert isinstance(self.exchange, AveragedUpdates)
        with self.log.phase("shapley"):
            declared = [self.book.samples(one.address) for one in members]
            salt = keccak256(b"".join(one.report for one in members)) if self.terms.seed >= 0 else None
            self.calibration = self.shapley.opening(
                members, self.exchange, self.scorer, self.store, declared, salt=salt
            )

    def _facts(self, acted: Sequence[str], given: Mapping[str, Mapping[str, int]], *, seed: bytes) -> Facts:
        """Return what the scores of those that acted in the round rest on, ascending by address."""
        return Facts(
            samples=[self.book.samples(participant) for participant in acted],
            calibration=self.calibration.items,
            seed=seed,
            roles=[self._roles.get(participant, Role.WORKER) for participant in acted] if self._roles else (),
            marks=marks_of(acted, given, reference=self.terms.task) if given else (),
            attested=[self._attested.get(participant, False) for participant in acted] if self._attested else (),
        )

    def _marks(self) -> dict[str, dict[str, int]]:
        """Return what the ledger has of this round's marks, WAD by subject, by assessor; and note them."""
        if self.assessment is None:
            return {}
        given = {
            one.participant: dict(zip(one.subjects, one.scores, strict=True))
            for one in self.relay.task.submissions()
        }
        self.log.marks = {
            assessor: {subject: str(score) for subject, score in marks.items()} for assessor, marks in given.items()
        }
        return given

    def settle(self, accepted: Sequence[Contribution], aggregate: Aggregate) -> None:
        """Post the scores, and pay what can be paid by now; a round that has none is void."""
        if self.log.ledger_round == 0:
            return
        with self.log.phase("ledger"):
            revealed, result = self._revealed, self._result
            contents = {c.address: c.cid for c in accepted}
            self.log.consensus = aggregate.consensus
            self.log.reference = aggregate.reference or self.log.reference
            self.log.weights = aggregate.weights
            self.log.reputations = self._reputations
            if result is None:
                self.book.enter(self.log, self._acted, contents)
                self.relay.void(self.log.ledger_round)
                return
            self.log.calibration = self.calibration.items.hex() if revealed else ""
            self.book.score(self.log, self._acted, result, contents)
            self.relay.post(self.log.ledger_round, revealed, result, calibration=self.calibration)
            embedded = self.relay.ledger.chain.url == "embedded"  # its clock moves when asked to
            self.book.pay(self.relay.settle(wait=embedded))

    def _give_up_reason(self) -> None:
        """Say why nobody can be scored, where something was revealed."""
        if self._revealed:
            reason = "the source of randomness gave no word before the round's deadline; the round is void"
            log.warning("Round %d: %s", self.log.ledger_round, reason)
            self.log.event("no-randomness", None, reason)

    def _counted(self, addresses: Sequence[str]) -> dict[str, int]:
        """Return what each contribution counts by what it scored, MICRO; empty where all count alike."""
        if self.weighting is None or self._result is None:
            return {}
        scores = dict(zip(self._result.participants, self._result.scores, strict=True))
        return dict(zip(addresses, self.weighting.weights([scores[a] for a in addresses]), strict=True))

    def failed(self, kind: str, node: int, detail: str | None) -> None:
        """Note that a client failed."""
        detail = detail or "no reason given"
        log.warning("Node %d, %s: %s", node, kind, detail)
        self.log.event(kind, node, detail, self.book.address(node))
        self.exchange.forget(node)

    def _read(self, replies: Sequence[Message], asked: Sequence[int]) -> list[Contribution]:
        """Return the usable contributions, ascending by address."""
        for node in sorted(set(asked) - {reply.metadata.src_node_id for reply in replies}):
            self.failed("no-reply", node, "no reply to train in time")
        found: dict[str, Contribution] = {}
        for reply in sorted(replies, key=lambda r: r.metadata.src_node_id):
            node = reply.metadata.src_node_id
            if reply.has_error():
                self.failed("client-error", node, reply.error.reason)
                continue
            if self.expected.get(self.book.member(node), Role.WORKER) != Role.WORKER:
                self.exchange.confirm(node)  # it trained for itself
                continue
            try:
                contribution = read_contribution(
                    reply, self.terms, run_id=self.grid.run.run_id, member=self.book.member(node)
                )
                self.book.bind(contribution.address, node)
                self.exchange.check_reply(contribution)
                for kind, note in contribution.notes:
                    self.log.event(kind, node, note, contribution.address)
            except ChainFLError as error:
                self.failed("unusable-reply", node, str(error))
                continue
            found[contribution.address] = contribution
            self.log.spent("clients, sealing", reply.content.config_records[REPLY_RECORD].get("sealing-seconds"))
        ordered = [found[address] for address in sorted(found, key=address_order)]
        return self.alike(ordered, lambda c: c.reply, "unusable-reply")

    def alike(self, items: list[Item], reply: Callable[[Item], Message], kind: str) -> list[Item]:
        """Drop replies whose metrics have other names than most have, since Flower averages by name."""
        names = [frozenset(only_metrics(reply(item).content)) for item in items]
        if len(set(names)) <= 1:
            return items
        common = Counter(names).most_common(1)[0][0]
        for item, mine in zip(items, names, strict=True):
            if mine != common:
                self.failed(kind, reply(item).metadata.src_node_id,
                            f"its metrics are {sorted(mine)}, most clients' are {sorted(common)}; report the same ones")
        return [item for item, mine in zip(items, names, strict=True) if mine == common]

    def _commit(self, contributions: list[Contribution]) -> list[Contribution]:
        """Let newcomers join, open the ledger's round and bring the commitments; return those that were taken.

        Roles are drawn among the members of the moment. So the first round is opened when all have joined, and in later
        ones newcomers join after it, to have a role in the next.
        """
        newcomers = [c for c in contributions if not self.book.is_member(c.address)]
        early = not self._rotates or not self.book.has_members
        if early:
            self._join(newcomers)
        members = [c for c in contributions if self.book.is_member(c.address)]
        if self.relay.task.status != TaskStatus.RUNNING or not (members or (self._rotates and not early)):
            return []
        if self.extend and self.relay.task.round_number > 0:
            self.relay.extend(self.extend)
        self._value_updates(members)
        commitment = (
            calibration_commitment(self.calibration.items, self.calibration.salt) if self.calibration.items else NO_HASH
        )
        opened_for = self._open(members, commitment)
        if opened_for is None:
            return []
        members = opened_for
        self.log.ledger_round = self.relay.task.round_number
        self.log.roles = {address: role.name.lower() for address, role in self._roles.items()}
        if not early:
            self._join(newcomers)
        self._reputations = self.relay.reputations(self._selected)
        taken = self.relay.commit(
            self.log.ledger_round, [c.commit for c in members], self._refusal("commit-refused")
        )
        self._learn_samples(taken)
        return [c for c in members if c.address in set(taken)]

    def _open(self, members: list[Contribution], commitment: bytes) -> list[Contribution] | None:
        """Open the ledger's round; return the contributions of its workers, None where nobody is left to open it for.

        A member can leave at any time, also between the question who is one and the opening; then the rest is asked again.
        """
        gone: set[str] = set()
        while True:
            self._roles = next_roles(self.relay, self.roles)
            if self._roles:
                gone |= set(self.expected) - set(self._roles)
                members = [c for c in members if self._roles.get(c.address) == Role.WORKER]
            self._selected = [c.address for c in members]
            # Where no worker came the round is opened all the same: who does what next follows from its end.
            selected = self._selected or [a for a, role in self._roles.items() if role == Role.WORKER]
            if not selected:
                break
            new = self.relay.open_round(selected + self._others(), calibration=commitment)
            gone |= new
            if not new:
                break
            members = [c for c in members if c.address not in gone]
        for address in sorted(gone, key=address_order):
            self.log.left(self.book.node(address), address)
        return members if selected else None

    def _learn_samples(self, addresses: Sequence[str]) -> None:
        """Take from the ledger what those declare that cannot leave before this round is final."""
        for address, member in self.relay.memberships(addresses).items():
            self.book.declare(address, member.samples)

    @property
    def _rotates(self) -> bool:
        return isinstance(self.roles, Rotation)

    def _others(self) -> list[str]:
        """Return the drawn validators and miners that can be reached; of a role without any, all."""
        connected = set(self.grid.get_node_ids())
        chosen: list[str] = []
        for role in (Role.VALIDATOR, Role.MINER):
            drawn = [address for address, its in self._roles.items() if its == role]
            chosen += [address for address in drawn if self.book.node(address) in connected] or drawn
        return chosen

    def _node(self, address: str) -> int:
        node = self.book.node(address)
        assert node is not None
        return node

    def _join(self, newcomers: Sequence[Contribution]) -> None:
        if not newcomers:
            return
        if self.mint:
            self.relay.ledger.mint(self.relay.token, [c.address for c in newcomers], self.mint)
        self._renew_permits(newcomers)
        wishes = [replace(c.join, proof=self._proof(c.join)) for c in newcomers if c.join is not None]
        joined = self.relay.join(wishes, self._refusal("join-refused"))
        for wish in wishes:
            if wish.participant in joined:
                self.book.join(wish.participant, wish.samples)

    def _proof(self, wish: JoinRequest) -> bytes:
        """Return what a newcomer shows for being admitted: what it brought itself, else what the server has for it."""
        if self.admission is None:
            return b""
        return wish.proof or self.admission.proof(wish.participant)

    def _renew_permits(self, newcomers: Sequence[Contribution]) -> None:
        """Ask those that have used the token's permit before to sign again with their next nonce."""
        nonces = {c.node: self.relay.ledger.token_nonce(self.relay.token, c.address) for c in newcomers}
        stale = {c.node: c for c in newcomers if nonces[c.node] != self.terms.nonce}
        messages = [
            Message(
                RecordDict({"config": write_terms(ConfigRecord(), replace(self.terms, nonce=nonces[node]))}),
                dst_node_id=node,
                message_type=TYPE_JOIN,
            )
            for node in sorted(stale)
        ]
        for reply in self._ask(messages, "join-refused", "no reply to query.join in time"):
            node = reply.metadata.src_node_id
            try:
                stale[node].join = read_join(reply, self.terms, stale[node].address)
            except ChainFLError as error:
                self.failed("join-refused", node, str(error))

    def _ask_for_reveals(self, waiting: Sequence[Contribution], openings: dict[str, Reveal]) -> None:
        """Ask for salts and contents, and check and store each reveal as it comes."""
        by_node = {c.node: c for c in waiting}
        messages = [
            Message(RecordDict(), dst_node_id=node, message_type=TYPE_REVEAL) for node in sorted(by_node)
        ]
        for reply in self._ask(messages, "no-reveal", "no reply to query.reveal in time"):
            contribution = by_node[reply.metadata.src_node_id]
            try:
                read_reveal(reply, contribution, self.terms)
            except ChainFLError as error:
                self.failed("false-reveal", contribution.node, str(error))
                continue
            self._check_reveal(contribution, openings)

    def _check_reveal(self, contribution: Contribution, openings: dict[str, Reveal]) -> None:
        """Check a reveal against its commitment; a true one is stored and entered among the openings."""
        try:
            self.exchange.check_reveal(contribution)
            opening = contribution.opening(self.terms)
            self.book.use_salt(contribution.address, contribution.salt)
        except ReusedSaltError as error:
            self.failed("reused-salt", contribution.node, str(error))
            return
        except CommitmentError as error:
            self.failed("false-reveal", contribution.node, f"{error}{self.exchange.mismatch_hint}")
            return
        except ChainFLError as error:
            self.failed("false-reveal", contribution.node, str(error))
            return
        self.exchange.keep(contribution, self.store)
        openings[contribution.address] = opening

    def _ask(self, messages: Sequence[Message], kind: str, absent: str) -> Iterator[Message]:
        """Send messages and yield the good replies as they come; errors and silence become events."""
        if not messages:
            return
        self.log.sent(messages)
        silent = {message.metadata.dst_node_id for message in messages}
        for reply in ask(self.grid, messages, timeout=self.timeout):
            self.log.received([reply])
            silent.discard(reply.metadata.src_node_id)
            if reply.has_error():
                self.failed(kind, reply.metadata.src_node_id, reply.error.reason)
            else:
                yield reply
        for node in sorted(silent):
            self.failed(kind, node, absent)

    def _bring_reveals(self, committed: Sequence[Contribution], openings: dict[str, Reveal]) -> list[Contribution]:
        """Bring the true reveals to the ledger, slash who owes one; return the accepted."""
        if self.log.ledger_round == 0:
            return []
        ordered = [openings[c.address] for c in committed if c.address in openings]
        revealed = set(self.relay.reveal(self.log.ledger_round, ordered, self._refusal("reveal-refused")))
        for address, amount in self.relay.slash_missing(self.log.ledger_round, self._selected).items():
            self.book.slash(address, amount)
            self.log.event("slashed", self.book.node(address),
                           f"committed and did not truly reveal: {amount} token units of its stake", address)
        return [c for c in committed if c.address in revealed]

    def _refusal(self, kind: str) -> Callable[[str, str], None]:
        def note(address: str, reason: str) -> None:
            self.failed(kind, self._node(address), reason)

        return note


def usable_evaluations(replies: Sequence[Message], current: ChainRound) -> list[Message]:
    """Return the evaluation replies that Flower can average; the others become events."""
    current.log.received(replies)
    usable = []
    for reply in sorted(replies, key=lambda r: r.metadata.src_node_id):
        node = reply.metadata.src_node_id
        if reply.has_error():
            current.failed("evaluation-error", node, reply.error.reason)
            continue
        try:
            only_metrics(reply.content)
        except ChainFLError as error:
            current.failed("unusable-evaluation", node, str(error))
            continue
        current.exchange.confirm(node)
        usable.append(reply)
    return current.alike(usable, lambda reply: reply, "unusable-evaluation")
