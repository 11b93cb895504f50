"""The relay: brings what participants signed to the ledger, and posts, pays and closes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from flwr_chainfl.crypto import address_order
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import (
    NO_HASH,
    NOBODY,
    CommitRequest,
    JoinRequest,
    KeyRequest,
    Keys,
    Ledger,
    Randomness,
    Registry,
    Result,
    Reveal,
    ScoreRequest,
    SealRequest,
    Task,
    TaskStatus,
)
from flwr_chainfl.roster import Roster
from flwr_chainfl.serverapp.averaging import Averaging
from flwr_chainfl.serverapp.calibration import NO_CALIBRATION, Opening
from flwr_chainfl.serverapp.settlement import Payment, Posting, Revealed, Settlement
from flwr_chainfl.serverapp.transactions import BATCH, OnRefusal, Transactions

log = logging.getLogger("flwr")


class Relay:
    """Sends a task's transactions in the order that the contract wants, and waits for its deadlines.

    One participant's refused request never stops the others'.
    """

    def __init__(self, ledger: Ledger, task: Task, *, token: str) -> None:
        self.ledger = ledger
        self.task = task
        self.token = token
        settings = task.settings()
        self._settings = settings
        self.registry = None if settings.reputation == NOBODY else Registry(ledger.chain, settings.reputation)
        self._randomness = None if settings.randomness == NOBODY else Randomness(ledger.chain, settings.randomness)
        self._transactions = Transactions(task)
        self._settlement = Settlement(
            ledger.chain, task, self._transactions, self.registry, on_chain=settings.onchain
        )
        self._stakes: dict[str, int] = {}

    @property
    def pending(self) -> list[Posting]:
        """The results that are not paid yet."""
        return self._settlement.pending

    @property
    def averaging(self) -> Averaging | None:
        """The vectors that scores rest on; None where they rest on none."""
        return self._settlement.averaging

    @averaging.setter
    def averaging(self, averaging: Averaging) -> None:
        self._settlement.averaging = averaging

    def take_gas(self) -> dict[str, int]:
        """Return the gas used since the last call, by operation."""
        return self._transactions.take_gas()

    def history(self, *, whole: bool) -> list[tuple[str, dict[str, Any]]]:
        """Return the task's events: all of them from the chain, or those of this relay's own transactions."""
        return self.task.events() if whole else self._transactions.events

    def stakes(self, participants: Sequence[str]) -> dict[str, int]:
        """Return what is left of participants' stakes, token units; after one left or withdrew, what was left then."""
        if self.task.status != TaskStatus.COMPLETED:
            for one, member in self.task.memberships(participants).items():
                self._stakes[one] = member.stake if member.position else self._stake_at_leaving(one)
        return {one: self._stakes.get(one, 0) for one in participants}

    def _stake_at_leaving(self, participant: str) -> int:
        left = (a for name, a in reversed(self.task.events()) if name == "ParticipantLeft")
        return next((int(a["stake"]) for a in left if a["participant"] == participant), 0)

    def initialize(self, terms_cid: str, *, rounds: int, pool: int) -> None:
        """Fund the task with `pool` token units."""
        self._transactions.count("initializeTask", self.task.initialize(terms_cid, rounds=rounds, pool=pool))

    def extend(self, reward: int) -> None:
        """Fund one more round with `reward` token units."""
        self._transactions.count("extendTask", self.task.extend(rounds=1, pool=reward))

    def join(self, requests: Sequence[JoinRequest], on_refusal: OnRefusal) -> list[str]:
        """Bring wishes to join, ascending by address; return the addresses that are members now."""
        ordered = sorted(requests, key=lambda request: address_order(request.participant))
        done = self._transactions.batched("join", ordered, self.task.join_for, on_refusal)
        if done and self.task.status == TaskStatus.OPEN:
            try:
                self._transactions.count("start", self.task.start())
            except ContractError as error:
                log.warning("The task cannot start yet: %s", error)
        return [request.participant for request in done]

    def register_keys(self, keys: Keys, requests: Sequence[KeyRequest], on_refusal: OnRefusal) -> list[str]:
        """Bring participants' keys to a registry; return the addresses that were taken."""
        done = self._transactions.batched("registerKey", requests, keys.register_for, on_refusal)
        return [request.participant for request in done]

    def reputations(self, participants: Sequence[str], *, block: int | None = None) -> dict[str, int]:
        """Return what is known of participants, WAD by address; nobody where no registry is kept.

        block: as of which block; the newest when left out
        """
        if self.registry is None:
            return {}
        return self.registry.reputations(participants, block=block)

    def excluded(self) -> set[str]:
        """Return the members that their strikes have excluded, and that have not left and joined again."""
        if not self._settings.most_strikes:
            return set()
        roster = Roster()
        for name, arguments in self.task.events():
            roster.take(name, arguments)
        return roster.excluded

    def left(self, participants: Sequence[str]) -> set[str]:
        """Return those of some former or present members that have left by themselves."""
        return {one for one, member in self.task.memberships(participants).items() if member.position == 0}

    def open_round(self, participants: Sequence[str], *, calibration: bytes = NO_HASH) -> set[str]:
        """Open the ledger's next round for the participants that contribute, all of which must be active members.

        calibration: commitment to the calibration items
        returns: those that are active members no more; where there are any, the round was not opened
        """
        positions = {one: member.position for one, member in self.task.memberships(participants).items()}
        if gone := {one for one, position in positions.items() if position == 0}:
            return gone
        try:
            self._transactions.count("nextRound", self.task.next_round(sorted(positions.values()), calibration=calibration))
        except ContractError as error:
            if error.name != "NotActive":
                raise
            word, bits = int(error.arguments["word"]), int(error.arguments["positions"])
            gone = {one for one, position in positions.items() if bits << 256 * word >> position - 1 & 1}
            if not gone:
                raise
        return gone

    def commit(
        self, round_number: int, requests: Sequence[CommitRequest], on_refusal: OnRefusal
    ) -> list[str]:
        """Bring signed commitments; return the addresses that were taken."""
        done = self._transactions.batched(
            "commit", requests, lambda batch: self.task.commit_for(round_number, batch), on_refusal
        )
        return [request.participant for request in done]

    def reveal(self, round_number: int, reveals: Sequence[Reveal], on_refusal: OnRefusal) -> list[str]:
        """Open commitments; return the addresses that were taken."""
        if not reveals:
            return []
        opened = self.task.round(round_number)
        if opened.committed < opened.selected:
            self.ledger.chain.advance_past(opened.commit_deadline)
        done = self._transactions.batched(
            "reveal", reveals, lambda batch: self.task.reveal(round_number, batch), on_refusal
        )
        return [request.participant for request in done]

    def assess(self, round_number: int, requests: Sequence[ScoreRequest], on_refusal: OnRefusal) -> list[str]:
        """Bring signed scores of a round's contributions; return the addresses whose scores were taken."""
        if not requests:
            return []
        self.await_reveals(round_number)
        done = self._transactions.batched(
            "submitScore", requests, lambda batch: self.task.submit_score_for(round_number, batch), on_refusal
        )
        return [request.participant for request in done]

    def attest(self, round_number: int, requests: Sequence[SealRequest], on_refusal: OnRefusal) -> list[str]:
        """Bring signed attestations of a round's aggregate; return the addresses whose attestations were taken."""
        if not requests:
            return []
        self.await_assessments(round_number)
        done = self._transactions.batched(
            "attest", requests, lambda batch: self.task.attest_for(round_number, batch), on_refusal
        )
        return [request.participant for request in done]

    def await_reveals(self, round_number: int) -> None:
        """Let the time to reveal pass where somebody still could."""
        opened = self.task.round(round_number)
        if opened.committed < opened.selected or opened.revealed < opened.committed:
            self.ledger.chain.advance_past(opened.reveal_deadline)

    def await_assessments(self, round_number: int) -> None:
        """Let the time to judge pass where somebody still could."""
        self.await_reveals(round_number)
        opened = self.task.round(round_number)
        judging = opened.validators if self._settings.has_roles else opened.revealed
        if self._settings.assess_seconds and opened.revealed and opened.assessed < judging:
            self.ledger.chain.advance_past(opened.reveal_deadline + self._settings.assess_seconds)

    def is_sealed(self, round_number: int) -> bool:
        """Say whether a round can be scored as far as sealing goes: it is sealed, or this task seals none."""
        return not self._settings.seal_seconds or self.task.round(round_number).aggregate != NO_HASH

    def slash_missing(self, round_number: int, participants: Sequence[str]) -> dict[str, int]:
        """Slash those that committed and did not reveal, by whatever way, once the time to reveal is over.

        returns: token units by address
        """
        opened = self.task.round(round_number)
        if opened.revealed == opened.committed:
            return {}
        self.ledger.chain.advance_past(opened.reveal_deadline)
        if self.task.round(round_number).revealed == 0:
            return {}  # the contract slashes nobody where no reveal came
        receipt = self._transactions.count("slashMissing", self.task.slash_missing(round_number, participants))
        return {
            arguments["participant"]: arguments["amount"]
            for name, arguments in self.task.events_of(receipt)
            if name == "MissingRevealSlashed"
        }

    def seed(self, round_number: int) -> bytes | None:
        """Return a round's seed, which is final once the time to reveal is over.

        With a source of randomness, ask it for the round's word and wait, until the round could be void at most; None
        when no word came.
        """
        opened = self.task.round(round_number)
        if self._randomness is None:
            return self.task.seed(round_number)
        if opened.revealed == 0:
            return None
        if opened.revealed < opened.committed or opened.committed < opened.selected:
            self.ledger.chain.advance_past(opened.reveal_deadline)
        if not self.ledger.chain.wait_for(lambda: self._has_word(round_number), until=opened.settle_deadline):
            return None
        return self.task.seed(round_number)

    def _has_word(self, round_number: int) -> bool:
        """Say whether a round has its word; ask the source for it where nobody has."""
        assert self._randomness is not None
        if not self._randomness.is_requested(self.task.address, round_number):
            try:
                self._transactions.count("request", self._randomness.request(self.task.address, round_number))
            except ContractError as error:
                if error.name != "AlreadyRequested":
                    log.warning("Round %d has no random word yet: %s", round_number, error)
        return self._randomness.word(self.task.address, round_number) is not None

    def direct_reveals(self, round_number: int, known: Sequence[str]) -> list[Revealed]:
        """Return what members revealed on the ledger by themselves, besides those that are `known`."""
        if self.task.round(round_number).revealed == len(known):
            return []
        events = [(name, a) for name, a in self.task.events() if a.get("round") == round_number]
        reports = {a["participant"]: a["report"] for name, a in events if name == "ReportRevealed"}
        return [
            Revealed(a["participant"], a["contentDigest"], reports[a["participant"]], a["salt"])
            for name, a in events
            if name == "Revealed" and a["participant"] not in known and a["participant"] in reports
        ]

    def post(
        self, round_number: int, revealed: Sequence[Revealed], result: Result, *, calibration: Opening = NO_CALIBRATION
    ) -> None:
        """Bring a round's result: post it against this account's bond, or let the contract compute it.

        Nobody revealed: the round is void.
        """
        if not revealed:
            self.void(round_number)
            return
        self.await_assessments(round_number)
        if not self.is_sealed(round_number):
            self.void(round_number)
            return
        self._settlement.post(round_number, revealed, result, calibration=calibration)

    def settle(self, *, wait: bool) -> list[Payment]:
        """Pay the results whose challenge window is over, or with `wait` all of them; return what was paid."""
        return self._settlement.settle(wait=wait)

    def void(self, round_number: int) -> None:
        """Give a round up that cannot be paid, as soon as the contract allows it."""
        opened = self.task.round(round_number)
        deadline = opened.settle_deadline if opened.revealed > 0 else opened.reveal_deadline
        if opened.revealed > 0 and not self.is_sealed(round_number):
            deadline = opened.reveal_deadline + self._settings.assess_seconds + self._settings.seal_seconds
        self.ledger.chain.advance_past(deadline)
        self._transactions.count("voidRound", self.task.void_round(round_number))

    def close(self) -> None:
        """Complete the task and send everybody what is theirs."""
        self.stakes(self.task.members())
        if self.task.status in (TaskStatus.OPEN, TaskStatus.RUNNING):
            self._transactions.count("completeTask", self.task.complete())
        owners = [*sorted(self.task.members(), key=address_order), self.task.requester]
        for start in range(0, len(owners), BATCH):
            self._transactions.count("withdraw", self.task.withdraw(owners[start : start + BATCH]))
