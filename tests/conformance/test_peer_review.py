"""Collateral and peer review through the contract: what a published implementation got wrong, each as a test."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flwr_chainfl.crypto import TypedData
from flwr_chainfl.errors import ContractError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Ledger, Result, ScoreRequest, TaskStatus
from flwr_chainfl.rewards import PayFacts, TopK
from flwr_chainfl.scoring import Facts, PeerReviewScore, marks_of
from tests.federation import POOL, SAMPLES, STAKE, Federation, guest, pass_deadline

SLASH = STAKE // 10
WORKERS = 5
REPORT = SAMPLES.to_bytes(8, "big")


def _refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ContractError) as refusal:
        call()
    return refusal.value.name


class Reviews(Federation):
    """Five workers with a deposit each, of whom the last sent a bad model; the contract settles."""

    def __init__(self, ledger: Ledger, **changes: Any) -> None:
        super().__init__(
            ledger, participants=WORKERS, scorer=PeerReviewScore(),
            **{"schedule": ledger.deploy("TopK", (3,)), "slash_per_score": SLASH, "assess_seconds": 1000, "onchain": True,
               "late_join": True, **changes},
        )  # fmt: skip

    def marks(self) -> dict[str, dict[str, int]]:
        """Return honest marks: nearly 0.9 for the good models, 0.1 for the last one's."""
        worth = {address: 9 * WAD // 10 + rank for rank, address in enumerate(self.addresses)} | {self.addresses[-1]: WAD // 10}
        return {one: {other: worth[other] for other in self.addresses if other != one} for one in self.addresses}

    def contribute(self, round_number: int) -> None:
        """Let everybody commit and reveal."""
        reports = dict.fromkeys(self.addresses, REPORT)
        self.commit(round_number, reports)
        self.reveal(round_number, reports)

    def score_request(self, number: int, round_number: int, given: Mapping[str, int]) -> ScoreRequest:
        """Return a worker's signed marks."""
        wallet = self.wallets[number]
        statement = {"participant": wallet.address, "round": round_number, "subjects": list(given), "scores": list(given.values())}
        return ScoreRequest(
            participant=wallet.address, subjects=tuple(given), scores=tuple(given.values()),
            signature=wallet.sign(TypedData(domain=self.task.domain, primary="Score", message=statement)),
        )  # fmt: skip

    def review(self, round_number: int, marks: Mapping[str, Mapping[str, int]]) -> None:
        """Bring marks."""
        self.task.submit_score_for(
            round_number, [self.score_request(self.addresses.index(one), round_number, marks[one]) for one in marks]
        )

    def compute(self, round_number: int) -> None:
        """Publish the reports, and let the contract compute and pay."""
        self.publish(round_number, dict.fromkeys(self.addresses, REPORT))
        self.task.compute_scores(round_number, Result(participants=tuple(self.addresses), scores=(), qualities=()))

    def right(self, marks: Mapping[str, Mapping[str, int]], budget: int) -> list[int]:
        """Return what each worker's balance has to be."""
        facts = Facts(samples=[SAMPLES] * WORKERS, marks=marks_of(self.addresses, marks, reference=self.task.address))
        scores = PeerReviewScore().score([REPORT] * WORKERS, facts).scores
        slashes = SLASH * sum(score < 0 for score in scores)
        return TopK(k=3).split(budget, slashes, scores, PayFacts())


def test_the_contract_ranks_pays_and_slashes_by_the_submitted_marks_alone(ledger: Ledger) -> None:
    reviews = Reviews(ledger).run()
    reviews.contribute(1)
    marks = reviews.marks()
    reviews.review(1, marks)
    found = {s.participant: dict(zip(s.subjects, s.scores, strict=True)) for s in reviews.task.submissions()}
    assert found == marks
    forged = Result(participants=tuple(reviews.addresses), scores=(0, 0, 0, 0, WAD), qualities=(WAD,) * WORKERS)
    assert _refusal(lambda: reviews.task.compute_scores(1, forged)) == "LengthMismatch"  # there is no place for a caller's ranks
    reviews.compute(1)
    balances = [reviews.task.balance(address) for address in reviews.addresses]
    assert balances == reviews.right(marks, POOL // 2)
    assert balances[-1] == 0 < SLASH == STAKE - reviews.task.member(reviews.addresses[-1]).stake
    assert sum(balances) == POOL // 2 + SLASH  # the honest share the deposit of who was not, the requester pays nothing for it
    assert reviews.conservation().dust == 0


def test_the_top_k_are_the_contracts_own_finding_and_pay_as_it_computes(ledger: Ledger) -> None:
    reviews = Reviews(ledger).run()
    reviews.contribute(1)
    marks = reviews.marks()
    reviews.review(1, marks)
    reviews.publish(1, dict.fromkeys(reviews.addresses, REPORT))
    anybody = guest(ledger, reviews.wallets[-1]).task(reviews.task.address)
    receipt = anybody.submit_round_top_k(1, reviews.addresses, 3)
    events = dict(anybody.events_of(receipt))
    facts = Facts(samples=[SAMPLES] * WORKERS, marks=marks_of(reviews.addresses, marks, reference=reviews.task.address))
    scored = PeerReviewScore().score([REPORT] * WORKERS, facts)
    best = sorted(range(WORKERS), key=lambda i: (-scored.scores[i], i))[:3]
    assert list(events["RoundTopK"]["participants"]) == [reviews.addresses[i] for i in best]
    result = Result(participants=tuple(reviews.addresses), scores=tuple(scored.scores), qualities=tuple(scored.qualities))
    anybody.distribute_rewards(1, result)
    assert [reviews.task.balance(address) for address in reviews.addresses] == reviews.right(marks, POOL // 2)


def test_rewards_are_distributed_once(ledger: Ledger) -> None:
    reviews = Reviews(ledger).run()
    reviews.contribute(1)
    reviews.review(1, reviews.marks())
    reviews.compute(1)
    assert _refusal(lambda: reviews.compute(1)) in ("WrongRoundStatus", "WrongRound")
    result = Result(participants=tuple(reviews.addresses), scores=(WAD,) * WORKERS, qualities=(WAD,) * WORKERS)
    assert _refusal(lambda: reviews.task.distribute_rewards(1, result)) == "WrongRoundStatus"


def test_who_did_not_review_loses_its_deposit_bit_by_bit_at_anybodys_call(ledger: Ledger) -> None:
    reviews = Reviews(ledger).run()
    reviews.contribute(1)
    marks = reviews.marks()
    del marks[reviews.addresses[0]]
    reviews.review(1, marks)
    reviews.publish(1, dict.fromkeys(reviews.addresses, REPORT))
    listed = Result(participants=tuple(reviews.addresses), scores=(), qualities=())
    assert _refusal(lambda: reviews.task.compute_scores(1, listed)) == "AssessPhaseOpen"
    reviews.pass_deadline(1, "reveal")
    other = guest(ledger, reviews.wallets[1]).task(reviews.task.address)
    pass_deadline(ledger, reviews.task.round(1).reveal_deadline + 1000)
    other.compute_scores(1, listed)
    assert reviews.task.member(reviews.addresses[0]).stake == STAKE - SLASH
    assert reviews.task.balance(reviews.addresses[0]) == 0


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda r, given: {r.addresses[0]: WAD, **given}, "OwnSubject"),
        (lambda r, given: dict(sorted(given.items(), key=lambda item: -int(item[0], 16))), "SubjectsNotAscending"),
        (lambda r, given: {r.addresses[1]: WAD + 1}, "MarkOutOfBounds"),
        (lambda r, given: {r.requester: WAD}, "UnknownSubject"),
    ],
    ids=["oneself", "order", "above 1", "a stranger"],
)
def test_marks_are_of_other_workers_of_this_round_and_within_bounds(ledger: Ledger, change: Any, name: str) -> None:
    reviews = Reviews(ledger).run()
    reviews.contribute(1)
    given = change(reviews, reviews.marks()[reviews.addresses[0]])
    assert _refusal(lambda: reviews.task.submit_score_for(1, [reviews.score_request(0, 1, given)])) == name


def test_marks_are_given_once_a_round(ledger: Ledger) -> None:
    reviews = Reviews(ledger).run()
    reviews.contribute(1)
    marks = reviews.marks()
    reviews.review(1, marks)
    changed = {**marks[reviews.addresses[0]], reviews.addresses[1]: 0}
    own = guest(ledger, reviews.wallets[0]).task(reviews.task.address)
    assert _refusal(lambda: own.submit_score(1, list(changed), list(changed.values()))) == "AlreadyAssessed"


def test_workers_leave_with_what_is_left_of_their_deposit_and_the_task_completes(ledger: Ledger) -> None:
    reviews = Reviews(ledger).run(rounds=1)
    reviews.contribute(1)
    reviews.review(1, reviews.marks())
    leaver = guest(ledger, reviews.wallets[-1]).task(reviews.task.address)
    assert _refusal(leaver.leave) == "RoundNotFinal"
    reviews.compute(1)
    leaver.leave()
    assert reviews.task.balance(reviews.addresses[-1]) == STAKE - SLASH
    reviews.task.complete()
    assert reviews.task.status == TaskStatus.COMPLETED
    reviews.task.withdraw([*reviews.addresses, reviews.requester])
    conserved = reviews.conservation()
    assert (conserved.locked, conserved.dust) == (0, 0)
    assert sum(reviews.tokens(reviews.addresses)) == WORKERS * STAKE + POOL
