"""The rounds of a task as the ledger's events tell them, with their seeds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from flwr_chainfl.audit.audited_run import AuditedRun, Entry
from flwr_chainfl.crypto import address_order, round_seed, salts_entropy
from flwr_chainfl.ledger import NOBODY
from flwr_chainfl.ledger.task import roles_in_order
from flwr_chainfl.rewards import Streaks, Strikes
from flwr_chainfl.roles import Role
from flwr_chainfl.roster import Roster


@dataclass
class SettledRound:
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
        return sorted({*self.reveals, *self.marks, *self.attested}, key=address_order)


def settled_rounds(run: AuditedRun) -> dict[int, SettledRound]:
    """Go through the events in their order and collect each round; stakes move with them."""
    settled: defaultdict[int, SettledRound] = defaultdict(SettledRound)
    stakes: dict[str, int] = {}
    samples: dict[str, int] = {}
    opened = run.task.opening_blocks()
    roster = Roster()
    streaks, strikes = Streaks(run.settings.streak_cap), Strikes(run.settings.most_strikes)
    for name, a in run.events:
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
        one.seed = _seed(run, number, {p: revealed["salt"] for p, revealed in one.reveals.items()})
    return dict(settled)


def _seed(run: AuditedRun, round_number: int, salts: dict[str, bytes]) -> bytes:
    """Return what a round's random draws begin with, from what was revealed; empty where a word is missing."""
    word: bytes | None = bytes(32)
    if run.settings.randomness != NOBODY:
        word = run.ledger.randomness(run.settings.randomness).word(run.task.address, round_number)
    if word is None:
        return b""
    return round_seed(
        chain_id=run.ledger.chain.chain_id, task=run.task.address, round_number=round_number,
        entropy=salts_entropy(salts), word=word,
    )


def seed_without_word(run: AuditedRun, number: int, salts: dict[str, bytes]) -> bytes:
    """Return the seed of a round without its random word, as a void one is taken."""
    return round_seed(
        chain_id=run.ledger.chain.chain_id, task=run.task.address, round_number=number, entropy=salts_entropy(salts)
    )
