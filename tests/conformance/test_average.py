"""Averages in disputes: vectors that nobody has, claims by parts, what is refused."""

from typing import Any

import numpy as np
import pytest

from flwr_chainfl.crypto import VectorTree, Wallet
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Average, Ledger, Result, RoundStatus, VectorSet
from flwr_chainfl.packed_vector import pack
from flwr_chainfl.scoring import Alignment, Facts, VectorReport
from flwr_chainfl.serverapp.averaging import claimed_parts
from tests.federation import BOND, SAMPLES, Federation, approve, guest, pass_deadline

PARTICIPANTS = 3


class Dispute:
    """A task whose only round was posted, and challenged by somebody; each participant has a vector of 5 units."""

    def __init__(self, ledger: Ledger, *, withheld: int | None = None) -> None:
        self.ledger = ledger
        self.scorer = Alignment(parameters=75, unit=32, window=1000)
        self.federation = Federation(ledger, scorer=self.scorer, participants=PARTICIPANTS, slash_floor=10**19).run(rounds=1)
        self.task = self.federation.task
        self.average = Average(ledger.chain, self.federation.settings.scorer)
        rng = np.random.default_rng(5)
        common = rng.integers(-9000, 9000, 75)
        vectors = [common + rng.integers(-4000, 4000, 75) for _ in range(PARTICIPANTS)]
        self.trees = [VectorTree(pack(vector, bits=16), 32) for vector in vectors]
        self.reports = {
            address: VectorReport(10 + i, 0.5, self.trees[i].root).pack()
            for i, address in enumerate(self.federation.addresses)
        }
        for i, tree in enumerate(self.trees):
            if i != withheld:
                self.scorer.learn(tree.root, tree.data)
        self.federation.commit(1, self.reports)
        self.federation.reveal(1, self.reports)
        self.set = VectorSet(
            seed=self.task.seed(1), reports=list(self.reports.values()), declared=[SAMPLES] * PARTICIPANTS
        )
        self.true = self.scorer.score(self.set.reports, Facts(samples=self.set.declared))

    def post(self, scores: list[int]) -> None:
        self.posted = Result(
            participants=tuple(self.reports), scores=tuple(scores), qualities=tuple(self.true.qualities)
        )
        self.task.post_scores(1, self.posted)
        self.challenger = guest(self.ledger, Wallet.derived(7, "challenger"))
        self.ledger.mint(self.federation.token, [self.challenger.chain.wallet.address], BOND)
        approve(self.challenger, self.federation.token, self.task.address, BOND)
        self.challenger.task(self.task.address).challenge(1)
        self.federation.publish(1, self.reports)

    def as_challenger(self) -> Average:
        return Average(self.challenger.chain, self.average.address)

    def parts(self) -> list[tuple[Any, ...]]:
        return claimed_parts(self.trees, [10, 11, 12], bits=16, span=2)

    def scores_paid(self) -> list[int]:
        assert self.task.round(1).status == RoundStatus.PAID
        return [a["score"] for name, a in self.task.events() if name == "Receipt"]


def test_one_wrong_part_of_a_claim_is_refuted_by_that_part_alone(ledger: Ledger) -> None:
    dispute = Dispute(ledger)
    dispute.post([score + 1 for score in dispute.true.scores])
    parts = dispute.parts()
    digest, norm, sums = parts[1]
    lie = [parts[0], (digest, norm, [bytes(15) + b"\x99" + sums[0][16:], *sums[1:]]), parts[2]]
    dispute.average.claim(dispute.task.address, 1, dispute.set, 2, lie)
    other = dispute.as_challenger()
    with pytest.raises(ContractError, match="PartIsRight"):
        other.refute(dispute.set, 2, lie, 0, dispute.trees)
    with pytest.raises(ContractError, match="ClaimStands"):
        other.claim(dispute.task.address, 1, dispute.set, 2, parts)
    other.refute(dispute.set, 2, lie, 1, dispute.trees)
    with pytest.raises(ContractError, match="AlreadyClaimed"):
        dispute.average.claim(dispute.task.address, 1, dispute.set, 2, lie)
    other.claim(dispute.task.address, 1, dispute.set, 2, parts)
    with pytest.raises(ContractError, match="WindowOpen"):
        other.settle_claim(dispute.set, 2, parts)
    pass_deadline(ledger, other.claim_of(other.key(dispute.set))[1])
    other.settle_claim(dispute.set, 2, parts)
    dispute.task.compute_scores(1, dispute.posted)
    assert dispute.scores_paid() == dispute.true.scores
    assert dispute.task.balance(dispute.challenger.chain.wallet.address) == 2 * BOND


def test_a_vector_that_nobody_brings_in_has_no_part_and_holds_nobody_up(ledger: Ledger) -> None:
    dispute = Dispute(ledger, withheld=1)
    dispute.post(dispute.true.scores)
    known = {tree.root: tree for i, tree in enumerate(dispute.trees) if i != 1}
    with pytest.raises(ContractError, match="NotComputed"):
        dispute.task.compute_scores(1, dispute.posted)
    dispute.average.demand(dispute.set, 0)
    dispute.average.supply(dispute.set, 0, dispute.trees[0], most=64)
    dispute.average.demand(dispute.set, 1)
    with pytest.raises(ContractError, match="AlreadyDemanded"):
        dispute.average.demand(dispute.set, 1)
    pass_deadline(ledger, ledger.chain.now() + 1000)
    with pytest.raises(ContractError, match="WindowOver"):
        dispute.average.supply(dispute.set, 1, dispute.trees[1])
    dispute.average.compute(dispute.set, known)
    dispute.task.compute_scores(1, dispute.posted)
    assert dispute.scores_paid() == dispute.true.scores
    assert dispute.true.scores[1] == 0 < dispute.true.scores[0]
    assert dispute.task.balance(dispute.federation.requester) == 2 * BOND


def test_units_that_are_missing_twice_out_of_order_or_of_another_vector_are_refused(ledger: Ledger) -> None:
    dispute = Dispute(ledger)
    average, trees = dispute.average, dispute.trees

    def bring(state: Any, run: bytes, first: int, span: int, parts: list[bytes], proofs_of: list[VectorTree]) -> Any:
        proofs = [sibling for tree in proofs_of for sibling in tree.proof(first, span)]
        return average._contract.send("accumulate", state, run, first, span, b"".join(parts), proofs)

    run, state = average._state_of(average._contract.send("begin", dispute.set.as_tuple(), True))
    whole = [tree.part(0, 2) for tree in trees]
    for first, span, parts, name in (
        (2, 2, [tree.part(2, 2) for tree in trees], "UnitOutOfOrder"),
        (0, 3, whole, "SpanOutOfRange"),
        (0, 2, whole[:2], "WrongDataLength"),
        (0, 2, [*whole[:2], bytes(64)], "RootMismatch"),
    ):
        with pytest.raises(ContractError, match=name):
            bring(state, run, first, span, parts, trees if span != 3 else [])
    after = average._state_of(bring(state, run, 0, 2, whole, trees))[1]
    with pytest.raises(ContractError, match="StateMismatch"):
        bring(state, run, 0, 2, whole, trees)
    with pytest.raises(ContractError, match="UnitOutOfOrder"):
        bring(after, run, 0, 2, whole, trees)
    with pytest.raises(ContractError, match="AlreadyBegun"):
        average._contract.send("begin", dispute.set.as_tuple(), True)
    with pytest.raises(ContractError, match="NotComputed"):
        average.aggregate(average.key(dispute.set))
    stranger = VectorSet(seed=dispute.set.seed, reports=[b"x", VectorReport(SAMPLES + 1, 0.5, bytes(32)).pack()], declared=[SAMPLES] * 2)
    with pytest.raises(ContractError, match="NobodyToAverage"):
        average._contract.send("begin", stranger.as_tuple(), True)
    average.compute(dispute.set, {tree.root: tree for tree in trees})
    with pytest.raises(ContractError, match="AlreadyComputed"):
        average._contract.send("begin", dispute.set.as_tuple(), False)


def test_a_part_that_is_longer_than_the_vectors_cannot_be_claimed_since_nobody_could_refute_it(ledger: Ledger) -> None:
    dispute = Dispute(ledger)
    dispute.post(dispute.true.scores)
    whole = claimed_parts(dispute.trees, [10, 11, 12], bits=16, span=8)
    for span in (0, 3, 16):
        with pytest.raises(ContractError, match=f"SpanOutOfRange.*span {span}, maximum 8"):
            dispute.as_challenger().claim(dispute.task.address, 1, dispute.set, span, whole)
    dispute.as_challenger().claim(dispute.task.address, 1, dispute.set, 8, whole)


def test_only_who_has_a_bond_at_stake_claims_and_only_in_a_dispute(ledger: Ledger) -> None:
    dispute = Dispute(ledger)
    with pytest.raises(ContractError, match="NotInDispute"):
        dispute.average.claim(dispute.task.address, 1, dispute.set, 2, dispute.parts())
    dispute.post(dispute.true.scores)
    outsider = Average(guest(ledger, Wallet.derived(7, "outsider")).chain, dispute.average.address)
    with pytest.raises(ContractError, match="NotDisputant"):
        outsider.claim(dispute.task.address, 1, dispute.set, 2, dispute.parts())
    with pytest.raises(ContractError, match="NoClaim"):
        outsider.settle_claim(dispute.set, 2, dispute.parts())
