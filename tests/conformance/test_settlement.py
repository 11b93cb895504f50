from dataclasses import replace

import pytest

from flwr_chainfl.crypto import calibration_commitment
from flwr_chainfl.errors import ContractError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import pack_calibration
from flwr_chainfl.ledger import Ledger, Result, RoundStatus
from flwr_chainfl.reputation import record, reputation
from flwr_chainfl.rewards import split
from flwr_chainfl.scoring import WeightedPeerTruthSerum
from tests.federation import POOL, Federation, guest

CLASSES, TASKS = 4, 40
SALT = b"\7" * 32


def _federation(ledger: Ledger, **changes) -> Federation:
    scorer = WeightedPeerTruthSerum(classes=CLASSES, tasks=TASKS)
    return Federation(ledger, participants=5, classes=CLASSES, tasks=TASKS, scorer=scorer, **changes)


def _reports(federation: Federation) -> dict[str, bytes]:
    """Return three honest reports of different accuracy, one constant one and one that is too short."""
    truth = [(3 * task + task // 5) % CLASSES for task in range(TASKS)]
    honest = [bytes(truth), *(bytes((t + (i % step == 0)) % CLASSES for i, t in enumerate(truth)) for step in (9, 5))]
    return dict(zip(federation.addresses, [*honest, bytes([2] * TASKS), b"\1" * 7], strict=True))


def _revealed(federation: Federation, *, calibration: bytes = bytes(32)) -> dict[str, bytes]:
    reports = _reports(federation)
    federation.open(rounds=1)
    federation.task.join_for(federation.join_request(wallet) for wallet in federation.wallets)
    federation.task.start()
    federation.task.next_round(calibration=calibration)
    federation.commit(1, reports)
    federation.reveal(1, reports)
    return reports


@pytest.mark.parametrize("work", [1, 50, 10**6])
def test_a_dispute_ends_the_same_in_many_steps_and_in_one(ledger: Ledger, work: int) -> None:
    federation = _federation(ledger)
    reports = _revealed(federation)
    result = federation.result(reports)
    federation.task.post_scores(1, replace(result, scores=(result.scores[0] + 1, *result.scores[1:])))
    federation.task.challenge(1)
    federation.publish(1, reports)
    posted = replace(result, scores=(result.scores[0] + 1, *result.scores[1:]))
    receipts = federation.task.compute_scores(1, posted, work=work)
    assert (len(receipts) == 1) == (work == 10**6)
    resolved = dict(federation.task.events_of(receipts[-1]))["ChallengeResolved"]
    assert resolved["upheld"] is False
    assert tuple(resolved["scores"]) == result.scores
    assert federation.task.round(1).status == RoundStatus.PAID
    assert federation.conservation().dust == 0


def test_a_false_quality_costs_the_bond(ledger: Ledger) -> None:
    federation = _federation(ledger)
    reports = _revealed(federation)
    result = federation.result(reports)
    false = replace(result, qualities=(result.qualities[0] - 1, *result.qualities[1:]))
    federation.task.post_scores(1, false)
    federation.task.challenge(1)
    federation.publish(1, reports)
    receipt = federation.task.compute_scores(1, false)[-1]
    assert dict(federation.task.events_of(receipt))["ChallengeResolved"]["upheld"] is False
    receipts = [a for name, a in federation.task.events_of(receipt) if name == "Receipt"]
    assert [a["quality"] for a in receipts] == list(result.qualities)


def test_a_computation_can_be_taken_up_by_somebody_else(ledger: Ledger) -> None:
    federation = _federation(ledger, onchain=True)
    reports = _revealed(federation)
    federation.publish(1, reports)
    listed = Result(participants=tuple(reports), scores=(), qualities=())
    first = federation.task._contract.send("computeScores", 1, *listed.as_arguments(), b"", 1)
    assert federation.task.progress(1) == dict(federation.task.events_of(first))["ScoringProgressed"]["progress"]
    ledger.task(federation.task.address, from_block=federation.task.from_block).compute_scores(1, listed, work=30)
    assert federation.task.round(1).status == RoundStatus.PAID


def test_a_round_settled_on_chain_pays_what_its_reports_earn(ledger: Ledger) -> None:
    federation = _federation(ledger, onchain=True)
    reports = _revealed(federation)
    result = federation.result(reports)
    with pytest.raises(ContractError, match="WrongSettlement"):
        federation.task.post_scores(1, result)
    federation.publish(1, reports)
    federation.task.compute_scores(1, Result(participants=tuple(reports), scores=(), qualities=()))
    slashed = sum(-score * WAD // WAD for score in result.scores if score < 0)
    expected = split(POOL + slashed, [max(score, 0) for score in result.scores])
    assert [federation.task.balance(address) for address in federation.addresses] == expected
    assert federation.conservation().dust == 0


def test_calibration_items_decide_who_is_paid_and_cannot_be_changed(ledger: Ledger) -> None:
    federation = _federation(ledger)
    truth = [(3 * task + task // 5) % CLASSES for task in range(TASKS)]
    items = pack_calibration(list(range(0, 40, 2)), truth[::2])
    reports = _revealed(federation, calibration=calibration_commitment(items, SALT))
    result = federation.result(reports, calibration=items)
    assert result.scores[3] == result.qualities[3] == 0  # the constant report is not above chance
    assert federation.result(reports).scores[3] != 0
    for wrong, salt in ((items[3:], SALT), (items, bytes(32)), (b"", bytes(32))):
        with pytest.raises(ContractError, match=r"CalibrationMismatch.*reveal the calibration items"):
            federation.task.post_scores(1, replace(result, calibration=wrong), salt=salt)
    federation.task.post_scores(1, result, salt=SALT)
    federation.task.challenge(1)
    federation.publish(1, reports)
    receipt = federation.task.compute_scores(1, result)[-1]
    assert dict(federation.task.events_of(receipt))["ChallengeResolved"]["upheld"] is True


def test_a_paid_round_enters_the_registry_once_as_python_computes_it(ledger: Ledger) -> None:
    registry = ledger.deploy_registry()
    federation = _federation(ledger, reputation=registry.address)
    with pytest.raises(ContractError, match=r"NotRecorder.*authorise"):
        federation.open()
    registry.authorise(federation.task.address)
    with pytest.raises(ContractError, match=r"Reputation refused authorise: NotOwner .*account that deployed"):
        guest(ledger, federation.wallets[0]).registry(registry.address).authorise(federation.task.address)
    assert registry.is_recorder(federation.task.address)
    reports = _revealed(federation)
    result = federation.result(reports)
    federation.task.post_scores(1, result)
    federation.pass_deadline(1, "settle")
    federation.task.distribute_rewards(1, result)
    with pytest.raises(ContractError, match="PostingMismatch"):
        federation.task.record_reputation(1, replace(result, qualities=(0, *result.qualities[1:])), count=9)
    federation.task.record_reputation(1, result, count=3)
    assert list(registry.rounds_known(federation.addresses).values()) == [1, 1, 1, 0, 0]
    federation.task.record_reputation(1, result, count=9)
    expected = [
        reputation(record(None, task=1, round_number=1, score=score, quality=quality))
        for score, quality in zip(result.scores, result.qualities, strict=True)
    ]
    assert list(registry.reputations(federation.addresses).values()) == expected
    assert [(participant, value) for _, participant, value in registry.updates()] == list(
        zip(federation.addresses, expected, strict=True)
    )
    with pytest.raises(ContractError, match="AlreadyRecorded"):
        federation.task.record_reputation(1, result, count=9)
    assert federation.conservation().dust == 0
