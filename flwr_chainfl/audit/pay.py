"""Who is paid what: qualities and scores, slashes and payouts of each round, and what they come to in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from flwr_chainfl.audit.audited_run import AuditedRun, Entry
from flwr_chainfl.audit.difference import Difference, differ
from flwr_chainfl.audit.settled_round import SettledRound
from flwr_chainfl.crypto import commitment, payload_hash
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import TaskStatus
from flwr_chainfl.ledger.accounting import conservation
from flwr_chainfl.rewards import PayFacts
from flwr_chainfl.scoring import Scored
from flwr_chainfl.serverapp.book import mean_text


class PayAudit:
    """Recomputes the pay of each round, and of all that it was shown in the end."""

    def __init__(self, run: AuditedRun) -> None:
        self._run = run
        self._scores: defaultdict[str, list[int]] = defaultdict(list)
        self._qualities: defaultdict[str, list[int]] = defaultdict(list)

    def compare_round(
        self,
        where: str,
        participants: Sequence[str],
        recorded: dict[str, Entry],
        settled: SettledRound,
        scored: Scored,
    ) -> Iterator[Difference]:
        """Recompute scores, slashes and payouts, and compare them with the ledger's receipts and the record."""
        scores = scored.scores
        for participant, score, quality in zip(participants, scores, scored.qualities, strict=True):
            self._scores[participant].append(score)
            self._qualities[participant].append(quality)
            yield from differ(f"{where}, {participant}, quality", recorded[participant]["quality"], str(quality))
        if not settled.receipts:
            for participant, score in zip(participants, scores, strict=True):
                yield from differ(f"{where}, {participant}, score", recorded[participant]["score"], str(score))
            return
        for participant, quality in zip(participants, scored.qualities, strict=True):
            paid_for = settled.receipts[participant]["quality"]
            yield from differ(f"{where}, {participant}, quality on the ledger", str(paid_for), str(quality))
        slashes = [self._slash(score, settled.stakes[p]) for p, score in zip(participants, scores, strict=True)]
        facts = PayFacts(
            roles=[settled.roles[p] for p in participants] if settled.roles else (),
            streaks=[settled.streaks[p] for p in participants],
        )
        amounts = self._run.schedule.split(settled.budget, sum(slashes), scores, facts)
        yield from differ(f"{where}, excluded on the ledger", sorted(settled.excluded), sorted(settled.struck_out))
        for participant, score, slash, amount in zip(participants, scores, slashes, amounts, strict=True):
            receipt, entry = settled.receipts[participant], recorded[participant]
            person = f"{where}, {participant}"
            reveal = settled.reveals.get(participant)
            committed = bytes(32)
            if reveal is not None:
                committed = commitment(
                    chain_id=self._run.ledger.chain.chain_id, task=self._run.task.address, round_number=reveal["round"],
                    participant=participant, payload=payload_hash(reveal["contentDigest"], bytes.fromhex(entry["report"])),
                    salt=reveal["salt"],
                )
            yield from differ(f"{person}, commitment", receipt["commitment"].hex(), committed.hex())
            yield from differ(f"{person}, formula", receipt["formula"].rstrip(b"\0").decode(), self._run.scorer.formula)
            for name, key, value in (("score", "score", score), ("payout", "paid", amount), ("slashed", "slashed", slash)):
                yield from differ(f"{person}, {name} on the ledger", str(receipt[name]), str(value))
                yield from differ(f"{person}, {key}", entry[key], str(value))

    def _slash(self, score: int, stake: int) -> int:
        """Return what a score costs, as the contract computes it; token units."""
        if score >= 0 or -score < self._run.settings.slash_floor:
            return 0
        return min(stake, -score * self._run.settings.slash_per_score // WAD)

    def compare_totals(self) -> Iterator[Difference]:
        """Compare each participant's totals, and the task's, with the ledger's; after all rounds."""
        paid: defaultdict[str, int] = defaultdict(int)
        slashed: defaultdict[str, int] = defaultdict(int)
        stakes: defaultdict[str, int] = defaultdict(int)
        samples: dict[str, int] = {}
        for name, a in self._run.events:
            if name == "ParticipantJoined":
                samples[a["participant"]] = a["samples"]
                stakes[a["participant"]] = a["stake"]  # what it had before, it took away when it left
            elif name == "Receipt":
                paid[a["participant"]] += a["payout"]
                slashed[a["participant"]] += a["slashed"]
                stakes[a["participant"]] -= a["slashed"]
            elif name in ("MissingRevealSlashed", "EquivocationSlashed"):
                slashed[a["participant"]] += a["amount"]
                stakes[a["participant"]] -= a["amount"]
        recorded = {p["address"]: p for p in self._run.record["participants"]}
        yield from differ("participants", sorted(recorded), sorted(samples))
        for participant in sorted(set(recorded) & set(samples)):
            entry = recorded[participant]
            yield from differ(f"{participant}, samples", entry["samples"], samples[participant])
            yield from differ(f"{participant}, paid", entry["paid"], str(paid[participant]))
            yield from differ(f"{participant}, slashed", entry["slashed"], str(slashed[participant]))
            yield from differ(f"{participant}, stake", entry["stake"], str(stakes[participant]))
            scores, qualities = self._scores[participant], self._qualities[participant]
            yield from differ(f"{participant}, score", entry["score"], mean_text(scores))
            yield from differ(f"{participant}, quality", entry["quality"], mean_text(qualities))
            known = self._run.reputation(participant, self._run.record["ledger"]["block"])
            yield from differ(f"{participant}, reputation", entry["reputation"], known)
        yield from self._compare_money()

    def _compare_money(self) -> Iterator[Difference]:
        totals = conservation(
            self._run.events,
            requester=self._run.task.requester,
            locked=self._run.ledger.token_balance(self._run.task.token, self._run.task.address),
        )
        for name in ("deposited", "paid", "withdrawn", "refunded", "slashed", "locked", "dust"):
            yield from differ(f"conservation, {name}", self._run.record["conservation"].get(name), str(getattr(totals, name)))
        yield from differ("conservation, dust on the ledger", str(totals.dust), "0")
        if self._run.record["ledger"]["digest"] is not None or self._run.task.status == TaskStatus.COMPLETED:
            yield from differ("ledger, digest", self._run.record["ledger"]["digest"], self._run.task.digest())
