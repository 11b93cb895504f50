"""Brings a round's vectors to the contract that averages and scores them, when it is to compute the scores."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from flwr_chainfl.crypto import VectorTree, keccak256
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Average, Receipt, RoundStatus, Task, VectorSet
from flwr_chainfl.ledger.average import TRANSACTION_BYTES
from flwr_chainfl.packed_vector import UNIT, dot, pack, unpack, weighted_average
from flwr_chainfl.rewards import split
from flwr_chainfl.scoring import Alignment, VectorReport

log = logging.getLogger("flwr")

_WORTH_CLAIMING = 4  # transactions that a computation takes from which on its parts are claimed instead


class Averaging:
    """The vectors of the rounds that are not settled yet, and the contract that they are for.

    kept: whether the average is kept as contract code
    """

    def __init__(self, average: Average, task: Task, scorer: Alignment, *, kept: bool) -> None:
        self.average = average
        self._task = task
        self._scorer = scorer
        self._kept = kept
        self._trees: dict[bytes, VectorTree] = {}

    def keep(self, evidence: Sequence[bytes]) -> None:
        """Keep packed vectors for the case that they have to go on chain."""
        for data in evidence:
            tree = VectorTree(data, self._scorer.unit)
            self._trees[tree.root] = tree

    def vectors(self, round_number: int, participants: Sequence[str], reports: dict[str, bytes]) -> VectorSet:
        """Return a round's set, in the task's own order."""
        return VectorSet(
            seed=self._task.seed(round_number),
            reports=[reports.get(one, b"") for one in participants],
            declared=[member.samples for member in self._task.memberships(participants).values()],
        )

    def compute(
        self, round_number: int, participants: Sequence[str], reports: dict[str, bytes],
        count: Callable[[str, Receipt], Any],
    ) -> None:
        """Let the contract have a round's sums: computed in full, or in a dispute over many parameters claimed by parts.

        participants: ascending by address; reports: of those that revealed; count: is told of every transaction
        """
        vectors = self.vectors(round_number, participants, reports)
        key = self.average.key(vectors)
        if self.average.is_computed(key):
            return
        places = self._places(vectors)
        missing = [place for place in places if vectors.reports[place][16:] not in self._trees]
        if missing:
            self._demand(vectors, missing, count)
            places = [place for place in places if place not in missing]
        if not places:
            return
        size = self._scorer.length * len(places)
        disputed = self._task.round(round_number).status == RoundStatus.CHALLENGED
        if disputed:
            self._answer(vectors, places, count)
        if disputed and size > _WORTH_CLAIMING * TRANSACTION_BYTES and not self.average.is_computed(key):
            self._claim(round_number, vectors, places, count)
        for receipt in self.average.compute(vectors, self._trees, kept=self._kept):
            count("average", receipt)

    def _places(self, vectors: VectorSet) -> list[int]:
        """Return which reports have a part."""
        samples = []
        for report, declared in zip(vectors.reports, vectors.declared, strict=True):
            read = VectorReport.unpack(report) if len(report) == 48 else None
            samples.append(read.samples if read is not None and read.samples <= declared else 0)
        return [place for place, weight in enumerate(split(UNIT, samples)) if weight]

    def _demand(self, vectors: VectorSet, places: Sequence[int], count: Callable[[str, Receipt], Any]) -> None:
        """Ask for vectors that only their authors can have, and wait until they are out of the set."""
        for place in places:
            try:
                count("demand", self.average.demand(vectors, place))
            except ContractError as error:
                if error.name != "AlreadyDemanded":
                    raise
        self.average.chain.advance_past(self.average.chain.now() + self._scorer.window)

    def _answer(self, vectors: VectorSet, places: Sequence[int], count: Callable[[str, Receipt], Any]) -> None:
        """Look through the claim that stands, if any: refute it by a part that is wrong, or make it the result in time."""
        key = self.average.key(vectors)
        claim = self.average.standing_claim(key)
        if claim is None:
            return
        try:
            mine = self._parts(vectors, places, claim.span)
            wrong = [index for index, (one, true) in enumerate(zip(claim.parts, mine, strict=True)) if one != true]
            if wrong:
                log.warning("Part %d of the average that %s claims is wrong; refuting it", wrong[0], claim.claimant)
                trees = [self._trees[vectors.reports[place][16:]] for place in places]
                count("refute", self.average.refute(vectors, claim.span, claim.parts, wrong[0], trees))
                return
            self.average.chain.advance_past(claim.deadline)
            count("settleClaim", self.average.settle_claim(vectors, claim.span, claim.parts))
        except ContractError as error:
            if error.name == "ClaimMismatch":  # a vector that it rests on was demanded since, and is out of the set
                count("dropClaim", self.average.drop_claim(vectors))
            elif error.name not in ("NoClaim", "AlreadyComputed", "WindowOver"):  # somebody else was faster, or it is too late
                raise

    def _claim(
        self, round_number: int, vectors: VectorSet, places: Sequence[int], count: Callable[[str, Receipt], Any]
    ) -> None:
        """Claim the parts, and make them the result when nobody has refuted them.

        What is refuted, or was claimed before, is left to be computed in full: an account claims once a round.
        """
        span = 1
        while 2 * span * self._scorer.unit * len(places) <= TRANSACTION_BYTES and span < self._units:
            span *= 2
        parts = self._parts(vectors, places, span)
        try:
            count("claim", self.average.claim(self._task.address, round_number, vectors, span, parts))
            log.info("\t└──> The parts of round %d's average are claimed; waiting for who refutes one", round_number)
            _, deadline = self.average.claim_of(self.average.key(vectors))
            self.average.chain.advance_past(deadline)
            count("settleClaim", self.average.settle_claim(vectors, span, parts))
        except ContractError as error:
            if error.name not in ("AlreadyClaimed", "ClaimStands", "NoClaim", "AlreadyComputed"):
                raise
            log.warning("Round %d's average is computed in full: %s", round_number, error)

    @property
    def _units(self) -> int:
        return -(-self._scorer.length // self._scorer.unit)

    def _parts(self, vectors: VectorSet, places: Sequence[int], span: int) -> list[tuple[Any, ...]]:
        """Return what each part of the vectors adds to their sums."""
        trees = [self._trees[vectors.reports[place][16:]] for place in places]
        samples = [VectorReport.unpack(vectors.reports[place]).samples for place in places]
        return claimed_parts(trees, samples, bits=self._scorer.bits, span=span)


def claimed_parts(trees: Sequence[VectorTree], samples: Sequence[int], *, bits: int, span: int) -> list[tuple[Any, ...]]:
    """Return what each part of some vectors adds to their sums, as the contract takes it.

    trees: of those that have a part; samples: of each; span: units of a part
    returns: keccak256 of the part of the average, its sum of squares, and 32 bytes a vector: dot product, sum of squares
    """
    weights = split(UNIT, samples)
    parts = []
    for first in range(0, trees[0].units, span):
        data = [tree.part(first, span) for tree in trees]
        vectors = [unpack(part, parameters=8 * len(part) // bits, bits=bits) for part in data]
        average = weighted_average(vectors, weights)
        sums = [
            dot(vector, average).to_bytes(16, "big", signed=True) + dot(vector, vector).to_bytes(16, "big")
            for vector in vectors
        ]
        parts.append((keccak256(pack(average, bits=bits)), dot(average, average), sums))
    return parts
