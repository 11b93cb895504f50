"""Roles, judging and sealing on each kind of ledger, through the typed client."""

from __future__ import annotations

import pytest

from flwr_chainfl.crypto import TypedData, Wallet, round_seed, salts_entropy
from flwr_chainfl.errors import ContractError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import NO_HASH, Ledger, Result, ScoreRequest, SealRequest
from flwr_chainfl.roles import Role, Rotation
from tests.federation import STAKE, Federation, guest, pass_deadline

SHARES = {"workers": 3, "validators": 2, "miners": 2, "assess_seconds": 1000, "seal_seconds": 1000}
AGGREGATE = bytes(range(32))


def _with(federation: Federation, role: Role, round_number: int = 1) -> list[Wallet]:
    drawn = federation.task.roles_of(round_number)
    return [wallet for wallet in federation.wallets if drawn[wallet.address] == role]


def _judgement(federation: Federation, wallet: Wallet, marks: dict[str, int], round_number: int = 1) -> ScoreRequest:
    subjects = sorted(marks, key=lambda one: int(one, 16))
    scores = [marks[one] for one in subjects]
    message = {"participant": wallet.address, "round": round_number, "subjects": subjects, "scores": scores}
    signature = wallet.sign(TypedData(domain=federation.task.domain, primary="Score", message=message))
    return ScoreRequest(participant=wallet.address, subjects=tuple(subjects), scores=tuple(scores), signature=signature)


def _attestation(federation: Federation, wallet: Wallet, aggregate: bytes, round_number: int = 1) -> SealRequest:
    message = {"participant": wallet.address, "round": round_number, "aggregate": aggregate}
    signature = wallet.sign(TypedData(domain=federation.task.domain, primary="Seal", message=message))
    return SealRequest(participant=wallet.address, aggregate=aggregate, signature=signature)


def _contribute(federation: Federation) -> dict[str, bytes]:
    workers = {wallet.address for wallet in _with(federation, Role.WORKER)}
    reports = {address: report for address, report in federation.reports().items() if address in workers}
    federation.commit(1, reports)
    federation.reveal(1, reports)
    return reports


def test_roles_are_drawn_as_python_draws_them_and_again_from_the_salts(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=7, **SHARES).open()
    task = federation.task
    task.join_for(federation.join_request(wallet) for wallet in federation.wallets)
    task.start()

    def draw(round_number: int, salts: dict[str, bytes]) -> dict[str, Role]:
        seed = round_seed(
            chain_id=ledger.chain.chain_id, task=task.address, round_number=round_number - 1, entropy=salts_entropy(salts)
        )
        return Rotation(workers=3, validators=2, miners=2).draw(task.members(), seed)

    assert task.roles_of(1) == draw(1, {})
    task.next_round()
    assert task.roles_of(1) == draw(1, {})
    reports = _contribute(federation)
    salts = {wallet.address: federation.salt(wallet, 1) for wallet in federation.wallets if wallet.address in reports}
    assert task.roles_of(2) == draw(2, salts)


def test_a_round_is_judged_sealed_and_paid_to_all_that_took_part(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=7, **SHARES).run()
    task = federation.task
    reports = _contribute(federation)
    marks = {**dict.fromkeys(reports, WAD), task.address: WAD // 3}
    judgements = [_judgement(federation, wallet, marks) for wallet in _with(federation, Role.VALIDATOR)]
    task.submit_score_for(1, judgements)
    assert {one.participant: (one.subjects, one.scores) for one in task.submissions()} == {
        one.participant: (one.subjects, one.scores) for one in judgements
    }
    first, second = _with(federation, Role.MINER)
    task.attest_for(1, [_attestation(federation, first, AGGREGATE)])
    assert task.seal_of(1) == NO_HASH
    task.attest_for(1, [_attestation(federation, second, AGGREGATE)])
    assert task.seal_of(1) == AGGREGATE
    result = Result(participants=tuple(federation.addresses), scores=(WAD,) * 7, qualities=(WAD,) * 7)
    task.post_scores(1, result)
    pass_deadline(ledger, task.round(1).settle_deadline)
    task.distribute_rewards(1, result)
    assert all(task.balance(address) > 0 for address in federation.addresses)


def test_two_signed_attestations_of_one_round_are_slashed_by_anybody(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=7, **SHARES).run()
    miner = _with(federation, Role.MINER)[0]
    first, second = (_attestation(federation, miner, bytes([i]) * 32) for i in (1, 2))
    task = guest(ledger, Wallet.derived(9, "witness")).task(federation.task.address)
    with pytest.raises(ContractError, match="SameStatement"):
        task.prove_equivocation(1, miner.address, first, first)
    task.prove_equivocation(1, miner.address, first, second)
    assert task.member(miner.address).stake == STAKE * 9 // 10


def test_two_signed_sets_of_marks_of_one_round_are_slashed_by_anybody(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=7, **SHARES).run()
    validator, other = _with(federation, Role.VALIDATOR)
    first, second = (_judgement(federation, validator, {other.address: i, federation.task.address: 1}) for i in (1, 2))
    task = guest(ledger, Wallet.derived(9, "witness")).task(federation.task.address)
    task.prove_equivocation(1, validator.address, first, second)
    assert task.member(validator.address).stake == STAKE * 9 // 10


def test_refusals_of_a_judge_say_what_to_do(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=7, **SHARES).run()
    reports = _contribute(federation)
    worker = _with(federation, Role.WORKER)[0]
    with pytest.raises(ContractError, match="NotAssessor.*only the round's validators judge"):
        federation.task.submit_score_for(1, [_judgement(federation, worker, dict.fromkeys(reports, 1))])
    validator, miner = _with(federation, Role.VALIDATOR)[0], _with(federation, Role.MINER)[0]
    with pytest.raises(ContractError, match="UnknownSubject.*judge workers that revealed"):
        federation.task.submit_score_for(1, [_judgement(federation, validator, {miner.address: 1})])
    with pytest.raises(ContractError, match="MarkOutOfBounds"):
        federation.task.submit_score_for(1, [_judgement(federation, validator, {federation.task.address: WAD + 1})])
    with pytest.raises(ContractError, match="AssessPhaseOpen.*wait until all have judged"):
        federation.task.attest_for(1, [_attestation(federation, miner, AGGREGATE)])


def test_without_a_seal_a_round_is_void_after_its_deadline(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=7, **SHARES).run()
    task = federation.task
    _contribute(federation)
    deadline = task.round(1).reveal_deadline + 2000
    with pytest.raises(ContractError, match="DeadlineNotReached"):
        task.void_round(1)
    pass_deadline(ledger, deadline)
    task.void_round(1)
    task.next_round()
    assert task.round_number == 2


def test_on_chain_scores_are_computed_in_one_transaction_and_paid_by_anybody(ledger: Ledger) -> None:
    federation = Federation(ledger, onchain=True).run()
    task, reports = federation.task, federation.reports()
    federation.commit(1, reports)
    federation.reveal(1, reports)
    federation.publish(1, reports)
    receipt = task.submit_round_top_k(1, federation.addresses, 2)
    events = dict(task.events_of(receipt))
    truth = federation.result(reports)
    assert (events["ScoresPosted"]["scores"], events["ScoresPosted"]["qualities"]) == (truth.scores, truth.qualities)
    best = sorted(range(4), key=lambda i: (-truth.scores[i], i))[:2]
    assert events["RoundTopK"]["participants"] == tuple(federation.addresses[i] for i in best)
    with pytest.raises(ContractError, match="DeadlinePassed"):
        task.challenge(1)
    guest(ledger, Wallet.derived(9, "witness")).task(task.address).distribute_rewards(1, truth)
    assert sum(task.balance(address) for address in federation.addresses) > 0
    with pytest.raises(ContractError, match="WrongRoundStatus"):
        task.distribute_rewards(1, truth)
