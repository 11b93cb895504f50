"""FedPeerPrediction over real client apps: what each kind of participant earns, and what bad input does."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message
from flwr.serverapp.strategy import FedAvg, FedMedian

from flwr_chainfl import (
    AboveChance,
    ChainStrategy,
    CorrelatedAgreement,
    FedPeerPrediction,
    FedSoftLabel,
    OutputAgreement,
    SampleCount,
    Signals,
    SoftLabels,
    Softmax,
    Weights,
)
from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import TypedData, Wallet, task_domain
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.messages import RoundTerms, read_terms
from tests.serverapp.federation import Net, federation, make_app, nodes_of, public_inputs, record_of, start

INPUTS = public_inputs(200)


def strategy_of(directory: Path, count: int, **settings: Any) -> FedPeerPrediction:
    common = {"num_rounds": 2, "seed": 3, "phase_timeout": 0.2, "run_directory": directory}
    if "public_set" not in settings and "signals" not in settings:
        settings = {
            "public_set": INPUTS, "student": Net(), "distillation": {"epochs": 1, "student_epochs": 2}, **settings
        }
    return FedPeerPrediction(min_nodes=count, **{**common, **settings})


def kinds(record: dict) -> set[str]:
    return {event["kind"] for entry in record["rounds"] for event in entry["events"]}


def by_node(record: dict, key: str) -> dict[int, float]:
    return {int(p["node"]) - 1000: int(p[key]) / 1e18 for p in record["participants"]}


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(10, dtype=np.float32)[labels]


def constant(model: Any, inputs: np.ndarray, context: Context) -> np.ndarray:
    return one_hot(np.full(len(inputs), 3))


def guessing(model: Any, inputs: np.ndarray, context: Context) -> np.ndarray:
    return one_hot(np.random.default_rng(context.node_id).integers(0, 10, len(inputs)))


def test_free_riders_score_about_0_earn_nothing_and_fade_from_the_consensus(tmp_path):
    apps = {0: make_app(6, predict=constant), 1: make_app(6, predict=guessing)}
    strategy = strategy_of(tmp_path, 6)
    start(strategy, federation(6, apps=apps))
    record = record_of(strategy)
    scores, paid = by_node(record, "score"), by_node(record, "paid")
    assert scores[0] == 0
    assert abs(scores[1]) < 2 * strategy.scorer.chance_deviation / 1e18
    assert min(scores[node] for node in range(2, 6)) > 0.2
    assert paid[0] == paid[1] == 0
    assert min(paid[node] for node in range(2, 6)) > 0
    weights = {c["address"]: c["weight"] for c in record["rounds"][1]["contributions"]}
    of_node = {int(p["node"]) - 1000: weights[p["address"]] for p in record["participants"]}
    assert max(of_node[0], of_node[1]) < 0.5 * min(of_node[node] for node in range(2, 6))
    assert audit(strategy.run_directory) == []


def test_a_false_weight_seed_or_score_is_found_by_the_audit(tmp_path):
    strategy = strategy_of(tmp_path, 4, num_rounds=1)
    start(strategy, federation(4), rounds=1)
    record = record_of(strategy)
    entry = record["rounds"][0]
    entry["contributions"][0]["weight"] -= 1
    entry["seed"] = "00" * 32
    (strategy.run_directory / "run.json").write_text(json.dumps(record))
    address = entry["contributions"][0]["address"]
    assert [d.where for d in audit(strategy.run_directory)] == ["round 1, seed", f"round 1, {address}, weight"]


@pytest.mark.parametrize("settlement", ["optimistic", "onchain"])
def test_weights_are_paid_by_their_signals_and_free_riders_fade_from_the_model(tmp_path, settlement):
    idle = make_app(5)
    idle._registered_funcs["train.default"] = lambda message, context: _untrained(message)
    strategy = strategy_of(
        tmp_path, 5, signals=Signals(tasks=200, levels=3), inner=FedAvg(**nodes_of(5)), settlement=settlement
    )
    start(strategy, federation(5, apps={0: idle}))
    record = record_of(strategy)
    scores, paid = by_node(record, "score"), by_node(record, "paid")
    assert scores[0] == 0
    assert paid[0] == 0
    assert sum(paid.values()) > 0
    assert max(scores.values()) > 0.1
    entry = record["rounds"][-1]
    assert entry["reference"] is not None
    assert max(c["weight"] for c in entry["contributions"]) == 10**6
    assert audit(strategy.run_directory) == []


def test_a_strategy_that_takes_no_weights_by_samples_aggregates_all_the_same(tmp_path):
    strategy = strategy_of(tmp_path, 4, signals=Signals(tasks=60), inner=FedMedian(**nodes_of(4)), num_rounds=1)
    result = start(strategy, federation(4), rounds=1)
    assert list(result.arrays) == list(Net().state_dict())
    assert audit(strategy.run_directory) == []


def test_clipped_updates_are_scored_by_what_was_committed(tmp_path):
    from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping

    exchange = Weights(FedAvg(**nodes_of(4)), clipped=True, signals=Signals(tasks=60))
    strategy = ChainStrategy(
        exchange=exchange, scorer=CorrelatedAgreement(classes=3, tasks=60), run_directory=tmp_path, num_rounds=1, seed=3
    )
    private = DifferentialPrivacyServerSideFixedClipping(
        strategy, noise_multiplier=1e-9, clipping_norm=0.5, num_sampled_clients=4
    )
    start(private, federation(4), rounds=1)
    assert len(record_of(strategy)["rounds"][0]["contributions"]) == 4
    assert audit(strategy.run_directory) == []


def test_signals_that_are_not_those_of_the_weights_are_a_false_reveal(tmp_path, monkeypatch):
    from flwr_chainfl.clientapp import app as module

    class Flattering(Signals):
        def report(self, arrays: ArrayRecord, reference: ArrayRecord) -> bytes:
            return super().report(arrays, reference)[::-1]

    flattering = iter([True])  # the first client to train
    monkeypatch.setattr(module, "Signals", lambda **kw: (Flattering if next(flattering, False) else Signals)(**kw))
    strategy = strategy_of(tmp_path, 4, signals=Signals(tasks=60), num_rounds=1)
    start(strategy, federation(4), rounds=1)
    record = record_of(strategy)
    assert {"false-reveal", "slashed"} <= kinds(record)
    assert len(record["rounds"][0]["contributions"]) == 3


# Others who do not look at the tasks


def _copied(model: Any, inputs: np.ndarray, context: Context) -> np.ndarray:
    """Report the last consensus, and something constant where there is none yet."""
    state = context.state.config_records.get("chainfl.consensus")
    if state is None:
        return constant(model, inputs, context)
    from flwr_chainfl.labels import LabelFormat

    return LabelFormat(len(inputs), 10, 8).unpack(state["consensus"])


def test_a_relabelling_majority_is_told_apart_by_calibration_items_alone(tmp_path):
    def relabelled(model: Any, inputs: np.ndarray, context: Context) -> np.ndarray:
        from flwr_chainfl.distillation import predict

        return np.roll(predict(model, inputs), 1, axis=1)

    from tests.serverapp.federation import digits

    paid = {}
    for known in (None, digits()[1][: len(INPUTS)]):
        apps = {node: make_app(7, predict=relabelled) for node in range(4)}
        strategy = strategy_of(tmp_path, 7, known_labels=known, calibration_share=0.1, num_rounds=1)
        start(strategy, federation(7, apps=apps), rounds=1)
        paid[known is not None] = by_node(record_of(strategy), "paid")
        assert audit(strategy.run_directory) == []
    assert min(paid[False][node] for node in range(4)) > 0
    assert max(paid[True][node] for node in range(4)) == 0
    assert min(paid[True][node] for node in range(4, 7)) > 0


class Copier:
    """Sends another's commitment as its own, and opens it with what the other reveals."""

    def __init__(self, victim: int) -> None:
        self.victim = victim
        self.seen: dict[str, Any] = {}

    def watch(self, message: Message, context: Context, app: Any) -> Message:
        reply = app(message, context)
        if reply.has_content() and "chainfl" in reply.content.config_records:
            self.seen[message.metadata.message_type] = dict(reply.content["chainfl"].items())
        return reply

    def copy(self, message: Message, context: Context, app: Any) -> Message:
        terms = read_terms(RoundTerms, next(iter(message.content.config_records.values()), {}))
        reply = app(message, context)
        kind = message.metadata.message_type
        if kind.startswith("train") and terms is not None:
            copied = self.seen[kind]["commitment"]
            wallet = Wallet.derived(terms.seed, f"participant {context.node_config['partition-id']}")
            domain = task_domain(terms.chain_id, terms.task)
            statement = {"participant": wallet.address, "round": terms.round_number, "commitment": copied}
            reply.content["chainfl"]["commitment"] = copied
            reply.content["chainfl"]["signature"] = wallet.sign(
                TypedData(domain=domain, primary="Commit", message=statement)
            ).to_bytes()
        elif kind == "query.reveal":
            for key in ("content", "reference", "salt"):
                reply.content["chainfl"][key] = self.seen[kind][key]
        return reply


def test_copying_a_commitment_earns_nothing_and_is_slashed_and_the_round_ends(tmp_path):
    copier = Copier(victim=0)
    grid = federation(5, intercepts={0: copier.watch, 1: copier.copy})
    strategy = strategy_of(tmp_path, 5)
    start(strategy, grid)
    record = record_of(strategy)
    assert {"false-reveal", "slashed"} <= kinds(record)
    assert by_node(record, "paid")[1] == 0
    assert by_node(record, "slashed")[1] > 0
    assert len(record["rounds"][0]["contributions"]) == 4
    assert all(entry["contributions"] for entry in record["rounds"])
    assert audit(strategy.run_directory) == []


def test_copying_the_last_consensus_is_worth_nothing_at_first_and_like_looking_on_the_same_inputs_later(tmp_path):
    strategy = strategy_of(tmp_path, 6)
    start(strategy, federation(6, apps={0: make_app(6, predict=_copied)}))
    record = record_of(strategy)
    node = {p["address"]: int(p["node"]) - 1000 for p in record["participants"]}
    first, second = ({node[c["address"]]: int(c["score"]) / 1e18 for c in e["contributions"]} for e in record["rounds"])
    assert first[0] == 0 < min(first[n] for n in range(1, 6))
    assert second[0] > 0.8 * max(second[n] for n in range(1, 6))


# Bad input: a named event each, and the round ends


def _only(phase: str, change: Any) -> Any:
    def intercept(message: Message, context: Context, app: Any) -> Message | None:
        reply = app(message, context)
        if message.metadata.message_type == phase:
            return change(reply)
        return reply

    return intercept


def _shortened(reply: Message) -> Message:
    reply.content["chainfl"]["content"] = reply.content["chainfl"]["content"][:-3]
    return reply


@pytest.mark.parametrize(
    ("change", "kind"), [(lambda reply: None, "no-reveal"), (_shortened, "false-reveal")], ids=["withheld", "shortened"]
)
def test_a_reveal_that_is_withheld_or_of_another_length_is_slashed_and_the_round_ends(tmp_path, change, kind):
    strategy = strategy_of(tmp_path, 5, num_rounds=1)
    start(strategy, federation(5, intercepts={2: _only("query.reveal", change)}), rounds=1)
    record = record_of(strategy)
    assert {kind, "slashed"} <= kinds(record)
    assert by_node(record, "slashed")[2] == 10
    assert by_node(record, "paid")[2] == 0
    assert len(record["rounds"][0]["contributions"]) == 4
    assert sum(by_node(record, "paid").values()) > 0
    assert audit(strategy.run_directory) == []


def test_a_salt_used_twice_is_refused_the_second_time(tmp_path, monkeypatch):
    own = Wallet.salt
    careless = Wallet.derived(3, "participant 1").address

    def salt(self: Wallet, **of: Any) -> bytes:
        return bytes(31) + b"\7" if self.address == careless else own(self, **of)

    monkeypatch.setattr(Wallet, "salt", salt)
    strategy = strategy_of(tmp_path, 4)
    start(strategy, federation(4))
    record = record_of(strategy)
    assert [e["kind"] for e in record["rounds"][0]["events"] if e["node"] == "1001"] == []
    events = [e for e in record["rounds"][1]["events"] if e["node"] == "1001"]
    assert [e["kind"] for e in events] == ["reused-salt", "slashed"]
    assert "which was revealed before; use a new one in every round" in events[0]["detail"]
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize(
    ("count", "kind", "detail"),
    [
        (2, "few-participants", "2 usable reports; 3 are needed"),
        (3, "odd-participants", "3 usable reports: one is scored against the first of another pair"),
        (4, "few-tasks", "200 tasks are few .* noisy below 2000"),
    ],
)
def test_what_makes_scores_noisy_or_impossible_is_told(tmp_path, count, kind, detail):
    strategy = strategy_of(tmp_path, count, num_rounds=1)
    start(strategy, federation(count), rounds=1)
    record = record_of(strategy)
    event = next(e for e in record["rounds"][0]["events"] if e["kind"] == kind)
    assert re.search(detail, event["detail"])
    assert (sum(by_node(record, "paid").values()) > 0) == (count > 2)
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"public_set": INPUTS}, "FedPeerPrediction\\(public_set=…, student=Net"),
        ({"public_set": INPUTS, "student": Net(), "signals": Signals(tasks=9)}, "leave public_set out"),
        ({"student": Net()}, "name a public_set"),
        ({"scorer": CorrelatedAgreement(classes=3, tasks=499)}, "scores 499 tasks, Weights brings 500"),
        ({"scorer": OutputAgreement(classes=4, tasks=500)}, "scores 4 classes, Weights brings 3"),
        ({"scorer": SampleCount()}, "scores samples, Weights brings labels"),
    ],
)
def test_parameters_that_do_not_fit_together_are_refused(parameters, message):
    if "scorer" in parameters and not hasattr(parameters["scorer"], "chance_deviation"):
        with pytest.raises(ConfigError, match=message):
            ChainStrategy(exchange=Weights(signals=Signals(tasks=500)), **parameters)
        return
    with pytest.raises(ConfigError, match=message):
        FedPeerPrediction(**parameters)


def test_settlement_decides_how_many_tasks_and_peers_are_affordable():
    assert FedPeerPrediction().scorer == CorrelatedAgreement(classes=3, tasks=500, bonus_tasks=500, peers=5)
    on_chain = FedPeerPrediction(settlement="onchain").scorer
    assert on_chain == CorrelatedAgreement(classes=3, tasks=500, bonus_tasks=64, peers=1)
    many = FedPeerPrediction(signals=Signals(tasks=20_000)).scorer
    assert many == CorrelatedAgreement(classes=3, tasks=20_000, bonus_tasks=4333, peers=5)


def test_what_travels_decides_how_scores_weigh():
    weights = FedPeerPrediction()
    assert weights.weighting == AboveChance(minimum=2 * weights.scorer.chance_deviation)
    assert FedPeerPrediction(public_set=INPUTS, student=Net()).weighting == Softmax(alpha=10)


def test_scores_weight_the_consensus_of_other_strategies_too(tmp_path):
    strategy = FedSoftLabel(
        public_set=INPUTS, student=Net(), weighting=Softmax(alpha=1), run_directory=tmp_path, num_rounds=1, seed=3,
        distillation={"epochs": 1, "student_epochs": 2}, **nodes_of(4),
    )  # fmt: skip
    start(strategy, federation(4, apps={0: make_app(4, predict=constant)}), rounds=1)
    assert isinstance(strategy.exchange, SoftLabels)
    assert audit(strategy.run_directory) == []


def _untrained(message: Message) -> Message:
    from flwr.app import MetricRecord, RecordDict

    metrics = MetricRecord({"train_loss": 0.0, "num-examples": 10})
    return Message(RecordDict({"arrays": message.content["arrays"], "metrics": metrics}), reply_to=message)
