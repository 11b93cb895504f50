"""Whole runs with roles that rotate, over real client apps in one process, some of which fail or cheat."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Message
from flwr.serverapp.strategy import FedMedian, FedProx

from flwr_chainfl import (
    ByRole,
    ChainFL,
    ChainStrategy,
    CorrelatedAgreement,
    ExactMean,
    FedRoleRotation,
    RoleReward,
    Rotation,
    SampleCount,
    Signals,
    SoftLabels,
    Softmax,
    Wallet,
    Weights,
)
from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import TypedData
from flwr_chainfl.errors import ConfigError, TooFewForRolesError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import SealRequest
from flwr_chainfl.messages import REPLY_RECORD, TYPE_SEAL, TYPE_VOTE
from flwr_chainfl.serverapp.assessment import PeerReview
from flwr_chainfl.storage import FolderStore
from flwr_chainfl.weights import pack_weights, unpack_weights
from tests.serverapp.federation import Net, fedavg, federation, public_inputs, record_of, start

CLIENTS = 6
SHARES = Rotation(workers=3, validators=2, miners=1)


def rotation(directory, count=CLIENTS, **settings):
    settings = {"rotation": SHARES, "num_rounds": 2, "seed": 3, "phase_timeout": 0.2, **settings}
    return FedRoleRotation(inner=fedavg(count), run_directory=directory, **settings)


def chainfl(directory, count=CLIENTS, **settings):
    settings = {"rotation": SHARES, "num_rounds": 2, "seed": 3, "phase_timeout": 0.2, "min_nodes": count, **settings}
    distillation = {"epochs": 1, "student_epochs": 2}
    return ChainFL(
        public_set=public_inputs(), student=Net(), distillation=distillation, run_directory=directory, **settings
    )


def kinds_of(record):
    return [{event["kind"] for event in entry["events"]} for entry in record["rounds"]]


def address_of(partition):
    return Wallet.derived(3, f"participant {partition}").address


def messages_by_round(grid, rounds):
    return [
        Counter(m.metadata.message_type for m in grid.sent if m.content["config"].get("chainfl.round-number") == number)
        for number in range(1, rounds + 1)
    ]


def silent(kind):
    return lambda message, context, app: None if message.metadata.message_type == kind else app(message, context)


def changed(kind, change):
    """Return an intercept that changes the protocol's record of a reply to a message of this type."""

    def intercept(message, context, app):
        asked = message.metadata.message_type
        reply = app(message, context)
        if asked == kind:
            change(reply.content.config_records[REPLY_RECORD])
        return reply

    return intercept


def everybody(intercept, count=CLIENTS):
    return dict.fromkeys(range(count), intercept)


def test_a_round_costs_three_exchanges_and_only_workers_train(tmp_path):
    strategy, grid = rotation(tmp_path), federation(CLIENTS)
    start(strategy, grid)
    record = record_of(strategy)
    first, second = messages_by_round(grid, 2)
    assert first == {"train": CLIENTS, TYPE_VOTE: 2, TYPE_SEAL: 1, "evaluate": CLIENTS}
    assert second == {"train": 3, TYPE_VOTE: 2, TYPE_SEAL: 1, "evaluate": CLIENTS}
    assert all(Counter(entry["roles"].values()) == {"worker": 3, "validator": 2, "miner": 1} for entry in record["rounds"])
    assert kinds_of(record) == [set(), set()]
    assert sum(int(p["paid"]) for p in record["participants"]) == 2000 * WAD
    assert audit(strategy.run_directory) == []


def test_the_sealed_model_is_the_one_that_the_next_round_starts_from(tmp_path):
    strategy, grid = rotation(tmp_path), federation(CLIENTS)
    result = start(strategy, grid)
    record = record_of(strategy)
    sent = [m for m in grid.sent if m.metadata.message_type == "train"][-1].content["arrays"]
    store = FolderStore(strategy.run_directory / "store")
    assert store.get(record["rounds"][0]["seal"]) == pack_weights(sent)
    assert store.get(record["rounds"][1]["seal"]) == pack_weights(result.arrays)
    assert record["rounds"][1]["reference"] == record["rounds"][0]["seal"]


def test_without_a_seal_the_round_is_void_and_the_next_starts_from_the_last_sealed_model(tmp_path):
    def late(message, context, app):
        number = message.content["config"].get("chainfl.round-number")
        return None if message.metadata.message_type == TYPE_SEAL and number == 2 else app(message, context)

    strategy, grid = rotation(tmp_path, num_rounds=3), federation(CLIENTS, intercepts=everybody(late))
    start(strategy, grid, rounds=3)
    record = record_of(strategy)
    assert [entry["seal"] is None for entry in record["rounds"]] == [False, True, False]
    assert kinds_of(record)[1] == {"no-attestation", "no-seal"}
    assert record["rounds"][2]["reference"] == record["rounds"][0]["seal"]
    assert record["rounds"][1]["accuracy"] == record["rounds"][0]["accuracy"]
    assert all(int(c["paid"]) == 0 for c in record["rounds"][1]["contributions"])
    assert record["conservation"]["slashed"] == record["conservation"]["locked"] == "0"
    assert audit(strategy.run_directory) == []


def test_a_miner_that_attests_another_hash_loses_its_pay_and_not_the_round(tmp_path):
    strategy = rotation(tmp_path, count=7, rotation=Rotation(workers=2, validators=2, miners=3))
    attested = []

    def lie(message, context, app):
        first = message.metadata.message_type == TYPE_SEAL and not attested
        if first:
            attested.append(context.node_id)
            before = message.content["config"]
            before["chainfl.reports"], before["chainfl.workers"] = [], []
            for name in ("samples", "commitments", "commit-signatures", "salts", "contents"):
                before[f"chainfl.{name}"] = []
        return app(message, context)

    start(strategy, federation(7, intercepts=everybody(lie, 7)))
    record = record_of(strategy)
    assert kinds_of(record) == [{"attested-otherwise"}, set()]
    liar = record["rounds"][0]["events"][0]["address"]
    paid = {c["address"]: int(c["paid"]) for c in record["rounds"][0]["contributions"]}
    assert record["rounds"][0]["roles"][liar] == "miner"
    assert paid[liar] == 0
    assert sum(amount > 0 for amount in paid.values()) == len(paid) - 1
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize(
    ("kind", "change", "event", "detail"),
    [
        (TYPE_VOTE, lambda r: r.update({"subjects": [*r["subjects"][:-1], "0x" + "11" * 20]}), "unusable-marks", "to be judged"),
        (TYPE_VOTE, lambda r: r.update({"subjects": [r["subjects"][0]] * len(r["subjects"])}), "unusable-marks", "each once"),
        (TYPE_VOTE, lambda r: r.update({"signature": bytes(64)}), "unusable-marks", "sign"),
        (TYPE_VOTE, lambda r: r.update({"scores": [score // 2 for score in r["scores"]]}), "unusable-marks", "is signed by"),
        (TYPE_SEAL, lambda r: r.update({"round": 9}), "unusable-attestation", "of round 9, not 1"),
        (TYPE_SEAL, lambda r: r.update({"aggregate": bytes(31)}), "unusable-attestation", "has 31 bytes; 32 are needed"),
        (TYPE_SEAL, lambda r: r.update({"aggregate": bytes([1] * 32)}), "unusable-attestation", "is signed by"),
    ],
)
def test_a_bad_vote_or_seal_is_an_event_that_says_what_is_wrong(tmp_path, kind, change, event, detail):
    strategy = rotation(tmp_path, num_rounds=1)
    start(strategy, federation(CLIENTS, intercepts=everybody(changed(kind, change))), rounds=1)
    record = record_of(strategy)
    found = [e for e in record["rounds"][0]["events"] if e["kind"] == event]
    assert found
    assert all(detail in e["detail"] for e in found)
    assert all(e["address"] is not None for e in found)


def test_a_harmful_worker_is_voted_out_earns_nothing_and_is_excluded(tmp_path):
    bad = 0

    harmful = _harmful_app()
    strategy = rotation(tmp_path, num_rounds=7, exclude_after=2)
    start(strategy, federation(CLIENTS, apps={bad: harmful}), rounds=7)
    record = record_of(strategy)
    worked = [
        entry for entry in record["rounds"][1:]
        if entry["roles"].get(address_of(bad)) == "worker"
    ]  # fmt: skip
    assert len(worked) >= 2
    for entry in worked:
        one = next(c for c in entry["contributions"] if c["address"] == address_of(bad))
        assert address_of(bad) not in entry["accepted"]
        assert (one["score"], one["quality"], one["paid"]) == ("0", "0", "0")
    assert address_of(bad) not in record["rounds"][-1]["roles"]
    assert record["rounds"][-1]["accuracy"] > 0.7
    assert audit(strategy.run_directory) == []


def _harmful_app():
    """Return an app whose train function brings noise: the app signs and commits to it as to anything else."""
    from flwr.app import MetricRecord, RecordDict

    from flwr_chainfl import ChainClientApp
    from tests.serverapp.federation import make_app

    honest = make_app(CLIENTS)
    app = ChainClientApp(model=Net)

    @app.train()
    def train(message: Message, context) -> Message:
        torch.manual_seed(0)
        state = {name: torch.randn_like(value) for name, value in Net().state_dict().items()}
        metrics = MetricRecord({"train_loss": 0.0, "num-examples": 200})
        return Message(RecordDict({"arrays": ArrayRecord(state), "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context) -> Message:
        return honest(message, context)

    return app


def test_a_worker_that_claims_more_samples_than_it_declared_counts_nothing(tmp_path):
    from flwr.app import MetricRecord

    app = _claiming_app(MetricRecord)
    strategy = rotation(tmp_path, num_rounds=3)
    start(strategy, federation(CLIENTS, apps={1: app}), rounds=3)
    record = record_of(strategy)
    worked = [e for e in record["rounds"][1:] if e["roles"].get(address_of(1)) == "worker"]
    assert worked
    for entry in worked:
        assert [e["kind"] for e in entry["events"]] == ["samples-above-declared"]
        assert address_of(1) not in entry["accepted"]
    assert audit(strategy.run_directory) == []


def _claiming_app(metric_record):
    from flwr_chainfl import ChainClientApp
    from tests.serverapp.federation import make_app

    honest, app, rounds = make_app(CLIENTS), ChainClientApp(model=Net), []

    @app.train()
    def train(message: Message, context) -> Message:
        reply = honest(message, context)
        rounds.append(1)
        if len(rounds) > 1:
            reply.content["metrics"] = metric_record({"train_loss": 0.0, "num-examples": 10**6})
        return reply

    @app.evaluate()
    def evaluate(message: Message, context) -> Message:
        return honest(message, context)

    return app


def test_a_late_comer_has_a_role_from_the_next_round_on(tmp_path):
    def late(message, context, app):
        first = message.content["config"].get("chainfl.round-number") == 1 if "config" in message.content else True
        return None if first and message.metadata.message_type == "train" else app(message, context)

    strategy = rotation(tmp_path, num_rounds=3)
    start(strategy, federation(CLIENTS, intercepts={0: late}), rounds=3)
    record = record_of(strategy)
    assert [address_of(0) in entry["roles"] for entry in record["rounds"]] == [False, False, True]
    assert kinds_of(record) == [{"no-reply"}, set(), set()]
    assert audit(strategy.run_directory) == []


def test_two_clients_are_too_few_and_the_error_says_how_many_are_needed(tmp_path):
    with pytest.raises(TooFewForRolesError, match="2 members cannot be .*; 3 are needed"):
        start(rotation(tmp_path, count=2, num_rounds=1), federation(2), rounds=1)


def test_shares_that_leave_no_worker_are_refused_when_the_members_are_known(tmp_path):
    greedy = Rotation(workers=1, validators=20, miners=1)
    with pytest.raises(TooFewForRolesError, match="6 members cannot be .* in shares of 1:20:1; 12 are needed"):
        start(rotation(tmp_path, rotation=greedy, num_rounds=1), federation(CLIENTS), rounds=1)


def test_silent_validators_exclude_nobody(tmp_path):
    strategy = rotation(tmp_path, num_rounds=1)
    start(strategy, federation(CLIENTS, intercepts=everybody(silent(TYPE_VOTE))), rounds=1)
    (entry,) = record_of(strategy)["rounds"]
    assert len(entry["accepted"]) == 3
    paid = {c["address"]: int(c["paid"]) for c in entry["contributions"]}
    assert set(paid) == {a for a, role in entry["roles"].items() if role != "validator"}
    assert sum(paid.values()) == 1000 * WAD
    assert audit(strategy.run_directory) == []


def test_soft_labels_rotate_with_everybody_training_and_the_accepted_alone_counting(tmp_path):
    strategy, grid = chainfl(tmp_path, num_rounds=3), federation(CLIENTS)
    start(strategy, grid, rounds=3, model=strategy.exchange.student)
    record = record_of(strategy)
    for number, counted in enumerate(messages_by_round(grid, 3), start=1):
        assert counted == {"train": CLIENTS, TYPE_VOTE: 2, TYPE_SEAL: 1, "evaluate": CLIENTS}, number
    for entry in record["rounds"]:
        reports = {c["address"] for c in entry["contributions"] if c["report"]}
        assert reports == {a for a, role in entry["roles"].items() if role == "worker"}
        assert entry["seal"] == entry["consensus"]
    assert kinds_of(record) == [set(), set(), set()]
    assert audit(strategy.run_directory) == []


def test_labels_at_random_are_voted_out_of_the_consensus_and_the_pay(tmp_path):
    from tests.serverapp.federation import make_app

    def guess(model, inputs, context):
        return np.eye(10, dtype=np.float32)[np.random.default_rng(context.node_id).integers(0, 10, len(inputs))]

    count = 8
    app = make_app(count, predict=guess)
    strategy = chainfl(tmp_path, count=count, num_rounds=4, rotation=Rotation(workers=4, validators=3, miners=1))
    start(strategy, federation(count, apps={2: app}), rounds=4, model=strategy.exchange.student)
    record = record_of(strategy)
    worked = [e for e in record["rounds"][1:] if e["roles"].get(address_of(2)) == "worker"]
    assert worked
    for entry in worked:
        one = next(c for c in entry["contributions"] if c["address"] == address_of(2))
        assert address_of(2) not in entry["accepted"]
        assert (one["weight"], one["paid"], one["quality"]) == (None, "0", "0")
    assert audit(strategy.run_directory) == []


def test_the_audit_finds_a_changed_role_vote_acceptance_and_seal(tmp_path):
    strategy = rotation(tmp_path, num_rounds=1)
    start(strategy, federation(CLIENTS), rounds=1)
    path = strategy.run_directory / "run.json"
    original = path.read_text()
    worker = json.loads(original)["rounds"][0]["accepted"][0]

    def tampered(change):
        record = json.loads(original)
        change(record["rounds"][0])
        path.write_text(json.dumps(record))
        return {difference.where for difference in audit(strategy.run_directory)}

    assert "round 1, roles" in tampered(lambda entry: entry["roles"].update({worker: "miner"}))
    assert "round 1, accepted" in tampered(lambda entry: entry["accepted"].remove(worker))
    assert "round 1, marks" in tampered(lambda entry: next(iter(entry["marks"].values())).update({worker: "0"}))
    reference = json.loads(original)["rounds"][0]["reference"]
    assert "round 1, seal" in tampered(lambda entry: entry.update({"seal": reference}))


def test_the_next_model_can_be_computed_from_the_stored_ones(tmp_path):
    strategy = rotation(tmp_path, num_rounds=1, mixing=0.5)
    start(strategy, federation(CLIENTS), rounds=1)
    (entry,) = record_of(strategy)["rounds"]
    store = FolderStore(strategy.run_directory / "store")
    contents = {c["address"]: c for c in entry["contributions"]}
    models = [unpack_weights(store.get(contents[a]["content"])) for a in entry["accepted"]]
    samples = [int(contents[a]["report"], 16) for a in entry["accepted"]]
    before = unpack_weights(store.get(entry["reference"]))
    assert store.get(entry["seal"]) == pack_weights(ExactMean(mixing=0.5).mean(models, samples, before))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Weights(FedMedian(), exact=ExactMean()), "FedMedian aggregates in its own way"),
        (lambda: Weights(clipped=True, exact=ExactMean()), "clipped replies are not what the miners see"),
        (lambda: Weights(exact=ExactMean(), signals=Signals(tasks=9)), "a report of signals holds no sample count"),
        (lambda: FedRoleRotation(weighting=Softmax()), "a weighting by scores cannot be sealed"),
        (lambda: FedRoleRotation(scorer=SampleCount()), "SampleCount knows no validators and miners"),
        (lambda: FedRoleRotation(assessment=PeerReview()), "validators vote where roles rotate, and PeerReview asks others"),
        (lambda: ChainStrategy(exchange=Weights(), scorer=RoleReward(), roles=Rotation()), "found in whole numbers"),
        (lambda: ChainStrategy(exchange=Weights(exact=ExactMean()), scorer=RoleReward()), "nobody is there to seal it"),
        (lambda: SoftLabels(public_inputs(), Net(), exact=True), "consensus is 'confusion', which remembers"),
        (
            lambda: SoftLabels(public_inputs(), Net(), exact=True, consensus="mean"),
            "entropy_temperature is 0.5; a consensus that miners seal",
        ),
        (
            lambda: SoftLabels(public_inputs(), Net(), exact=True, consensus="mean", entropy_temperature=1, consensus_bits=0),
            "consensus_bits is 0",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused_with_the_reason(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_strategy_that_averages_as_fedavg_does_can_be_the_inner_one():
    assert Weights(FedProx(proximal_mu=0.1), exact=ExactMean()).is_exact


@pytest.mark.parametrize("make", [rotation, chainfl])
def test_the_contract_computes_the_same_scores_from_reports_marks_and_attestations(tmp_path, make):
    """Settled on chain, nothing is posted: the ledger's receipts are the contract's own results."""
    strategy = make(tmp_path, settlement="onchain")
    model = strategy.exchange.student if make is chainfl else None
    start(strategy, federation(CLIENTS), model=model)
    record = record_of(strategy)
    assert sum(int(p["paid"]) for p in record["participants"]) == 2000 * WAD
    assert audit(strategy.run_directory) == []


def test_roles_go_around_any_scorer_of_the_exchange(tmp_path):
    """Peer prediction on signals of weights, whose reports stay secret until all have committed: one exchange more."""
    signals = Signals(tasks=40)
    inner = CorrelatedAgreement(classes=signals.levels, tasks=signals.tasks, bonus_tasks=20)
    strategy = ChainStrategy(
        exchange=Weights(fedavg(8), exact=ExactMean(uniform=True), signals=signals), scorer=RoleReward(inner=inner),
        schedule=ByRole(), roles=Rotation(workers=5, validators=2, miners=1), num_rounds=2, seed=3, run_directory=tmp_path,
        phase_timeout=0.2,
    )  # fmt: skip
    grid = federation(8)
    start(strategy, grid)
    record = record_of(strategy)
    assert all(entry["seal"] is not None for entry in record["rounds"])
    assert sum(int(p["paid"]) for p in record["participants"]) == 2000 * WAD
    assert audit(strategy.run_directory) == []


def test_an_equivocation_that_somebody_proves_is_in_the_record_and_the_audit_agrees(tmp_path):
    strategy = rotation(tmp_path, num_rounds=None)
    start(strategy, federation(CLIENTS))
    task = strategy.relay.task
    cheat = Wallet.derived(3, "participant 0")

    def seal(aggregate):
        statement = {"participant": cheat.address, "round": 1, "aggregate": aggregate}
        signature = cheat.sign(TypedData(domain=task.domain, primary="Seal", message=statement))
        return SealRequest(participant=cheat.address, aggregate=aggregate, signature=signature)

    before = task.member(cheat.address).stake
    task.prove_equivocation(1, cheat.address, seal(b"1" * 32), seal(b"2" * 32))
    lost = before - task.member(cheat.address).stake
    strategy.close()
    slashed = {p["address"]: int(p["slashed"]) for p in record_of(strategy)["participants"]}
    assert lost == 10 * WAD
    assert slashed[cheat.address] >= lost
    assert audit(strategy.run_directory) == []
