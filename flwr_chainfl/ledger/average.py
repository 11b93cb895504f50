"""The typed client of an AlignmentScorer: brings vectors to the chain, and reads what they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from flwr_chainfl.crypto import VectorTree, keccak256
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger.chain import Chain, Receipt
from flwr_chainfl.ledger.contract import Contract

TRANSACTION_BYTES = 120 * 1024
"""Bytes of vectors in one transaction: nodes do not pass on transactions above 128 KiB."""

State = tuple[Any, ...]

_REMEDIES = {
    "NotComputed": "bring the vectors in first: begin, accumulate",
    "NotKept": "begin the average with kept=True, or read it from the events",
    "StateMismatch": "go on from the last AverageProgressed event",
    "UnitOutOfOrder": "bring in each unit once, in order",
    "RootMismatch": "bring in the vector that was committed to, with the proof of these units",
    "WrongDataLength": "bring in as many bytes as the vectors' units have",
    "WindowOver": "it is too late",
    "WindowOpen": "try again after the deadline",
    "NotDisputant": "only who posted or challenged the round's scores can claim",
    "ClaimStands": "refute it, or wait for its deadline",
}


@dataclass(frozen=True, kw_only=True)
class VectorSet:
    """What is averaged.

    seed: of the round, 32 bytes; reports: participants ascending by address; declared: samples of each at joining
    """

    seed: bytes
    reports: Sequence[bytes]
    declared: Sequence[int]

    def as_tuple(self) -> tuple[bytes, list[bytes], list[int]]:
        """Return the contract's struct."""
        return (self.seed, list(self.reports), list(self.declared))


@dataclass(frozen=True)
class OnChainSums:
    """What the contract has summed up; as `scoring.Sums`, with the hash chain of the average in place of its lanes."""

    norm: int
    chain: bytes
    places: list[int]
    weights: list[int]
    dots: list[int]
    norms: list[int]


@dataclass(frozen=True)
class Claim:
    """What somebody says that the parts of a set's vectors add to its sums.

    deadline: seconds since 1970, until which it can be refuted; span: units of a part; parts: as `Average.claim` takes them
    """

    claimant: str
    deadline: int
    span: int
    parts: list[tuple[Any, ...]]


class Average:
    """An AlignmentScorer contract at an address."""

    def __init__(self, chain: Chain, address: str, *, from_block: int = 0) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)
        self._from_block = from_block
        self._contract = Contract(chain, self.address, "AlignmentScorer", remedies=_REMEDIES)
        self.unit = int(self._contract.view("unit")[0])
        self._units = self._count_units()

    def key(self, vectors: VectorSet) -> bytes:
        """Return what stands for a set of reports, 32 bytes."""
        return bytes(self._contract.view("keyOf", vectors.as_tuple())[0])

    def is_computed(self, key: bytes) -> bool:
        """Say whether a set's average is there."""
        return bool(self._contract.view("isComputed", key)[0])

    def aggregate(self, key: bytes) -> bytes:
        """Return the average of a set, packed, where it was kept."""
        return bytes(self._contract.view("aggregate", key)[0])

    def sums(self, key: bytes) -> OnChainSums:
        """Return what a set's vectors add up to."""
        norm, chain, places, weights, dots, norms = self._contract.view("sumsOf", key)
        return OnChainSums(
            norm, bytes(chain), [int.from_bytes(places[i : i + 2], "big") for i in range(0, len(places), 2)],
            list(weights), list(dots), list(norms),
        )

    def compute(
        self, vectors: VectorSet, trees: Mapping[bytes, VectorTree], *, kept: bool = True, most: int = TRANSACTION_BYTES
    ) -> list[Receipt]:
        """Average a set, in as many transactions as it takes; goes on where somebody has begun.

        trees: of the vectors, by root; kept: whether the average is kept as contract code, for `aggregate`;
        most: bytes of vectors in a transaction
        """
        receipts: list[Receipt] = []
        key = self.key(vectors)
        if self.is_computed(key):
            return receipts
        begun = self._begun(key, kept)
        if begun is None:
            receipts.append(self._contract.send("begin", vectors.as_tuple(), kept))
            begun = self._state_of(receipts[-1])
        run, state = begun
        while True:
            units, roots = state[1], state[6]
            span = 1
            while units % (2 * span) == 0 and span < self._units and 2 * span * self.unit * len(roots) <= most:
                span *= 2
            data = b"".join(trees[root].part(units, span) for root in roots)
            proofs = [sibling for root in roots for sibling in trees[root].proof(units, span)]
            receipts.append(self._contract.send("accumulate", state, run, units, span, data, proofs))
            run, state = self._state_of(receipts[-1])
            if state[1] == self._units:
                return receipts

    # Vectors that nobody seems to have

    def demand(self, vectors: VectorSet, index: int) -> Receipt:
        """Ask for a vector; unless it is brought in within the window, it has no part."""
        return self._contract.send("demand", vectors.as_tuple(), index)

    def supply(self, vectors: VectorSet, index: int, tree: VectorTree, *, most: int = TRANSACTION_BYTES) -> list[Receipt]:
        """Bring in a vector that was demanded."""
        span = 1
        while span < tree.units and 2 * span * self.unit <= most:
            span *= 2
        return [
            self._contract.send("supply", vectors.as_tuple(), index, first, span, tree.part(first, span), tree.proof(first, span))
            for first in range(0, tree.units, span)
        ]

    # Disputes

    def claim(self, task: str, round_number: int, vectors: VectorSet, span: int, parts: Sequence[tuple[Any, ...]]) -> Receipt:
        """Claim what each part of a challenged round's vectors adds to the sums, as its poster or challenger.

        span: units of a part; parts: keccak256 of the part of the average, its sum of squares, and of each participant
        32 bytes: dot product and sum of squares, 16 each (`claimed_parts`)
        """
        return self._contract.send("claim", task, round_number, vectors.as_tuple(), span, list(parts))

    def refute(
        self, vectors: VectorSet, span: int, parts: Sequence[tuple[Any, ...]], index: int, trees: Sequence[VectorTree]
    ) -> Receipt:
        """Show that a part of a claim is wrong; trees: of those that have a part, in their order."""
        data = b"".join(tree.part(index * span, span) for tree in trees)
        proofs = [sibling for tree in trees for sibling in tree.proof(index * span, span)]
        return self._contract.send("refute", vectors.as_tuple(), span, list(parts), index, data, proofs)

    def settle_claim(self, vectors: VectorSet, span: int, parts: Sequence[tuple[Any, ...]]) -> Receipt:
        """Make a claim that nobody refuted in its window the result."""
        return self._contract.send("settleClaim", vectors.as_tuple(), span, list(parts))

    def drop_claim(self, vectors: VectorSet) -> Receipt:
        """Take away a claim that rests on a vector which nobody brought in."""
        return self._contract.send("dropClaim", vectors.as_tuple())

    def claim_of(self, key: bytes) -> tuple[str, int]:
        """Return who claimed and until when that can be refuted; the zero address for nobody."""
        claimant, deadline, _ = self._contract.view("claimOf", key)
        return to_checksum_address(claimant), int(deadline)

    def standing_claim(self, key: bytes) -> Claim | None:
        """Return the claim that stands for a set, whole; None for none."""
        claimant, deadline, claimed = self._contract.view("claimOf", key)
        if int(claimant, 16) == 0:
            return None
        parts = [
            (bytes(aggregate), int(norm), [bytes(one) for one in sums])
            for aggregate, norm, sums in next(
                a["parts"] for name, a in reversed(self.events()) if name == "PartsClaimed" and a["key"] == key
            )
        ]
        # The contract takes powers of two, and keeps which one in the hash alone.
        span = next(
            span for span in (2**power for power in range(256))
            if keccak256(encode(["uint256", "(bytes32,uint256,bytes32[])[]"], [span, parts])) == bytes(claimed)
        )
        return Claim(to_checksum_address(claimant), int(deadline), span, parts)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all events of the contract, in order."""
        found = self._contract.decoded(self.chain.events(self.address, from_block=self._from_block))
        return [(name, arguments) for _, name, arguments in found]

    def _count_units(self) -> int:
        words = -(-int(self._contract.view("parameters")[0]) * int(self._contract.view("bits")[0]) // 256)
        return -(-32 * words // self.unit)

    def _begun(self, key: bytes, kept: bool) -> tuple[bytes, State] | None:
        """Return the last state of a set's average, None where nobody has begun it."""
        states = [
            (bytes(a["run"]), a["state"])
            for name, a in self.events()
            if name in ("AverageBegun", "AverageProgressed") and a["key"] == key and a["state"][4] == kept
        ]
        return states[-1] if states else None

    def _state_of(self, receipt: Receipt) -> tuple[bytes, State]:
        for _, name, a in self._contract.decoded(receipt.events):
            if name in ("AverageBegun", "AverageProgressed"):
                return bytes(a["run"]), a["state"]
        raise ContractError("the transaction left no state of the average")
