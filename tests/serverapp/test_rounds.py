"""Whole runs of the strategy over real client apps in one process."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp.mod import fixedclipping_mod
from flwr.serverapp.strategy import (
    DifferentialPrivacyClientSideFixedClipping,
    DifferentialPrivacyServerSideFixedClipping,
    Krum,
    Strategy,
)

from flwr_chainfl import (
    ChainStrategy,
    Ledger,
    PeerTruthSerum,
    Proportional,
    SampleCount,
    SoftLabels,
    Wallet,
    Weights,
)
from flwr_chainfl.audit import audit
from flwr_chainfl.errors import ConfigError, ParticipationError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import AGGREGATIONS, LabelFormat, hard_labels
from flwr_chainfl.ledger.abi import load
from flwr_chainfl.record import TOP_LEVEL_KEYS
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.storage import address, digest
from tests.serverapp.federation import (
    Net,
    fedavg,
    federation,
    make_app,
    nodes_of,
    public_inputs,
    record_of,
    soft_label_strategy,
    start,
)


def paid(record: dict) -> dict[str, int]:
    return {p["node"]: int(p["paid"]) for p in record["participants"]}


def events(record: dict, kind: str) -> list[dict]:
    return [event for entry in record["rounds"] for event in entry["events"] if event["kind"] == kind]


def weights_strategy(tmp_path: Path, inner: Strategy, **settings) -> ChainStrategy:
    exchange = Weights(inner, clipped=settings.pop("clipped", False))
    return ChainStrategy(
        exchange=exchange, scorer=SampleCount(), run_directory=tmp_path,
        **{"num_rounds": 2, "seed": 3, "phase_timeout": 0.2, **settings},
    )  # fmt: skip


def test_soft_labels_travel_and_weights_do_not(tmp_path):
    grid = federation(4)
    strategy = soft_label_strategy(tmp_path, 4)
    result = start(strategy, grid)
    assert all(not message.content.array_records for message in grid.sent)
    assert list(result.arrays) == list(Net().state_dict())


def test_the_whole_budget_is_paid_and_nothing_stays_behind(tmp_path):
    strategy = soft_label_strategy(tmp_path, 4)
    start(strategy, federation(4), rounds=2)
    record = record_of(strategy)
    assert tuple(record) == TOP_LEVEL_KEYS
    paying = [entry for entry in record["rounds"] if any(int(c["paid"]) for c in entry["contributions"])]
    assert sum(paid(record).values()) >= len(paying) * 1000 * WAD > 0
    assert record["conservation"]["locked"] == record["conservation"]["dust"] == "0"


def test_start_is_flowers_own():
    assert ChainStrategy.start is Strategy.start
    assert "start" not in vars(ChainStrategy)


def test_two_runs_with_one_seed_have_one_digest(tmp_path):
    digests = []
    for name in ("a", "b"):
        strategy = soft_label_strategy(tmp_path / name, 4)
        start(strategy, federation(4))
        digests.append(record_of(strategy)["ledger"]["digest"])
    other = soft_label_strategy(tmp_path / "c", 4, seed=4)
    start(other, federation(4))
    assert digests[0] == digests[1] != record_of(other)["ledger"]["digest"]


def test_contents_on_an_ipfs_node_are_those_of_a_folder_and_are_audited_from_there(tmp_path, ipfs):
    in_folder = soft_label_strategy(tmp_path / "folder", 4)
    start(in_folder, federation(4))
    on_node = soft_label_strategy(tmp_path / "node", 4, store=f"ipfs:{ipfs}")
    start(on_node, federation(4))
    assert record_of(on_node)["ledger"]["digest"] == record_of(in_folder)["ledger"]["digest"]
    assert on_node.run_directory is not None
    assert not (on_node.run_directory / "store").exists()
    assert record_of(on_node)["config"]["store"] == f"ipfs:{ipfs}"
    assert audit(on_node.run_directory) == []


def test_a_run_keeps_the_contents_of_its_last_rounds_only(tmp_path):
    strategy = soft_label_strategy(tmp_path / "run", 4, num_rounds=3, keep_rounds=1, store=f"folder:{tmp_path}/kept")
    start(strategy, federation(4), rounds=3)
    record = record_of(strategy)
    contents = [[c["content"] for c in entry["contributions"]] for entry in record["rounds"]]
    assert len(set(contents[2])) == 4
    kept = {file.name for file in (tmp_path / "kept").rglob("*") if file.is_file()}
    assert kept == {record["config"]["terms"], record["config"]["public-set"], record["rounds"][2]["consensus"], *contents[2]}
    assert not events(record, "false-reveal")


def test_audit_finds_nothing_in_a_true_run_and_everything_in_a_tampered_one(tmp_path):
    strategy = soft_label_strategy(tmp_path, 4)
    start(strategy, federation(4))
    assert strategy.run_directory is not None
    assert audit(strategy.run_directory) == []
    file = strategy.run_directory / "run.json"
    genuine = file.read_text()
    record = json.loads(genuine)
    address = record["rounds"][1]["contributions"][0]["address"]
    record["rounds"][1]["contributions"][0]["score"] = "1"
    file.write_text(json.dumps(record))
    assert [d.where for d in audit(strategy.run_directory)] == [f"round 2, {address}, score"]
    file.write_text(genuine)
    content = next((strategy.run_directory / "store").rglob(record["rounds"][0]["contributions"][1]["content"]))
    content.write_bytes(bytes(len(content.read_bytes())))
    assert any("content" in d.where for d in audit(strategy.run_directory))


def test_weights_are_paid_by_sample_count(tmp_path):
    strategy = weights_strategy(tmp_path, fedavg(3))
    start(strategy, federation(3))
    record = record_of(strategy)
    assert audit(strategy.run_directory) == []
    assert sum(paid(record).values()) == 2000 * WAD
    samples = {p["node"]: p["samples"] for p in record["participants"]}
    total = sum(samples.values())
    for node, amount in paid(record).items():
        assert abs(amount - 2000 * WAD * samples[node] / total) < 1e6


def test_weights_equal_plain_fedavg(tmp_path):
    """The protocol changes nothing in what FedAvg computes."""
    apps = {i: make_app(3) for i in range(3)}
    plain = start(fedavg(3), federation(3, apps=apps), rounds=1)
    strategy = weights_strategy(tmp_path, fedavg(3), num_rounds=1, seed=None)
    chained = start(strategy, federation(3, apps=apps), rounds=1)
    assert list(plain.arrays) == list(chained.arrays)
    for name in plain.arrays:
        assert np.allclose(plain.arrays[name].numpy(), chained.arrays[name].numpy(), atol=1e-6)


def test_krum_picks_one_of_the_committed_models(tmp_path):
    strategy = weights_strategy(tmp_path, Krum(num_malicious_nodes=1, **nodes_of(5)))
    grid = federation(5)
    result = start(strategy, grid)
    assert result.arrays is not None
    assert sum(paid(record_of(strategy)).values()) == 2000 * WAD


def test_server_side_clipping_wraps_the_strategy(tmp_path):
    strategy = weights_strategy(tmp_path, fedavg(3), clipped=True)
    wrapped = DifferentialPrivacyServerSideFixedClipping(strategy, 0.01, 0.05, 3)
    result = start(wrapped, federation(3))
    record = record_of(strategy)
    assert not [e for entry in record["rounds"] for e in entry["events"]]
    assert sum(paid(record).values()) == 2000 * WAD
    initial = Net().state_dict()
    assert set(result.arrays) == set(initial)


def test_a_wrapper_that_clips_unannounced_is_named_in_the_events(tmp_path):
    strategy = weights_strategy(tmp_path, fedavg(3), num_rounds=1)
    wrapped = DifferentialPrivacyServerSideFixedClipping(strategy, 0.01, 0.05, 3)
    start(wrapped, federation(3), rounds=1)
    assert "clipped=True" in events(record_of(strategy), "false-reveal")[0]["detail"]


def test_client_side_clipping_is_committed_to_after_the_clipping(tmp_path):
    apps = {i: make_app(3, mods=[fixedclipping_mod]) for i in range(3)}
    strategy = weights_strategy(tmp_path, fedavg(3), num_rounds=1)
    wrapped = DifferentialPrivacyClientSideFixedClipping(strategy, 0.01, 0.05, 3)
    # The mod runs on every message type, evaluation included, so only training is configured here.
    strategy.exchange.flower.fraction_evaluate = 0.0
    start(wrapped, federation(3, apps=apps), rounds=1)
    record = record_of(strategy)
    assert record["rounds"][0]["events"] == []
    assert sum(paid(record).values()) == 1000 * WAD


def test_soft_labels_inside_a_privacy_wrapper(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3)
    wrapped = DifferentialPrivacyServerSideFixedClipping(strategy, 0.001, 1.0, 3)
    result = start(wrapped, federation(3))
    assert list(result.arrays) == list(Net().state_dict())
    assert audit(strategy.run_directory) == []


def fails(message, context, app):
    if message.metadata.message_type == "train":
        raise RuntimeError("out of memory")
    return app(message, context)


def is_late(message, context, app):
    return None


def no_protocol(message, context, app):
    reply = app(message, context)
    return Message(RecordDict({"metrics": MetricRecord({"num-examples": 5})}), reply_to=message) \
        if message.metadata.message_type == "train" else reply  # fmt: skip


def wrong_length(message, context, app):
    reply = app(message, context)
    if message.metadata.message_type == "query.reveal":
        reply.content["chainfl"]["content"] = b"\0" * 7
    return reply


def other_content(message, context, app):
    reply = app(message, context)
    if message.metadata.message_type == "query.reveal":
        content = bytearray(reply.content["chainfl"]["content"])
        content[:40] = content[40:80]
        reply.content["chainfl"]["content"] = bytes(content)
    return reply


def never_reveals(message, context, app):
    return None if message.metadata.message_type == "query.reveal" else app(message, context)


def forged_signature(message, context, app):
    reply = app(message, context)
    if message.metadata.message_type == "train":
        signature = bytearray(reply.content["chainfl"]["signature"])
        signature[5] ^= 1
        reply.content["chainfl"]["signature"] = bytes(signature)
    return reply


def infinite_metric(message, context, app):
    reply = app(message, context)
    reply.content["metrics"] = MetricRecord({"train_loss": 1.0, "num-examples": float("inf")})
    return reply


def unreadable_array(message, context, app):
    reply = app(message, context)
    if message.metadata.message_type == "train":
        next(iter(reply.content["arrays"].values())).data = b"not an array"
    return reply


def other_dtype(message, context, app):
    reply = app(message, context)
    if message.metadata.message_type == "train":
        arrays = {name: array.numpy().astype(np.float64) for name, array in reply.content["arrays"].items()}
        reply.content["arrays"] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return reply


def absurd_samples(message, context, app):
    reply = app(message, context)
    if message.metadata.message_type == "train":
        reply.content["metrics"]["num-examples"] = 1e30
    return reply


@pytest.mark.parametrize("behaviour", [unreadable_array, other_dtype, absurd_samples, no_protocol, fails])
def test_nonsense_in_place_of_weights_costs_only_its_sender(tmp_path, behaviour):
    strategy = weights_strategy(tmp_path, fedavg(4), num_rounds=1)
    result = start(strategy, federation(4, intercepts={2: behaviour}), rounds=1)
    record = record_of(strategy)
    assert {event["node"] for event in record["rounds"][0]["events"]} == {"1002"}
    assert paid(record).get("1002", 0) == 0
    assert sum(paid(record).values()) == 1000 * WAD
    assert all(np.isfinite(array.numpy()).all() for array in result.arrays.values())


def other_metrics(message, context, app):
    reply = app(message, context)
    if "metrics" in reply.content:
        reply.content["metrics"]["surprise"] = 1.0
    return reply


@pytest.mark.parametrize(
    ("behaviour", "kind", "slashed"),
    [
        (fails, "client-error", False),
        (is_late, "no-reply", False),
        (no_protocol, "unusable-reply", False),
        (wrong_length, "false-reveal", True),
        (other_content, "false-reveal", True),
        (never_reveals, "no-reveal", True),
        (forged_signature, "unusable-reply", False),
        (infinite_metric, "unusable-reply", False),
        (other_metrics, "unusable-reply", False),
    ],
)
def test_a_client_that_misbehaves_costs_only_itself(tmp_path, behaviour, kind, slashed):
    strategy = soft_label_strategy(tmp_path, 5)
    start(strategy, federation(5, intercepts={2: behaviour}))
    record = record_of(strategy)
    assert {event["node"] for event in events(record, kind)} == {"1002"}
    income = paid(record)
    assert income.get("1002", 0) == 0
    assert all(income[node] > 0 for node in ("1000", "1001", "1003", "1004"))
    losses = {p["node"]: int(p["slashed"]) for p in record["participants"]}
    assert (losses.get("1002", 0) > 0) == slashed
    assert record["conservation"]["dust"] == "0"
    assert audit(strategy.run_directory) == []


def test_a_node_that_uses_anothers_key_is_left_out(tmp_path):
    grid = federation(4)
    grid.nodes[1003].context.node_config["partition-id"] = 0
    strategy = soft_label_strategy(tmp_path, 4, num_rounds=1)
    start(strategy, grid, rounds=1)
    assert "key of its own" in events(record_of(strategy), "unusable-reply")[0]["detail"]


def test_a_late_comer_joins_when_it_comes(tmp_path):
    grid = federation(4)
    late = grid.nodes.pop(1003)
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=2)
    evaluate = strategy.aggregate_evaluate

    def arrive(server_round, replies):
        grid.nodes[1003] = late
        return evaluate(server_round, replies)

    strategy.aggregate_evaluate = arrive
    start(strategy, grid)
    record = record_of(strategy)
    assert [len(entry["contributions"]) for entry in record["rounds"]] == [3, 4]
    assert audit(strategy.run_directory) == []


def test_rounds_that_were_not_planned_are_funded_as_they_come(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=None)
    start(strategy, federation(3), rounds=3)
    assert len(record_of(strategy)["rounds"]) == 3
    strategy.close()
    strategy.close()
    record = record_of(strategy)
    assert record["conservation"]["locked"] == "0"
    assert audit(strategy.run_directory) == []


def test_a_permit_that_was_used_before_is_signed_again(tmp_path):
    """A device that took part in another task with the same token has another permit nonce."""
    ledger = Ledger.open("embedded", seed=9)
    token = ledger.deploy_token()
    ledger.mint(token, [ledger.chain.wallet.address], 10**6 * WAD)
    for name in ("first", "second"):
        strategy = soft_label_strategy(tmp_path / name, 3, ledger=ledger, token=token, num_rounds=1)
        grid = federation(3)
        if name == "first":
            ledger.mint(token, [Wallet.derived(3, f"participant {i}").address for i in range(3)], 500 * WAD)
        start(strategy, grid, rounds=1)
        record = record_of(strategy)
        assert len(record["participants"]) == 3, record["rounds"][0]["events"]
    assert any(message.metadata.message_type == "query.join" for message in grid.sent)


@pytest.mark.parametrize("minimum_score", [0, WAD])
@pytest.mark.parametrize("consensus", ["mean", *AGGREGATIONS])
@pytest.mark.parametrize("kind", ["soft-labels", "weights"])
def test_parts_recombine(tmp_path, kind, consensus, minimum_score):
    if kind == "weights":
        exchange, scorer = Weights(fedavg(3)), SampleCount()
    else:
        exchange = SoftLabels(public_inputs(), Net(), consensus=consensus, sampling=fedavg(3), epochs=1, student_epochs=1)
        scorer = PeerTruthSerum(classes=10, tasks=60)
    strategy = ChainStrategy(
        exchange=exchange, scorer=scorer, schedule=Proportional(minimum_score=minimum_score), num_rounds=1, seed=1,
        run_directory=tmp_path,
    )  # fmt: skip
    start(strategy, federation(3), rounds=1)
    assert audit(strategy.run_directory) == []


def test_parts_that_do_not_fit_are_refused_at_construction(tmp_path):
    with pytest.raises(ConfigError, match=r"PeerTruthSerum scores labels, Weights brings samples"):
        ChainStrategy(exchange=Weights(), scorer=PeerTruthSerum(classes=10, tasks=60))


def test_no_clients_is_an_error_that_says_how_many_came(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3, node_timeout=0.01)
    with pytest.raises(ParticipationError, match=r"1 of 3 clients connected within 0.01 s.*num-supernodes=3"):
        start(strategy, federation(1))


def test_when_nobody_can_contribute_the_run_ends_with_the_reason(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3)
    with pytest.raises(ParticipationError, match="out of memory"):
        start(strategy, federation(3, intercepts=dict.fromkeys(range(3), fails)))


def test_a_plain_strategy_finds_an_ordinary_client_app():
    result = start(fedavg(3), federation(3), rounds=1)
    assert result.arrays is not None


def test_a_config_record_of_the_user_reaches_the_train_function(tmp_path):
    seen = []
    app = make_app(3)
    inner = app._registered_funcs["train.default"]

    def spy(message, context):
        seen.append(dict(next(iter(message.content.config_records.values()))))
        return inner(message, context)

    app._registered_funcs["train.default"] = spy
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=1)
    torch.manual_seed(0)
    strategy.start(
        federation(3, apps={0: app}), ArrayRecord(Net().state_dict()), num_rounds=1,
        train_config=ConfigRecord({"lr": 0.5}),
    )  # fmt: skip
    assert seen == [{"lr": 0.5, "server-round": 1}]


def challenge_of(strategy, tmp_path):
    """Let a stranger challenge the posting that is pending, with a bond of its own."""
    from tests.federation import guest

    relay = strategy.relay
    stranger = Wallet.derived(5, "stranger")
    view = guest(relay.ledger, stranger)
    relay.ledger.mint(relay.token, [stranger.address], 50 * WAD)
    approve = load("TestToken").encode_call("approve", (relay.task.address, 50 * WAD))
    view.chain.send(relay.token, approve)
    view.task(relay.task.address).challenge(relay.pending[0].round_number)
    return stranger.address


def test_a_challenged_posting_is_defended_and_the_run_goes_on(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=1)
    settle = Relay.settle

    def challenged(self, *, wait):
        if wait and self.pending and not hasattr(self, "stranger"):
            self.stranger = challenge_of(strategy, tmp_path)
        return settle(self, wait=wait)

    Relay.settle = challenged
    try:
        start(strategy, federation(3), rounds=1)
    finally:
        Relay.settle = settle
    record = record_of(strategy)
    assert {"publishReport", "computeScores"} <= set(record["rounds"][0]["gas"])
    assert "ChallengeResolved" in [name for name, _ in Ledger.read(
        "embedded", log_file=strategy.run_directory / "ledger.jsonl").task(record["ledger"]["task"]).events()]
    assert record["conservation"]["locked"] == "0"
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize("reveals", [True, False])
def test_a_member_that_acts_on_the_ledger_by_itself_does_not_stop_the_run(tmp_path, reveals):
    """It withholds from the server and reveals, or does not, with the contract directly."""
    strategy = soft_label_strategy(tmp_path, 4, num_rounds=2)
    slash_missing = Relay.slash_missing
    grid = federation(4, intercepts={2: never_reveals})

    def direct(self, number, participants):
        state = grid.nodes[1002].context.state["chainfl"]
        wallet = Wallet.derived(3, "participant 2")
        if reveals and self.task.member(wallet.address).committed_round == number:
            stored = grid.nodes[1002].context.state["chainfl.report"]["report"]
            labels = hard_labels(LabelFormat(60, 10, 8).unpack(stored)).tobytes()
            self.task.reveal_report(number, wallet.address, digest(address(stored)), labels, state["salt"])
        return slash_missing(self, number, participants)

    Relay.slash_missing = direct
    try:
        start(strategy, grid)
    finally:
        Relay.slash_missing = slash_missing
    record = record_of(strategy)
    assert [len(entry["contributions"]) for entry in record["rounds"]] == [4 if reveals else 3] * 2
    assert (paid(record)["1002"] > 0) == reveals
    assert audit(strategy.run_directory) == []


def test_the_audit_names_each_thing_that_was_changed(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=1)
    start(strategy, federation(3), rounds=1)
    file = strategy.run_directory / "run.json"
    genuine = file.read_text()
    person = json.loads(genuine)["participants"][0]["address"]

    def change(path, value):
        record = json.loads(genuine)
        *way, last = path
        part = record
        for key in way:
            part = part[key]
        part[last] = value
        file.write_text(json.dumps(record))
        return [difference.where for difference in audit(strategy.run_directory)]

    assert change(["config", "settings", "slash_floor"], "1") == ["config, settings, slash_floor"]
    assert change(["config", "reward-per-round"], "5") == ["config, reward-per-round"]
    assert change(["config", "tasks"], 61) == ["config, tasks"]
    assert change(["participants", 0, "score"], "1") == [f"{person}, score"]
    assert change(["participants", 0, "quality"], "5") == [f"{person}, quality"]
    assert change(["participants", 0, "stake"], "7") == [f"{person}, stake"]
    assert change(["participants", 0, "reputation"], "1") == [f"{person}, reputation"]
    first = json.loads(genuine)["rounds"][0]["contributions"][0]["address"]
    for key in ("quality", "weight", "reputation"):
        assert f"round 1, {first}, {key}" in change(["rounds", 0, "contributions", 0, key], "1")
    assert change(["rounds", 0, "calibration"], "00") == ["round 1, calibration"]
    assert change(["rounds", 0, "consensus"], "b") == ["round 1, consensus"]
    assert change(["conservation", "paid"], "0") == ["conservation, paid"]
    assert change(["ledger", "digest"], None) == ["ledger, digest"]
