"""The typed client of a FederatedTask contract."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from flwr_chainfl.crypto import Domain, keccak256, task_domain
from flwr_chainfl.errors import ParticipationError
from flwr_chainfl.ledger.chain import Chain, Receipt
from flwr_chainfl.ledger.contract import Contract
from flwr_chainfl.ledger.requests import CommitRequest, JoinRequest, Result, Reveal, ScoreRequest, SealRequest
from flwr_chainfl.roles import Role

NO_HASH = bytes(32)
"""Stands for no commitment."""

NOBODY = "0x" + 40 * "0"
"""The zero address: no registry, no admission, no source of randomness."""

_ASKS = ("AlignmentScorer", "TestToken", "Invitations", "VRFRandomness")
"""Contracts that a task calls and whose errors it hands on."""

_REMEDIES = {
    "WordMissing": "ask the source of randomness for the round's word, and wait for it",
    "NotInvited": "ask for an invitation to this task, or for a place on its allow-list",
    "InvitationExpired": "ask the inviter for an invitation with a later deadline",
    "StakeTooSmall": "raise the stake or join another task",
    "AlreadyJoined": "a participant joins a task once",
    "TooFewMembers": "wait for more participants to join",
    "TooManyMembers": "deploy the task with a higher maximum",
    "EmptyPool": "fund the task with more than 0 token units",
    "NoRounds": "fund the task for 1 round or more",
    "InvalidSignature": "let the participant sign again, for this task and chain",
    "SignatureExpired": "let the participant sign again with a later deadline",
    "DeadlineNotReached": "try again after the deadline",
    "DeadlinePassed": "the next round opens with a new deadline",
    "ERC20InsufficientBalance": "give the account more tokens",
    "ERC20InsufficientAllowance": "approve the task for more tokens, or sign a permit",
    "CommitmentMismatch": "reveal exactly what was committed",
    "RoundsExhausted": "extend the task with extendTask",
    "CalibrationMismatch": "reveal the calibration items and the salt that the round was opened with",
    "NotRecorder": "let the registry's owner authorise the task before it is funded",
    "WrongSettlement": "a task settles either by postings or on chain, as its settings say",
    "ProgressMismatch": "go on from the last ScoringProgressed event",
    "ReportsMissing": "publish the missing reports, or wait for the deadline",
    "TooFewForRoles": "wait for more participants to join; workers, validators and miners are one each at least",
    "RoleEmpty": "select members of every role, or all of them",
    "RolesIncomplete": "give every role a share, or none",
    "NotAssessor": "only the round's validators judge; where nobody has a role, the workers that revealed",
    "AlreadyAssessed": "a member judges once a round",
    "UnknownSubject": "judge workers that revealed in this round, or the task itself for what the round began with",
    "OwnSubject": "judge others' contributions",
    "SubjectsNotAscending": "give every subject once, ascending by address",
    "MarkOutOfBounds": "scores are WAD, from 0 to 1",
    "AssessPhaseOpen": "wait until all have judged, or for the deadline",
    "NotMiner": "only the round's miners attest",
    "AlreadyAttested": "a member attests once a round",
    "NotSealed": "let the round's miners attest, or void the round after the deadline",
    "SameStatement": "two different statements are needed",
    "CalibrationNeeded": "use computeScores, which takes the calibration",
}


ALL_AT_ONCE = 2**256 - 1
"""Work that fits into one transaction, however much it is."""


class TaskStatus(enum.IntEnum):
    """Where a task stands."""

    CREATED = 0
    OPEN = 1
    RUNNING = 2
    COMPLETED = 3


class RoundStatus(enum.IntEnum):
    """Where a round stands."""

    NONE = 0
    OPEN = 1
    POSTED = 2
    CHALLENGED = 3
    PAID = 4
    VOID = 5


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A task's parameters, fixed at deployment; the meaning of each is in contracts/interfaces/IFederatedTask.sol.

    Amounts in token units, periods in seconds, slash_floor in WAD, missing_slash_bps in 1/10,000 of the stake; workers,
    validators and miners are shares of their sum.
    """

    token: str
    scorer: str
    schedule: str
    minimum_stake: int
    bond: int
    slash_per_score: int
    slash_floor: int
    minimum_members: int
    maximum_members: int
    commit_seconds: int
    reveal_seconds: int
    settle_seconds: int
    challenge_seconds: int
    missing_slash_bps: int
    late_join: bool
    onchain: bool = False
    reputation: str = NOBODY
    admission: str = NOBODY
    randomness: str = NOBODY
    assess_seconds: int = 0
    seal_seconds: int = 0
    workers: int = 0
    validators: int = 0
    miners: int = 0
    most_strikes: int = 0
    streak_cap: int = 0

    @property
    def has_roles(self) -> bool:
        """Whether members do different things in a round."""
        return self.validators > 0 or self.miners > 0


@dataclass(frozen=True)
class Member:
    """A participant of a task; position counts from 1 and is 0 for a stranger; earned: part of its balance, token units."""

    stake: int
    samples: int
    position: int
    committed_round: int
    departures: int
    assessed_round: int
    attested_round: int
    earned_round: int
    streak: int
    strikes: int
    slashed_round: int
    earned: int


@dataclass(frozen=True)
class Round:
    """A round of a task; deadlines in seconds since 1970, numbers of participants; selected: workers."""

    budget: int
    selected: int
    committed: int
    revealed: int
    commit_deadline: int
    reveal_deadline: int
    settle_deadline: int
    status: RoundStatus
    published: int
    recorded: int
    lane: int
    posting_hash: bytes
    poster: str
    forfeits: int
    challenger: str
    calibration: bytes
    progress: bytes
    entropy: bytes
    validators: int
    assessed: int
    miners: int
    attested: int
    aggregate: bytes


@dataclass(frozen=True)
class Submission:
    """What a participant said of the newest round: scores in WAD, one for each subject."""

    participant: str
    subjects: tuple[str, ...]
    scores: tuple[int, ...]


class Task:
    """A FederatedTask contract at an address.

    Every method that writes sends one transaction and returns its receipt; a refusal raises ContractError with
    the contract's own error name and arguments.
    """

    def __init__(self, chain: Chain, address: str, *, from_block: int = 0) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)
        self.from_block = from_block
        self._contract = Contract(chain, self.address, "FederatedTask", remedies=_REMEDIES, asks=_ASKS)

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain that participants sign for."""
        return task_domain(self.chain.chain_id, self.address)

    # Money and status

    def initialize(self, terms_cid: str, *, rounds: int, pool: int) -> Receipt:
        """Fund the task with `pool` token units for `rounds` rounds and open it for joining."""
        return self._contract.send("initializeTask", terms_cid, rounds, pool)

    def extend(self, *, rounds: int, pool: int) -> Receipt:
        """Promise more rounds and add the money for them."""
        return self._contract.send("extendTask", rounds, pool)

    def start(self) -> Receipt:
        """Let the rounds begin."""
        return self._contract.send("startTask")

    def complete(self) -> Receipt:
        """End the task: stakes can be withdrawn, the rest of the pool is the requester's."""
        return self._contract.send("completeTask")

    def withdraw(self, owners: Sequence[str]) -> Receipt:
        """Send owners what is theirs."""
        return self._contract.send("withdraw", list(owners))

    # Members

    def join(self, *, stake: int, samples: int, proof: bytes = b"") -> Receipt:
        """Join as this chain's own account, with a stake from its allowance.

        proof: what the task's admission asks for, empty where everybody may join
        """
        return self._contract.send("joinTask", stake, samples, proof)

    def join_for(self, requests: Iterable[JoinRequest]) -> Receipt:
        """Relay signed wishes to join."""
        return self._contract.send("joinTaskFor", [request.as_tuple() for request in requests])

    def leave(self) -> Receipt:
        """Leave as this chain's own account."""
        return self._contract.send("removeWorker")

    # Rounds

    def next_round(self, positions: Iterable[int] | None = None, *, calibration: bytes = NO_HASH) -> Receipt:
        """Open the next round for the members at `positions` (from 1), or for all active ones.

        calibration: commitment to calibration items, 32 bytes

        Raises ParticipationError for a position below 1, as that of one who left, and for none at all.
        """
        words: list[int] = []
        chosen = None if positions is None else list(positions)
        if chosen == []:
            raise ParticipationError("no position is selected; give at least one, or None for all active members")
        for position in chosen or ():
            if position < 1:
                raise ParticipationError(f"position {position} is no member's; positions count from 1, and who left has 0")
            word, bit = divmod(position - 1, 256)
            words.extend([0] * (word + 1 - len(words)))
            words[word] |= 1 << bit
        return self._contract.send("nextRound", words, calibration)

    def commit(self, round_number: int, commitment: bytes) -> Receipt:
        """Commit as this chain's own account."""
        return self._contract.send("commit", round_number, commitment)

    def commit_for(self, round_number: int, requests: Iterable[CommitRequest]) -> Receipt:
        """Relay signed commitments."""
        return self._contract.send("commitFor", round_number, [request.as_tuple() for request in requests])

    def reveal(self, round_number: int, reveals: Iterable[Reveal]) -> Receipt:
        """Open commitments, as the requester."""
        return self._contract.send("reveal", round_number, [reveal.as_tuple() for reveal in reveals])

    def reveal_report(
        self, round_number: int, participant: str, content_digest: bytes, report: bytes, salt: bytes
    ) -> Receipt:
        """Open a commitment together with its whole report; for a participant that the requester leaves out."""
        return self._contract.send("revealReport", round_number, participant, content_digest, report, salt)

    def slash_missing(self, round_number: int, participants: Sequence[str]) -> Receipt:
        """Slash those among members that committed and did not reveal."""
        return self._contract.send("slashMissing", round_number, list(participants))

    # What members say of a round

    def submit_score(self, round_number: int, subjects: Sequence[str], scores: Sequence[int]) -> Receipt:
        """Judge a round's contributions as this chain's own account; subjects ascending by address, scores WAD."""
        return self._contract.send("submitScore", round_number, list(subjects), list(scores))

    def submit_score_for(self, round_number: int, requests: Iterable[ScoreRequest]) -> Receipt:
        """Relay signed scores of a round's contributions."""
        return self._contract.send("submitScoreFor", round_number, [request.as_tuple() for request in requests])

    def attest(self, round_number: int, aggregate: bytes) -> Receipt:
        """Attest a round's aggregate as this chain's own account; aggregate: 32 bytes."""
        return self._contract.send("attest", round_number, aggregate)

    def attest_for(self, round_number: int, requests: Iterable[SealRequest]) -> Receipt:
        """Relay signed attestations of a round's aggregate."""
        return self._contract.send("attestFor", round_number, [request.as_tuple() for request in requests])

    def prove_equivocation(
        self, round_number: int, participant: str, first: ScoreRequest | SealRequest, second: ScoreRequest | SealRequest
    ) -> Receipt:
        """Slash a participant that signed two different statements of a kind for one round."""
        arguments: list[Any] = []
        for request in (first, second):
            arguments += [_tail(request), (request.signature.r, request.signature.vs)]
        kind = 0 if isinstance(first, ScoreRequest) else 1
        return self._contract.send("proveEquivocation", round_number, participant, kind, *arguments)

    # Settlement

    def submit_round_top_k(self, round_number: int, participants: Sequence[str], k: int) -> Receipt:
        """Let the contract compute the scores of a round that is settled on chain, in one transaction, without paying yet.

        participants: all that took part, ascending by address; k: how many of the best to name
        """
        return self._contract.send("submitRoundTopK", round_number, list(participants), k)

    def post_scores(self, round_number: int, result: Result, *, salt: bytes = NO_HASH) -> Receipt:
        """Post the result for all that revealed, against a bond; the requester opens its calibration with it."""
        return self._contract.send("postScores", round_number, *result.as_arguments(), salt)

    def challenge(self, round_number: int) -> Receipt:
        """Dispute a posting, against a bond."""
        return self._contract.send("challenge", round_number)

    def publish_report(
        self, round_number: int, participant: str, content_digest: bytes, report: bytes, salt: bytes
    ) -> Receipt:
        """Put a revealed report on chain, for a challenged round or one that is settled on chain.

        content_digest, salt: as revealed, 32 bytes each
        """
        return self._contract.send("publishReport", round_number, participant, content_digest, report, salt)

    def reveal_calibration(self, round_number: int, calibration: bytes, salt: bytes) -> Receipt:
        """Open the calibration of a round that is settled on chain, as the requester."""
        return self._contract.send("revealCalibration", round_number, calibration, salt)

    def compute_scores(self, round_number: int, posted: Result, *, work: int = ALL_AT_ONCE) -> list[Receipt]:
        """Let the contract compute a round's scores from the published reports, step by step, and pay.

        posted: the posting, for a challenged round; for a round settled on chain the participants and the
        calibration alone; work: labels a transaction
        returns: one receipt a transaction
        """
        receipts: list[Receipt] = []
        progress = self.progress(round_number)
        while True:
            receipts.append(self._contract.send("computeScores", round_number, *posted.as_arguments(), progress, work))
            steps = [a["progress"] for name, a in self.events_of(receipts[-1]) if name == "ScoringProgressed"]
            if not steps:
                return receipts
            progress = steps[-1]

    def progress(self, round_number: int) -> bytes:
        """Return how far a round's computation on chain has come: the last step's progress, empty before the first."""
        if self.round(round_number).progress == NO_HASH:
            return b""
        steps = [a["progress"] for name, a in self.events() if name == "ScoringProgressed" and a["round"] == round_number]
        return bytes(steps[-1])

    def distribute_rewards(self, round_number: int, posted: Result) -> Receipt:
        """Pay a posted round whose challenge window is over."""
        return self._contract.send("distributeRewards", round_number, *posted.as_arguments())

    def record_reputation(self, round_number: int, paid: Result, *, count: int) -> Receipt:
        """Enter the next `count` participants of a paid round in the registry of reputations."""
        return self._contract.send("recordReputation", round_number, *paid.as_arguments()[:3], count)

    def void_round(self, round_number: int) -> Receipt:
        """Give up a round that cannot be paid."""
        return self._contract.send("voidRound", round_number)

    # Views

    def settings(self) -> Settings:
        """Return the parameters fixed at deployment."""
        values: dict[str, Any] = dict(
            zip(Settings.__dataclass_fields__, self._contract.view("settings")[0], strict=True)
        )
        for name in ("token", "scorer", "schedule", "reputation", "admission", "randomness"):
            values[name] = to_checksum_address(values[name])
        return Settings(**values)

    @property
    def status(self) -> TaskStatus:
        """Where the task stands."""
        return TaskStatus(self._contract.view("status")[0])

    @property
    def requester(self) -> str:
        """Checksummed address of whoever deployed and funds the task."""
        return to_checksum_address(self._contract.view("requester")[0])

    @property
    def token(self) -> str:
        """Checksummed address of the token that pays."""
        return to_checksum_address(self._contract.view("token")[0])

    @property
    def pool(self) -> int:
        """Token units not yet in a round."""
        return int(self._contract.view("pool")[0])

    @property
    def round_number(self) -> int:
        """The newest round opened, from 1; 0 before the first."""
        return int(self._contract.view("round")[0])

    @property
    def active_members(self) -> int:
        """Members that have neither left nor been excluded."""
        return int(self._contract.view("activeMembers")[0])

    @property
    def final_rounds(self) -> int:
        """Rounds 1 … final_rounds are paid or void."""
        return int(self._contract.view("finalRounds")[0])

    def members(self) -> list[str]:
        """Return all that ever joined, in that order."""
        return [to_checksum_address(address) for address in self._contract.view("members")[0]]

    def member(self, participant: str) -> Member:
        """Return a participant's record."""
        return self.memberships([participant])[participant]

    def memberships(self, participants: Sequence[str]) -> dict[str, Member]:
        """Return participants' records by address; their position is 0 where they have left or never were."""
        found = self._contract.views("memberOf", [(one,) for one in participants])
        return {one: Member(*values[0]) for one, values in zip(participants, found, strict=True)}

    def round(self, number: int) -> Round:
        """Return a round's record."""
        values = list(self._contract.view("roundOf", number)[0])
        named: dict[str, Any] = dict(zip(Round.__dataclass_fields__, values, strict=True))
        named["status"] = RoundStatus(named["status"])
        for name in ("poster", "challenger"):
            named[name] = to_checksum_address(named[name])
        return Round(**named)

    def roles_of(self, round_number: int) -> dict[str, Role]:
        """Return who does what in a round, by address: of one that was opened, or of the next one if it were opened now.

        Raises ContractError, named TooFewForRoles, where the next round cannot be opened.
        """
        if round_number > self.round_number:
            order, workers, validators = self._contract.view("nextRoles")
        else:
            drawn = [a for name, a in self.events() if name == "RolesDrawn" and a["round"] == round_number]
            order, workers, validators = (drawn[-1][key] for key in ("order", "workers", "validators"))
        return roles_in_order([to_checksum_address(address) for address in order], workers, validators)

    def submissions(self) -> list[Submission]:
        """Return what members have said of the newest round so far."""
        return [
            Submission(to_checksum_address(who), tuple(to_checksum_address(one) for one in subjects), tuple(scores))
            for who, subjects, scores in self._contract.view("getSubmissions")[0]
        ]

    def seal_of(self, round_number: int) -> bytes:
        """Return the hash that a round is sealed with, 32 bytes; `NO_HASH` for none."""
        return self.round(round_number).aggregate

    def has_revealed(self, round_number: int, participant: str) -> bool:
        """Return whether a participant has opened its commitment in a round, the last that it committed in."""
        return bool(self._contract.view("hasRevealed", round_number, participant)[0])

    def seed(self, round_number: int) -> bytes:
        """Return what a round's random draws begin with, 32 bytes; final once the round's reveals are over.

        Raises ContractError, named WordMissing, while the task's source of randomness has no word for the round.
        """
        return bytes(self._contract.view("seedOf", round_number)[0])

    def balance(self, owner: str) -> int:
        """Return what an owner can withdraw, token units."""
        return int(self._contract.view("balances", owner)[0])

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all events of the task, in order: name and arguments."""
        return [(name, arguments) for _, name, arguments in self._history()]

    def opening_blocks(self) -> dict[int, int]:
        """Return the block in which each round was opened, by round."""
        return {a["round"]: block for block, name, a in self._history() if name == "RoundOpened"}

    def _history(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        for event, name, arguments in self._contract.decoded(self.chain.events(self.address, from_block=self.from_block)):
            yield event.block, *_checksummed(name, arguments)

    def events_of(self, receipt: Receipt) -> list[tuple[str, dict[str, Any]]]:
        """Return the task's events of one transaction."""
        own = (event for event in receipt.events if event.address == self.address)
        return [_checksummed(name, arguments) for _, name, arguments in self._contract.decoded(own)]

    def digest(self) -> str:
        """Return one hash over all events of the task, in order: equal histories have equal digests."""
        value = keccak256(bytes.fromhex(self.address[2:]))
        for event in self.chain.events(self.address, from_block=self.from_block):
            value = keccak256(value + b"".join(event.topics) + event.data)
        return "0x" + value.hex()


def roles_in_order(order: Sequence[str], workers: int, validators: int) -> dict[str, Role]:
    """Return roles by address, where the first are the workers, then the validators come, then the miners."""
    kinds = [Role.WORKER] * workers + [Role.VALIDATOR] * validators
    kinds += [Role.MINER] * (len(order) - len(kinds))
    return dict(zip(order, kinds, strict=True))


def _tail(request: ScoreRequest | SealRequest) -> bytes:
    """Return what follows the round in the signed struct, encoded."""
    if isinstance(request, SealRequest):
        return request.aggregate
    subjects = b"".join(bytes(12) + bytes.fromhex(subject[2:]) for subject in request.subjects)
    return keccak256(subjects) + keccak256(b"".join(score.to_bytes(32, "big") for score in request.scores))


def _checksummed(name: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    for key, value in arguments.items():
        if isinstance(value, str) and value.startswith("0x") and len(value) == 42:
            arguments[key] = to_checksum_address(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], str):
            arguments[key] = tuple(to_checksum_address(item) for item in value)
    return name, arguments


def settings_tuple(settings: Settings) -> tuple[Any, ...]:
    """Return the contract's struct, whose fields stand in the same order."""
    return astuple(settings)
