"""The soft-label exchange over real client apps in one process: what travels, who counts, who is remembered."""

import shutil

import numpy as np
import pytest
from flwr.app import RecordDict

from flwr_chainfl import FedSoftLabel, Ledger, Reputation, Wallet
from flwr_chainfl.audit import audit
from flwr_chainfl.distillation import predict
from flwr_chainfl.errors import ConfigError, PublicSetError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import RoundStatus
from tests.serverapp.federation import (
    Net,
    digits,
    federation,
    make_app,
    public_inputs,
    record_of,
    soft_label_strategy,
    start,
    taught,
)


def by_node(record: dict, key: str) -> dict[str, int]:
    return {p["node"]: int(p[key]) for p in record["participants"]}


def consensus_sent(grid) -> list[tuple[int, str, int]]:
    """Return node, message type and bytes of each message that brought a consensus."""
    found = []
    for message in grid.sent:
        for config in message.content.config_records.values():
            if config.get("chainfl.consensus"):
                found.append((message.metadata.dst_node_id, message.metadata.message_type, len(config["chainfl.consensus"])))
    return found


def test_a_consensus_travels_once_to_each_client(tmp_path):
    grid = federation(3)
    start(soft_label_strategy(tmp_path, 3, num_rounds=3), grid, rounds=3)
    sent = consensus_sent(grid)
    assert len(sent) == 3 * 3
    assert {kind for _, kind, _ in sent} == {"evaluate"}


def test_without_evaluation_the_consensus_comes_with_the_next_training(tmp_path):
    grid = federation(3)
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=3)
    strategy.exchange.flower.fraction_evaluate = 0.0
    start(strategy, grid, rounds=3)
    sent = consensus_sent(grid)
    assert sorted(node for node, _, _ in sent) == sorted([1000, 1001, 1002] * 2)
    assert {kind for _, kind, _ in sent} == {"train"}


def test_a_consensus_that_is_coded_against_the_last_one_is_shorter(tmp_path):
    grid = federation(3)
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=5, distillation={"consensus_bits": 2, "epochs": 3})
    start(strategy, grid, rounds=5)
    mine = [size for node, _, size in consensus_sent(grid) if node == 1000]
    assert len(mine) == 5
    assert mine[-1] < mine[0]


@pytest.mark.parametrize("bits", [0, 1, 4, 8])
def test_every_number_of_bits_gives_a_run_that_the_audit_confirms(tmp_path, bits):
    strategy = soft_label_strategy(tmp_path, 3, distillation={"report_bits": bits, "consensus_bits": bits})
    start(strategy, federation(3))
    record = record_of(strategy)
    assert not [event for entry in record["rounds"] for event in entry["events"]]
    assert audit(strategy.run_directory) == []


def test_one_bit_reports_take_less_than_float32_ones(tmp_path):
    uplink = {}
    for bits in (0, 1):
        strategy = soft_label_strategy(tmp_path / str(bits), 3, distillation={"report_bits": bits})
        start(strategy, federation(3))
        uplink[bits] = record_of(strategy)["rounds"][-1]["uplink_bytes"]
    assert uplink[0] - uplink[1] > 3 * (4 * 10 * 60 - 60)


def test_a_restarted_client_is_sent_everything_again(tmp_path):
    """Its state is gone in round 2: it cannot read what is coded against it, says so, and is back in round 3."""
    rounds = []

    def loses_its_state(message, context, app):
        if message.metadata.message_type == "train":
            rounds.append(1)
            if len(rounds) == 2:
                context.state = RecordDict()
        return app(message, context)

    grid = federation(4, intercepts={1: loses_its_state})
    strategy = soft_label_strategy(tmp_path, 4, num_rounds=3)
    start(strategy, grid, rounds=3)
    record = record_of(strategy)
    failures = [(entry["number"], e["kind"]) for entry in record["rounds"] for e in entry["events"] if e["node"] == "1001"]
    assert failures[0] == (2, "client-error")
    assert all(number == 2 for number, _ in failures)
    assert [len(entry["contributions"]) for entry in record["rounds"]] == [4, 3, 4]
    assert audit(strategy.run_directory) == []


def constant(model, inputs, context):
    return np.eye(10, dtype=np.float32)[np.full(len(inputs), 4)]


def relabelling(model, inputs, context):
    return np.roll(predict(model, inputs), 1, axis=1)


def test_a_constant_reporter_counts_nothing_and_earns_nothing(tmp_path):
    public = public_inputs(200)
    strategy = soft_label_strategy(
        tmp_path, 5, num_rounds=3, public_set=public, distillation={"consensus": "peer-weighted", "epochs": 3}
    )
    start(strategy, federation(5, apps={2: make_app(5, predict=constant)}), rounds=3)
    record = record_of(strategy)
    free_rider = next(p["address"] for p in record["participants"] if p["node"] == "1002")
    weights = {c["address"]: c["weight"] for c in record["rounds"][-1]["contributions"]}
    assert weights[free_rider] < min(w for a, w in weights.items() if a != free_rider) / 5
    assert by_node(record, "paid")["1002"] == 0
    assert audit(strategy.run_directory) == []


def known_labels(count: int) -> np.ndarray:
    return digits()[1][:count].astype(np.uint8)


def test_who_is_excluded_is_asked_no_more_where_nobody_has_a_role(tmp_path):
    strategy = soft_label_strategy(
        tmp_path, 5, num_rounds=3, public_set=public_inputs(200), known_labels=known_labels(200), calibration_share=0.1,
        distillation={"consensus": "peer-weighted", "epochs": 0, "weight": 0}, most_strikes=1,
    )  # fmt: skip
    grid = federation(5, apps={0: make_app(5, predict=relabelling)})
    start(strategy, grid, rounds=3)
    record = record_of(strategy)
    liar = next(p["address"] for p in record["participants"] if p["node"] == "1000")
    took_part = [liar in {c["address"] for c in entry["contributions"]} for entry in record["rounds"]]
    assert took_part == [True, False, False]
    assert [[e["kind"] for e in entry["events"] if e["address"] == liar] for entry in record["rounds"][1:]] == [["excluded"]] * 2
    assert [entry["ledger_round"] for entry in record["rounds"]] == [1, 2, 3]
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize("calibrated", [False, True])
def test_calibration_leaves_a_relabelling_majority_without_pay(tmp_path, calibrated):
    """Three of five tell each class as the next one: without outside truth theirs is the consensus."""
    public = public_inputs(200)
    strategy = soft_label_strategy(
        tmp_path, 5, num_rounds=2, public_set=public, known_labels=known_labels(200) if calibrated else None,
        calibration_share=0.1, distillation={"consensus": "peer-weighted", "epochs": 0, "weight": 0},
    )  # fmt: skip
    apps = {partition: make_app(5, predict=relabelling) for partition in (0, 1, 2)}
    start(strategy, federation(5, apps=apps), rounds=2)
    record = record_of(strategy)
    paid = by_node(record, "paid")
    coalition, honest = [paid[str(1000 + i)] for i in (0, 1, 2)], [paid[str(1000 + i)] for i in (3, 4)]
    if calibrated:
        # Two that are left are too few for the peer truth serum, so nobody is paid; the coalition neither.
        assert coalition == [0, 0, 0]
        assert all(entry["calibration"] for entry in record["rounds"])
        last = {c["address"]: c["weight"] for c in record["rounds"][-1]["contributions"]}
        nodes = {p["address"]: p["node"] for p in record["participants"]}
        assert {nodes[a] for a, weight in last.items() if weight == 0} >= {"1000", "1001", "1002"}
    else:
        assert min(coalition) > max(honest)
    assert audit(strategy.run_directory) == []


def test_calibrated_honest_participants_are_paid_as_before(tmp_path):
    strategy = soft_label_strategy(
        tmp_path, 4, num_rounds=2, public_set=public_inputs(200), known_labels=known_labels(200), calibration_share=0.1,
    )  # fmt: skip
    start(strategy, federation(4))
    record = record_of(strategy)
    assert all(amount > 0 for amount in by_node(record, "paid").values())
    commitments = [a["calibration"] for name, a in _events(strategy) if name == "RoundOpened"]
    assert all(commitment != bytes(32) for commitment in commitments)


def _events(strategy):
    record = record_of(strategy)
    ledger = Ledger.read("embedded", log_file=strategy.run_directory / "ledger.jsonl")
    return ledger.task(record["ledger"]["task"]).events()


def test_settlement_on_chain_pays_what_the_optimistic_one_pays(tmp_path):
    paid = {}
    for settlement in ("optimistic", "onchain"):
        strategy = soft_label_strategy(tmp_path / settlement, 4, num_rounds=1, settlement=settlement)
        start(strategy, federation(4), rounds=1)
        record = record_of(strategy)
        paid[settlement] = by_node(record, "paid")
        assert audit(strategy.run_directory) == []
        assert ("computeScores" in record["rounds"][0]["gas"]) == (settlement == "onchain")
        assert record["conservation"]["locked"] == "0"
    assert paid["optimistic"] == paid["onchain"]
    assert max(paid["onchain"].values()) > 0


def test_a_bad_name_keeps_a_participant_out_and_a_good_one_does_not(tmp_path):
    strategy = soft_label_strategy(
        tmp_path, 5, num_rounds=6, public_set=public_inputs(200),
        reputation=Reputation(minimum=0.3, exploration=0.0, patience=3), distillation={"epochs": 3},
        min_train_nodes=3, min_evaluate_nodes=5,
    )  # fmt: skip
    start(strategy, federation(5, apps={1: make_app(5, predict=constant)}), rounds=6)
    record = record_of(strategy)
    left_out = [(entry["number"], e["node"]) for entry in record["rounds"] for e in entry["events"] if e["kind"] == "not-chosen"]
    assert left_out == [(number, "1001") for number in (4, 5, 6)]
    reputations = by_node(record, "reputation")
    assert reputations["1001"] < 0.3 * WAD < 0.5 * WAD < min(v for node, v in reputations.items() if node != "1001")
    assert audit(strategy.run_directory) == []


def test_reputation_outlasts_the_task(tmp_path):
    ledger = Ledger.open("embedded", seed=3, log_file=tmp_path / "ledger.jsonl")
    registry = ledger.deploy_registry()
    remembered, directories = {}, []
    for name in ("first", "second"):
        strategy = soft_label_strategy(
            tmp_path / name, 4, ledger=ledger, reputation=Reputation(registry=registry.address), num_rounds=2
        )
        start(strategy, federation(4))
        record = record_of(strategy)
        directories.append(strategy.run_directory)
        remembered[name] = {c["address"]: int(c["reputation"]) for c in record["rounds"][0]["contributions"]}
        if name == "first":
            after = {p["address"]: int(p["reputation"]) for p in record["participants"]}
    assert set(remembered["first"].values()) == {35 * WAD // 100}
    assert remembered["second"] == after
    assert all(value > 35 * WAD // 100 for value in after.values())
    ledger.close()
    for directory in directories:  # the second task changed reputations that the first one's record holds
        shutil.copy(tmp_path / "ledger.jsonl", directory)
        assert audit(directory) == []


def test_without_reputation_nobody_has_one(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=1, reputation=None)
    start(strategy, federation(3), rounds=1)
    record = record_of(strategy)
    assert {p["reputation"] for p in record["participants"]} == {None}
    assert audit(strategy.run_directory) == []


def test_the_student_learns_known_labels_by_their_weight_and_no_client_is_told_them(tmp_path, monkeypatch):
    known = known_labels(200)
    known[::3] = 255
    grid = federation(3)
    strategy = soft_label_strategy(
        tmp_path, 3, num_rounds=1, public_set=public_inputs(200), known_labels=known, distillation={"known_weight": 0.25}
    )
    targets, consensus = taught(monkeypatch, strategy, grid)
    unknown = known == 255
    np.testing.assert_array_equal(targets[unknown], consensus[unknown])
    np.testing.assert_allclose(targets[~unknown], 0.75 * consensus[~unknown] + 0.25 * np.eye(10)[known[~unknown]], atol=1e-6)
    assert record_of(strategy)["config"]["known-weight"] == 0.25
    carried = [v for m in grid.sent for c in m.content.config_records.values() for v in c.values() if isinstance(v, bytes)]
    assert carried
    assert not any(known.tobytes()[:100] in value for value in carried)
    assert audit(strategy.run_directory) == []


def test_labels_that_the_user_knows_are_not_taught_unless_asked_for(tmp_path, monkeypatch):
    strategy = soft_label_strategy(
        tmp_path, 3, num_rounds=1, public_set=public_inputs(200), known_labels=known_labels(200)
    )
    targets, consensus = taught(monkeypatch, strategy, federation(3))
    np.testing.assert_array_equal(targets, consensus)


def test_a_weight_of_known_labels_that_cannot_be_is_refused():
    for weight, message in ((1.5, "known_weight is 1.5"), (0.5, "known_weight is 0.5 and no labels are known")):
        with pytest.raises(ConfigError, match=message):
            FedSoftLabel(public_set=public_inputs(), student=Net(), distillation={"known_weight": weight})


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.zeros(59, dtype=int), r"shape \(59,\).*60"), (np.full(60, 10), "10 at 0.*below 10"), (np.zeros(60), "float64")],
)
def test_known_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(PublicSetError, match=message):
        FedSoftLabel(public_set=public_inputs(), student=Net(), known_labels=labels)


def test_a_model_function_that_wants_the_context_gets_it(tmp_path):
    seen = set()

    def own_model(context):
        seen.add(int(context.node_config["partition-id"]))
        return Net()

    start(
        soft_label_strategy(tmp_path, 3, num_rounds=1),
        federation(3, apps={i: make_app(3, model=own_model) for i in range(3)}),
        rounds=1,
    )
    assert seen == {0, 1, 2}


def test_each_client_s_own_metrics_are_in_the_record(tmp_path):
    strategy = soft_label_strategy(tmp_path, 3, num_rounds=1)
    start(strategy, federation(3), rounds=1)
    entry = record_of(strategy)["rounds"][0]
    assert [one["node"] for one in entry["evaluations"]] == ["1000", "1001", "1002"]
    own = [one["metrics"]["accuracy"] for one in entry["evaluations"]]
    assert entry["accuracy"] == pytest.approx(sum(own) / 3)


def test_a_false_posting_is_overturned_and_honest_pay_is_unchanged(tmp_path):
    """The server posts another score for one participant; a stranger challenges."""
    from tests.serverapp.test_rounds import challenge_of

    paid = {}
    for lie in (0, WAD):
        strategy = soft_label_strategy(tmp_path / str(lie), 4, num_rounds=1)
        relay_settle = []

        def dishonest(relay, *, lie=lie, strategy=strategy, relay_settle=relay_settle):
            true_post, true_settle = relay.post, relay.settle

            def post(number, revealed, result, **named):
                scores = (result.scores[0] + lie, *result.scores[1:])
                true_post(number, revealed, type(result)(
                    participants=result.participants, scores=scores, qualities=result.qualities,
                    calibration=result.calibration), **named)

            def settle(*, wait):
                if lie and relay.pending and not relay_settle:
                    relay_settle.append(challenge_of(strategy, tmp_path))
                return true_settle(wait=wait)

            relay.post, relay.settle = post, settle

        opened = strategy._open

        def open_dishonestly(grid, *, opened=opened, dishonest=dishonest):
            run = opened(grid)
            dishonest(run.relay)
            return run

        strategy._open = open_dishonestly
        start(strategy, federation(4), rounds=1)
        record = record_of(strategy)
        paid[lie] = by_node(record, "paid")
        assert strategy.relay.task.round(1).status == RoundStatus.PAID
        if lie:
            resolved = next(a for name, a in _events(strategy) if name == "ChallengeResolved")
            assert resolved["upheld"] is False
            assert resolved["winner"] == relay_settle[0]
    assert paid[0] == paid[WAD]


def test_a_member_does_not_ask_to_join_again(tmp_path):
    seen = []

    def watch(message, context, app):
        reply = app(message, context)
        record = reply.content.config_records.get("chainfl", {})
        if "commitment" in record:
            seen.append(("join-signature" in record, "node-signature" in record))
        return reply

    strategy = soft_label_strategy(tmp_path, 3, num_rounds=2)
    start(strategy, federation(3, intercepts={1: watch}))
    assert seen == [(True, True), (False, False)]
    assert audit(strategy.run_directory) == []


def test_a_member_that_comes_back_with_another_key_asks_to_join(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINFL_PASSWORD", "of the other key")
    other = Wallet.create_keystore(tmp_path / "other.json", "of the other key", iterations=2)

    def change_key(message, context, app):
        if message.content.config_records.get("config", {}).get("chainfl.round-number") == 2:
            context.node_config.update({"keystore": str(tmp_path / "other.json"), "stake": 100})
        return app(message, context)

    strategy = soft_label_strategy(tmp_path, 3, num_rounds=2)
    start(strategy, federation(3, intercepts={1: change_key}))
    record = record_of(strategy)
    assert other.address in {c["address"] for c in record["rounds"][1]["contributions"]}
    assert len(record["participants"]) == 4
    assert audit(strategy.run_directory) == []
