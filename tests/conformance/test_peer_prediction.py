"""Peer prediction settled by the contract, on each kind of ledger: what Python says is what is paid."""

import numpy as np
import pytest

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Ledger, Result, RoundStatus
from flwr_chainfl.rewards import split
from flwr_chainfl.scoring import CorrelatedAgreement, Facts, OutputAgreement, Scored, Scorer
from tests.federation import POOL, SAMPLES, STAKE, Federation

TASKS = 64
SCORERS = [
    CorrelatedAgreement(classes=3, tasks=TASKS, bonus_tasks=40, peers=2), OutputAgreement(classes=3, tasks=TASKS, peers=1)
]


def _reports(federation: Federation) -> dict[str, bytes]:
    """Return honest reports, then a constant, one of another length and one with a label that is no class."""
    generator = np.random.default_rng(4)
    truth = generator.integers(0, 3, TASKS)
    honest = [np.where(generator.random(TASKS) < 0.1, generator.integers(0, 3, TASKS), truth) for _ in range(4)]
    reports = [labels.astype(np.uint8).tobytes() for labels in honest]
    bad = [bytes([1]) * TASKS, bytes(TASKS - 1), bytes([3]) + bytes(TASKS - 1)]
    return dict(zip(federation.addresses, [*reports, *bad], strict=True))


def _scored(federation: Federation, scorer: Scorer, reports: dict[str, bytes]) -> Scored:
    seed = federation.task.seed(1)
    return scorer.score(list(reports.values()), Facts(samples=[SAMPLES] * len(reports), seed=seed))


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.contract)
def test_the_contract_pays_what_python_scores_with_the_round_s_seed(ledger: Ledger, scorer: Scorer) -> None:
    federation = Federation(ledger, participants=7, scorer=scorer, onchain=True, slash_per_score=0).run(rounds=1)
    reports = _reports(federation)
    federation.commit(1, reports)
    federation.reveal(1, reports)
    federation.publish(1, reports)
    listed = Result(participants=tuple(reports), scores=(), qualities=())
    receipts = federation.task.compute_scores(1, listed, work=150)
    assert len(receipts) > 3
    scored = _scored(federation, scorer, reports)
    paid = {a["participant"]: a for name, a in federation.task.events_of(receipts[-1]) if name == "Receipt"}
    assert [paid[p]["score"] for p in reports] == scored.scores
    assert [paid[p]["quality"] for p in reports] == scored.qualities
    assert scored.scores[5:] == [0, 0]
    assert [paid[p]["payout"] for p in reports] == split(POOL, [max(score, 0) for score in scored.scores])
    assert federation.conservation().dust == 0


def test_a_false_posting_loses_to_the_computation_with_the_round_s_seed(ledger: Ledger) -> None:
    scorer = SCORERS[0]
    federation = Federation(ledger, participants=7, scorer=scorer, slash_per_score=0).run(rounds=1)
    reports = _reports(federation)
    federation.commit(1, reports)
    federation.reveal(1, reports)
    true = _scored(federation, scorer, reports)
    other = scorer.score(list(reports.values()), Facts(samples=[SAMPLES] * 7, seed=bytes(32)))
    assert other != true  # what another seed would have given
    posted = Result(participants=tuple(reports), scores=tuple(other.scores), qualities=tuple(other.qualities))
    federation.task.post_scores(1, posted)
    federation.task.challenge(1)
    federation.publish(1, reports)
    receipt = federation.task.compute_scores(1, posted)[-1]
    resolved = dict(federation.task.events_of(receipt))["ChallengeResolved"]
    assert (resolved["upheld"], list(resolved["scores"])) == (False, true.scores)


def test_a_withheld_salt_is_slashed_and_the_round_is_paid_without_it(ledger: Ledger) -> None:
    scorer = SCORERS[0]
    federation = Federation(ledger, participants=7, scorer=scorer, onchain=True, slash_per_score=0).run(rounds=1)
    everybody = _reports(federation)
    withheld = federation.addresses[0]
    reports = {p: report for p, report in everybody.items() if p != withheld}
    federation.commit(1, everybody)
    federation.reveal(1, reports)
    with pytest.raises(ContractError, match="RevealPhaseOpen"):
        federation.task.slash_missing(1, [withheld])
    federation.pass_deadline(1, "reveal")
    federation.task.slash_missing(1, [withheld])
    assert federation.task.member(withheld).stake == STAKE * 9 // 10
    federation.publish(1, reports)
    federation.task.compute_scores(1, Result(participants=tuple(reports), scores=(), qualities=()))
    assert federation.task.round(1).status == RoundStatus.PAID
    scored = _scored(federation, scorer, reports)
    assert [federation.task.balance(p) for p in reports] == split(POOL + STAKE // 10, [max(s, 0) for s in scored.scores])
    assert min(scored.scores[:3]) > 0
    assert federation.task.balance(withheld) == 0
