"""The book of a run: who takes part from which node, what each did and earned, round by round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr_chainfl.crypto import address_order
from flwr_chainfl.errors import ReusedSaltError, SignatureError
from flwr_chainfl.ledger import Result
from flwr_chainfl.ledger.accounting import conservation
from flwr_chainfl.record import RunRecord
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.serverapp.settlement import Payment, Revealed


@dataclass
class _Participant:
    """A member of the task: samples declared at joining; scores and qualities in WAD, amounts in token units."""

    samples: int
    scores: list[int] = field(default_factory=list)
    qualities: list[int] = field(default_factory=list)
    paid: int = 0
    slashed: int = 0


class Book:
    """Keeps the run record up to date."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self._nodes: dict[str, int] = {}
        self._addresses: dict[int, str] = {}
        self._members: dict[str, _Participant] = {}
        self._rounds: list[RoundLog] = []
        self._salts: set[bytes] = set()

    def bind(self, address: str, node: int) -> None:
        """Bind an address to its node; raises SignatureError when it takes part from another one already."""
        bound = self._nodes.setdefault(address, node)
        if bound != node:
            raise SignatureError(f"{address} takes part from node {bound} already; give node {node} a key of its own")
        self._addresses[node] = address

    def use_salt(self, address: str, salt: bytes) -> None:
        """Note a revealed salt; raises ReusedSaltError when one of this run's reveals had it already."""
        if salt in self._salts:
            raise ReusedSaltError(
                f"{address} revealed the salt 0x{salt.hex()}, which was revealed before; use a new one in every round"
            )
        self._salts.add(salt)

    def node(self, address: str) -> int | None:
        """Return the node of an address."""
        return self._nodes.get(address)

    def address(self, node: int) -> str | None:
        """Return the address that a node took part with last."""
        return self._addresses.get(node)

    def member(self, node: int) -> str:
        """Return the address that a node takes part with, where that is a member of the task; empty otherwise."""
        address = self._addresses.get(node, "")
        return address if address in self._members else ""

    def is_member(self, address: str) -> bool:
        """Say whether an address has joined the task."""
        return address in self._members

    def members(self) -> list[str]:
        """Return the addresses that have joined the task."""
        return list(self._members)

    @property
    def has_members(self) -> bool:
        """Whether anybody has joined the task."""
        return bool(self._members)

    def join(self, address: str, samples: int) -> None:
        """Enter a new member."""
        self._members[address] = _Participant(samples)

    def declare(self, address: str, samples: int) -> None:
        """Enter what a member declares, as the ledger has it: other samples where it left and joined again."""
        self._members[address].samples = samples

    def samples(self, address: str) -> int:
        """Return the samples that a member declared at joining."""
        return self._members[address].samples

    def open_round(self, log: RoundLog) -> None:
        """Begin a round's entry."""
        self._rounds.append(log)

    def enter(self, log: RoundLog, revealed: Sequence[Revealed], contents: Mapping[str, str]) -> None:
        """Enter what participants did in a round; contents: CID by address, of those that were exchanged.

        Who assessed without contributing has an empty report.
        """
        log.contributions = [
            {
                "address": one.participant,
                "content": contents.get(one.participant),
                "report": one.report.hex(),
                "weight": log.weights.get(one.participant),
                "reputation": _text(log.reputations.get(one.participant)),
                "quality": None,
                "score": None,
                "paid": "0",
                "slashed": "0",
            }
            for one in revealed
        ]

    def score(
        self, log: RoundLog, revealed: Sequence[Revealed], result: Result, contents: Mapping[str, str]
    ) -> None:
        """Enter a round's contributions with their result."""
        self.enter(log, revealed, contents)
        for entry, score, quality in zip(log.contributions, result.scores, result.qualities, strict=True):
            entry["score"], entry["quality"] = str(score), str(quality)
        for participant, score, quality in zip(result.participants, result.scores, result.qualities, strict=True):
            self._members[participant].scores.append(score)
            self._members[participant].qualities.append(quality)

    def slash(self, address: str, amount: int) -> None:
        """Enter a slash outside of a payment."""
        self._members[address].slashed += amount

    def pay(self, payments: Sequence[Payment]) -> None:
        """Enter payments."""
        by_ledger = {log.ledger_round: log for log in self._rounds}
        for payment in payments:
            member = self._members[payment.participant]
            member.paid += payment.payout
            member.slashed += payment.slashed
            for entry in by_ledger[payment.round_number].contributions:
                if entry["address"] == payment.participant:
                    entry["paid"], entry["slashed"] = str(payment.payout), str(payment.slashed)

    def write(self, relay: Relay, *, digest: bool) -> None:
        """Write run.json; `digest` reads the whole history of the task for its hash."""
        data = self.record.data
        block = relay.ledger.chain.height()
        reputations, stakes = relay.reputations(list(self._members), block=block), relay.stakes(list(self._members))
        data["rounds"] = [log.as_dict() for log in self._rounds]
        history = relay.history(whole=digest)
        proven: Counter[str] = Counter()
        for name, arguments in history:
            if name == "EquivocationSlashed":
                proven[arguments["participant"]] += arguments["amount"]
        data["participants"] = [
            {
                "address": address,
                "node": str(self._nodes[address]),
                "samples": member.samples,
                "quality": mean_text(member.qualities),
                "score": mean_text(member.scores),
                "paid": str(member.paid),
                "slashed": str(member.slashed + proven[address]),
                "stake": str(stakes[address]),
                "reputation": _text(reputations.get(address)),
            }
            for address, member in sorted(self._members.items(), key=lambda item: address_order(item[0]))
        ]
        totals = conservation(
            history,
            requester=relay.ledger.chain.wallet.address,
            locked=relay.ledger.token_balance(relay.token, relay.task.address),
        )
        data["conservation"] = {
            "deposited": str(totals.deposited),
            "paid": str(totals.paid),
            "withdrawn": str(totals.withdrawn),
            "refunded": str(totals.refunded),
            "slashed": str(totals.slashed),
            "locked": str(totals.locked),
            "dust": str(totals.dust),
        }
        if digest:
            data["ledger"]["digest"] = relay.task.digest()
        data["ledger"]["block"] = block
        self.record.write()


def mean_text(values: Sequence[int]) -> str | None:
    """Return the mean of integers, rounded down, as run.json writes it; None of none."""
    return str(sum(values) // len(values)) if values else None


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
