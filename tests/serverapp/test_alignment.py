"""FedAlignment over real client apps: what the contract averages, what each kind of participant earns, and bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, Context, Message

from flwr_chainfl import FedAlignment, Shapley, Updates
from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import unit_chain
from flwr_chainfl.errors import ConfigError, GasCapError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.packed_vector import pack
from tests.serverapp.federation import Net, digits, federation, record_of, start


def initial() -> ArrayRecord:
    torch.manual_seed(0)
    return ArrayRecord(Net().state_dict())


def strategy_of(directory: Path, count: int, **settings: Any) -> FedAlignment:
    common = {"num_rounds": 2, "seed": 3, "phase_timeout": 0.2, "run_directory": directory}
    return FedAlignment(arrays=initial(), min_nodes=count, **{**common, **settings})


def paid(record: dict) -> dict[int, float]:
    return {int(p["node"]) - 1000: int(p["paid"]) / 1e18 for p in record["participants"]}


def changed(change: Any) -> Any:
    """Train as usual, and send another update: `change` gets the array before and after."""

    def intercept(message: Message, context: Context, app: Any) -> Message:
        if message.metadata.message_type != "train":
            return app(message, context)
        inner = app._registered_funcs["train.default"]

        def pretend(asked: Message, own: Context) -> Message:
            before = asked.content["arrays"]
            reply = inner(asked, own)
            reply.content["arrays"] = ArrayRecord({
                name: Array(change(before[name].numpy(), array.numpy()).astype(array.numpy().dtype))
                for name, array in reply.content["arrays"].items()
            })
            return reply

        app._registered_funcs["train.default"] = pretend
        try:
            return app(message, context)
        finally:
            app._registered_funcs["train.default"] = inner

    return intercept


def test_the_contract_averages_what_the_model_moves_by_and_pays_by_it(tmp_path: Path) -> None:
    strategy = strategy_of(tmp_path, 4, settlement="onchain")
    result = start(strategy, federation(4))
    record = record_of(strategy)
    assert audit(strategy.run_directory) == []
    assert sum(paid(record).values()) == pytest.approx(2000)
    assert all(one > 0 for one in paid(record).values())
    assert record["rounds"][0]["gas"]["average"] > 100_000
    average = strategy.relay.averaging.average
    states = [a for name, a in average.events() if name == "AverageComputed"]
    last = strategy.exchange
    moved = last.updates.applied(last.reference, last._scorer.sums(
        [bytes.fromhex(c["report"]) for c in record["rounds"][1]["contributions"]], [10**6] * 4).average,
        step=np.frombuffer(bytes.fromhex(record["rounds"][1]["contributions"][0]["report"])[8:16], ">f8")[0],
    )
    for name, array in result.arrays.items():
        np.testing.assert_array_equal(array.numpy(), moved[name].numpy())
    lanes = average.aggregate(states[1]["key"])
    assert states[1]["chain"] == unit_chain(lanes, unit=average.unit)
    sums = last._scorer.sums([bytes.fromhex(c["report"]) for c in record["rounds"][1]["contributions"]], [10**6] * 4)
    assert lanes == pack(sums.average, bits=16)


def test_settlement_by_posting_pays_what_settlement_on_chain_pays_and_each_costs_what_was_estimated(tmp_path: Path) -> None:
    earned = []
    for settlement in ("optimistic", "onchain"):
        strategy = strategy_of(tmp_path / settlement, 3, settlement=settlement)
        start(strategy, federation(3))
        record = record_of(strategy)
        earned.append(paid(record))
        assert audit(strategy.run_directory) == []
        used = sum(sum(one["gas"].values()) for one in record["rounds"])
        assert strategy.estimate.total == pytest.approx(used, rel=0.05)
    assert earned[0] == earned[1]


def test_who_does_not_train_or_turns_its_update_around_is_not_paid_and_its_streak_ends(tmp_path: Path) -> None:
    behaviours = {
        3: changed(lambda before, after: before),
        4: changed(lambda before, after: 2 * before - after),
        5: changed(lambda before, after: before + 3 * (after - before)),
    }
    strategy = strategy_of(tmp_path, 6, slash_below=0.0)
    start(strategy, federation(6, intercepts=behaviours))
    record = record_of(strategy)
    earned = paid(record)
    slashed = {int(p["node"]) - 1000: int(p["slashed"]) for p in record["participants"]}
    assert earned[3] == earned[4] == 0
    assert slashed[4] > 0 == slashed[3]
    assert earned[5] < 1.3 * max(earned[client] for client in range(3))  # three times as long, not three times the pay
    assert audit(strategy.run_directory) == []
    assert {e["kind"] for r in record["rounds"] for e in r["events"]} <= {"clipped"}


def test_a_shapley_round_corrects_the_pay_by_a_table_that_the_audit_recomputes(tmp_path: Path) -> None:
    images, labels = digits()

    def value(arrays: ArrayRecord) -> float:
        model = Net()
        model.load_state_dict(arrays.to_torch_state_dict())
        with torch.no_grad():
            return float((model(torch.from_numpy(images[:200])).argmax(1).numpy() == labels[:200]).mean())

    strategy = strategy_of(tmp_path, 4, shapley=Shapley(value=value, every=2), settlement="onchain")
    start(strategy, federation(4))
    record = record_of(strategy)
    assert record["rounds"][0]["calibration"] is None
    calibration = bytes.fromhex(record["rounds"][1]["calibration"])
    assert len(calibration) == 32 + 4 * 40
    factors = [int.from_bytes(calibration[i + 32 : i + 40], "big") for i in range(32, len(calibration), 40)]
    assert all(WAD // 2 <= factor <= 2 * WAD for factor in factors)
    assert len(set(factors)) > 1
    assert audit(strategy.run_directory) == []
    for path in (strategy.run_directory / "store").rglob("*"):
        if path.is_file() and b'"kind": "shapley"' in (data := path.read_bytes()):
            path.chmod(0o644)
            path.write_bytes(data.replace(b'"seed"', b'"Seed"'))
    assert any("Shapley table" in str(one) for one in audit(strategy.run_directory))


@pytest.mark.parametrize("updates", [Updates(names=("layers.3.weight", "layers.3.bias")), Updates(projection=64), Updates(bits=8)])
def test_a_subset_or_a_sketch_of_the_update_is_enough_to_score(tmp_path: Path, updates: Updates) -> None:
    strategy = strategy_of(tmp_path, 3, updates=updates, settlement="onchain")
    result = start(strategy, federation(3))
    before = initial()
    moved = {name for name, array in result.arrays.items() if (array.numpy() != before[name].numpy()).any()}
    assert moved == (set(updates.names) or set(before))
    assert audit(strategy.run_directory) == []
    assert min(paid(record_of(strategy)).values()) > 0


def test_feedback_brings_the_model_of_8_bits_closer_to_the_exact_average(tmp_path: Path) -> None:
    def moving(client: int) -> Any:
        def move(before: np.ndarray, after: np.ndarray) -> np.ndarray:
            return before + 0.01 * np.sin((client + 1) * np.arange(before.size)).reshape(before.shape)

        return changed(move)

    rounds, start_model = 4, initial()
    distances = {}
    for feedback in (False, True):
        strategy = strategy_of(tmp_path / str(feedback), 3, num_rounds=rounds, updates=Updates(bits=8, feedback=feedback))
        result = start(strategy, federation(3, intercepts={client: moving(client) for client in range(3)}), rounds=rounds)
        total = 0.0
        for name, array in result.arrays.items():
            mean = np.mean([np.sin((client + 1) * np.arange(array.numpy().size)) for client in range(3)], axis=0)
            exact = start_model[name].numpy() + rounds * 0.01 * mean.reshape(array.numpy().shape)
            total += float(((array.numpy() - exact) ** 2).sum())
        distances[feedback] = total
        assert audit(strategy.run_directory) == []
    assert distances[True] < 0.1 * distances[False]


def test_updates_that_are_not_finite_or_were_committed_to_otherwise_end_the_round_for_their_client(tmp_path: Path) -> None:
    def another_step(message: Message, context: Context, app: Any) -> Message:
        for config in message.content.config_records.values():
            if "chainfl.update-step" in config:
                config["chainfl.update-step"] = 1.0
        return app(message, context)

    behaviours = {3: changed(lambda before, after: after * np.nan), 4: another_step}
    strategy = strategy_of(tmp_path, 5)
    start(strategy, federation(5, intercepts=behaviours))
    record = record_of(strategy)
    events = {int(e["node"]) - 1000: e for e in record["rounds"][0]["events"] if e["kind"] != "slashed"}
    assert events[3]["kind"] == "client-error"
    assert "must be finite" in events[3]["detail"]
    assert events[4]["kind"] == "false-reveal"
    assert "another step" in events[4]["detail"]
    assert audit(strategy.run_directory) == []


def test_a_run_above_the_gas_cap_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    with pytest.raises(GasCapError, match="above the cap of 1,000,000; settle optimistically"):
        strategy_of(tmp_path, 3, settlement="onchain", gas_cap=1_000_000)
    with pytest.raises(ConfigError, match="no floating-point array 'head'"):
        strategy_of(tmp_path, 3, updates=Updates(names=("head",)))
    assert list(tmp_path.iterdir()) == []
