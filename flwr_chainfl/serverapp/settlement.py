"""Settlement: results are posted, defended or computed on chain, paid, and entered in the registry of reputations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.crypto import address_order
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Chain, Registry, Result, RoundStatus, Task
from flwr_chainfl.serverapp.averaging import Averaging
from flwr_chainfl.serverapp.calibration import Opening
from flwr_chainfl.serverapp.transactions import BATCH, Transactions

log = logging.getLogger("flwr")

WORK = 40_000
"""Labels in one transaction of a computation on chain; keeps it under 16.7 million gas (EIP-7825), up to 400 reports."""


@dataclass(frozen=True)
class Revealed:
    """What a participant revealed: the digest of its content (32 bytes), its report and its salt (32 bytes)."""

    participant: str
    content_digest: bytes
    report: bytes
    salt: bytes


@dataclass(frozen=True)
class Posting:
    """A result that waits for the end of its challenge window.

    revealed: ascending by address; deadline: seconds since 1970
    """

    round_number: int
    revealed: list[Revealed]
    result: Result
    deadline: int


@dataclass(frozen=True)
class Payment:
    """What a participant got for a round: the ledger's receipt. Amounts in token units, score and quality in WAD."""

    round_number: int
    participant: str
    score: int
    quality: int
    payout: int
    slashed: int


class Settlement:
    """Keeps what is still to be paid.

    registry: of reputations, None where none is kept; on_chain: whether the contract computes the scores in every round;
    averaging: the vectors that scores rest on, where they rest on any
    """

    def __init__(
        self, chain: Chain, task: Task, transactions: Transactions, registry: Registry | None, *, on_chain: bool
    ) -> None:
        self.pending: list[Posting] = []
        self.averaging: Averaging | None = None
        self._chain = chain
        self._task = task
        self._transactions = transactions
        self._registry = registry
        self._on_chain = on_chain
        self._unrecorded: list[tuple[int, list[Payment]]] = []

    def post(self, round_number: int, revealed: Sequence[Revealed], result: Result, *, calibration: Opening) -> None:
        """Post a result against this account's bond; where the task settles on chain, the contract will compute it."""
        if self._on_chain:
            if calibration.items:
                receipt = self._task.reveal_calibration(round_number, calibration.items, calibration.salt)
                self._transactions.count("revealCalibration", receipt)
            deadline = 0
        else:
            self._transactions.count("postScores", self._task.post_scores(round_number, result, salt=calibration.salt))
            deadline = self._task.round(round_number).settle_deadline
        self.pending.append(Posting(round_number, list(revealed), result, deadline))

    def settle(self, *, wait: bool) -> list[Payment]:
        """Pay the results whose challenge window is over, or with `wait` all of them; return what was paid.

        A posting that somebody challenged is defended, and a round that is settled on chain is settled: the reports are
        published and the contract computes the scores.
        """
        payments: list[Payment] = []
        left: list[Posting] = []
        for posting in self.pending:
            status = self._task.round(posting.round_number).status
            if status == RoundStatus.POSTED:
                if wait:
                    self._chain.advance_past(posting.deadline)
                elif self._chain.now() <= posting.deadline:
                    left.append(posting)
                    continue
                status = self._task.round(posting.round_number).status
            try:
                if status == RoundStatus.POSTED:
                    self._transactions.count(
                        "distributeRewards", self._task.distribute_rewards(posting.round_number, posting.result)
                    )
                elif status == RoundStatus.CHALLENGED:
                    log.warning("The scores of round %d were challenged; publishing the reports", posting.round_number)
                    self._compute(posting, posting.result)
                elif status == RoundStatus.OPEN and self._on_chain:
                    listed = Result(
                        participants=posting.result.participants, scores=(), qualities=(),
                        calibration=posting.result.calibration,
                    )
                    self._compute(posting, listed)
            except ContractError as error:
                log.warning("Round %d is not paid yet: %s", posting.round_number, error)
            if self._task.round(posting.round_number).status not in (RoundStatus.PAID, RoundStatus.VOID):
                left.append(posting)
                continue
            paid = self._payments(posting.round_number)
            payments.extend(paid)
            if paid and self._registry is not None:
                self._unrecorded.append((posting.round_number, paid))
        self.pending = left
        self._record()
        return payments

    def _record(self) -> None:
        """Enter the paid rounds in the registry of reputations, in order; what is refused is tried again later."""
        while self._unrecorded:
            round_number, paid = self._unrecorded[0]
            ordered = sorted(paid, key=lambda one: address_order(one.participant))
            result = Result(
                participants=tuple(one.participant for one in ordered),
                scores=tuple(one.score for one in ordered),
                qualities=tuple(one.quality for one in ordered),
            )
            try:
                while self._task.round(round_number).recorded < len(ordered):
                    self._transactions.count("recordReputation", self._task.record_reputation(round_number, result, count=BATCH))
            except ContractError as error:
                log.warning("Round %d is not entered in the registry of reputations yet: %s", round_number, error)
                return
            self._unrecorded.pop(0)

    def _compute(self, posting: Posting, listed: Result) -> None:
        """Publish the reports that a round's scores rest on, and let the contract compute them, step by step."""
        for one in posting.revealed:
            try:
                self._transactions.count(
                    "publishReport",
                    self._task.publish_report(
                        posting.round_number, one.participant, one.content_digest, one.report, one.salt
                    ),
                )
            except ContractError as error:
                if error.name != "AlreadyPublished":
                    raise
        if self.averaging is not None:
            reports = {one.participant: one.report for one in posting.revealed}
            self.averaging.compute(posting.round_number, listed.participants, reports, self._transactions.count)
        for receipt in self._task.compute_scores(posting.round_number, listed, work=WORK):
            self._transactions.count("computeScores", receipt)

    def _payments(self, round_number: int) -> list[Payment]:
        """Return a round's receipts, from this relay's own transactions or, where somebody else paid, from the ledger."""
        for events in (self._transactions.events, self._task.events()):
            found = [
                Payment(a["round"], a["participant"], a["score"], a["quality"], a["payout"], a["slashed"])
                for name, a in events
                if name == "Receipt" and a["round"] == round_number
            ]
            if found:
                return found
        return []
