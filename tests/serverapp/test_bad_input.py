"""Every mistake gets an error, or a named event, that says what to do."""

import json

import numpy as np
import pytest

from flwr_chainfl import ChainStrategy, FedSoftLabel, SampleCount, SoftLabels, Weights
from flwr_chainfl.errors import (
    ConfigError,
    LedgerError,
    LedgerUnreachableError,
    ModelError,
    PublicSetError,
    RunRecordError,
)
from flwr_chainfl.fixedpoint import WAD
from tests.serverapp.federation import (
    Net,
    fedavg,
    federation,
    make_app,
    nodes_of,
    public_inputs,
    soft_label_strategy,
    start,
)


def events_of(strategy):
    record = json.loads((strategy.run_directory / "run.json").read_text())
    return {e["node"]: e for entry in record["rounds"] for e in entry["events"]}, record


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"reward_per_round": 0}, "reward_per_round is 0; it must be 1 or more"),
        ({"num_rounds": 0}, "num_rounds is 0; it must be 1 or more"),
        ({"stake": 0}, "stake is 0; it must be 1 or more"),
        ({"missing_slash": 1.5}, "missing_slash is 1.5; it must be 1 or less"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"node_timeout": 0}, "node_timeout is 0; it must be above 0"),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_bound(setting, message):
    with pytest.raises(ConfigError, match=message):
        ChainStrategy(exchange=Weights(), scorer=SampleCount(), **setting)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((0, 1, 8, 8), np.float32), r"shape \(0, 1, 8, 8\)"),
        (np.zeros(64, np.float32), r"shape \(64,\)"),
        (np.zeros((5, 1, 9, 9), np.float32), r"shape \(1, 9, 9\).*do not fit the model"),
        (np.full((5, 1, 8, 8), np.nan, np.float32), "not finite"),
        (np.array([["a", "b"]]), "numbers are needed"),
    ],
)
def test_a_public_set_that_cannot_be_used_is_refused_before_the_run(inputs, message):
    with pytest.raises(PublicSetError, match=message):
        SoftLabels(inputs, Net())


def test_a_student_that_gives_no_logits_is_refused():
    with pytest.raises(ModelError, match="logits of shape"):
        SoftLabels(public_inputs(), Net().layers[0:1].append(_Flat()))


class _Flat(Net):
    def forward(self, x):
        return x.sum(dim=1)


@pytest.mark.parametrize("parameter", ["epochs", "temperature", "batch_size", "consensus"])
def test_a_distillation_parameter_out_of_range_is_named(parameter):
    with pytest.raises(ConfigError, match=parameter):
        SoftLabels(public_inputs(), Net(), **{parameter: "median" if parameter == "consensus" else -1})


def test_an_unwritable_run_directory_ends_the_run_before_anybody_trains(tmp_path):
    (tmp_path / "file").write_text("")
    strategy = soft_label_strategy(tmp_path / "file" / "runs", 3)
    grid = federation(3)
    with pytest.raises(RunRecordError, match="run directory .* cannot be written"):
        start(strategy, grid)
    assert grid.sent == []


def test_an_unreachable_ledger_ends_the_run_before_anybody_trains(tmp_path):
    from flwr_chainfl import Wallet

    strategy = soft_label_strategy(tmp_path, 3, ledger="http://127.0.0.1:9", wallet=Wallet.derived(0, "x"))
    grid = federation(3)
    with pytest.raises(LedgerUnreachableError, match=r"no Ethereum node answers at http://127\.0\.0\.1:9"):
        start(strategy, grid)
    assert grid.sent == []


def test_a_requester_without_tokens_is_told_how_many_it_needs(tmp_path):
    from flwr_chainfl import Ledger

    ledger = Ledger.open("embedded")
    token = ledger.deploy_token()
    strategy = soft_label_strategy(tmp_path, 3, ledger=ledger, token=token)
    with pytest.raises(ConfigError, match=r"has 0 units of the token .*need 2400000000000000000000"):
        start(strategy, federation(3))


def test_a_ledger_that_the_run_opened_is_closed_when_it_cannot_begin(tmp_path, monkeypatch):
    from flwr_chainfl import Ledger, Reputation

    closed = []
    close = Ledger.close
    monkeypatch.setattr(Ledger, "close", lambda self: (closed.append(self.chain.url), close(self)))
    strategy = soft_label_strategy(tmp_path, 3, reputation=Reputation(registry="0x" + "11" * 20))
    with pytest.raises(LedgerError, match="no contract at 0x1111"):
        start(strategy, federation(3))
    assert closed == ["embedded"]


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ({"model": lambda: Net(classes=12)}, "client-error", r"shape \(60, 12\).*10 classes"),
        ({"model": None}, "client-error", r"ChainClientApp\(model=Net\)"),
        ({"public_set": public_inputs(59)}, "client-error", "use the task's inputs"),
        ({"stake": WAD}, "join-refused", "StakeTooSmall .* raise the stake or join another task"),
        ({"predict": lambda m, x, c: np.full((60, 10), np.nan, np.float32)}, "client-error", "not finite"),
        ({"predict": lambda m, x, c: np.full((60, 10), -0.1, np.float32)}, "client-error", "below 0"),
        ({"predict": lambda m, x, c: np.full((60, 10), 0.2, np.float32)}, "client-error", "sums to 2, not 1"),
    ],
)
def test_a_client_that_does_not_fit_is_an_event_that_says_why(tmp_path, parameters, kind, message):
    app = make_app(4, **parameters)
    if parameters.get("model") is not None:
        app._registered_funcs["train.default"] = lambda message, context: _untrained(message)
    strategy = soft_label_strategy(tmp_path, 4, num_rounds=1)
    start(strategy, federation(4, apps={1: app}), rounds=1)
    events, record = events_of(strategy)
    assert set(events) == {"1001"}, events
    assert events["1001"]["kind"] in (kind, "evaluation-error")
    first = next(e for e in record["rounds"][0]["events"] if e["kind"] == kind)
    import re

    assert re.search(message, first["detail"])
    assert len(record["rounds"][0]["contributions"]) == 3


def _untrained(message):
    from flwr.app import Message, MetricRecord, RecordDict

    metrics = MetricRecord({"train_loss": 0.0, "num-examples": 10})
    return Message(RecordDict({"arrays": message.content["arrays"], "metrics": metrics}), reply_to=message)


def test_a_client_without_key_on_a_real_ledger_is_told_to_name_one(tmp_path, monkeypatch):
    strategy = soft_label_strategy(tmp_path, 3)
    from flwr_chainfl.ledger.embedded import EmbeddedChain

    monkeypatch.setattr(EmbeddedChain, "is_development", False)
    from flwr_chainfl.errors import ParticipationError

    with pytest.raises(ParticipationError, match="--node-config 'keystore="):
        start(strategy, federation(3))


@pytest.mark.parametrize("stake", [100, 120])
def test_a_keystore_in_the_node_config_is_used(tmp_path, monkeypatch, stake):
    """The test token is given to newcomers in the amount of the task's minimum of 100; 120 is more than it has."""
    from flwr_chainfl import Wallet

    wallet = Wallet.create_keystore(tmp_path / "key.json", "secret", iterations=2)
    monkeypatch.setenv("CHAINFL_PASSWORD", "secret")
    grid = federation(3)
    grid.nodes[1001].context.node_config.update({"keystore": str(tmp_path / "key.json"), "stake": stake})
    strategy = soft_label_strategy(tmp_path / "runs", 3, num_rounds=1)
    start(strategy, grid, rounds=1)
    _, record = events_of(strategy)
    assert (wallet.address in [p["address"] for p in record["participants"]]) == (stake == 100)
    if stake == 120:
        assert "ERC20InsufficientBalance" in record["rounds"][0]["events"][0]["detail"]


@pytest.mark.parametrize("stake", [None, 0, "100"])
def test_a_device_with_a_key_names_its_stake_itself(tmp_path, monkeypatch, stake):
    from flwr_chainfl import Wallet

    Wallet.create_keystore(tmp_path / "key.json", "secret", iterations=2)
    monkeypatch.setenv("CHAINFL_PASSWORD", "secret")
    grid = federation(4)
    grid.nodes[1001].context.node_config["keystore"] = str(tmp_path / "key.json")
    if stake is not None:
        grid.nodes[1001].context.node_config["stake"] = stake
    strategy = soft_label_strategy(tmp_path / "runs", 4, num_rounds=1)
    start(strategy, grid, rounds=1)
    events, _ = events_of(strategy)
    assert "the task asks for 100 tokens" in events["1001"]["detail"]


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_keystore_that_does_not_open_is_an_event(tmp_path, monkeypatch, password):
    from flwr_chainfl import Wallet

    Wallet.create_keystore(tmp_path / "key.json", "secret", iterations=2)
    monkeypatch.delenv("CHAINFL_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("CHAINFL_PASSWORD", password)
    grid = federation(4)
    grid.nodes[1001].context.node_config["keystore"] = str(tmp_path / "key.json")
    strategy = soft_label_strategy(tmp_path / "runs", 4, num_rounds=1)
    start(strategy, grid, rounds=1)
    events, _ = events_of(strategy)
    assert "CHAINFL_PASSWORD" in events["1001"]["detail"]


def test_sampling_parameters_are_flowers(tmp_path):
    strategy = FedSoftLabel(public_set=public_inputs(), student=Net(), run_directory=tmp_path, **nodes_of(4))
    assert strategy.exchange.flower.min_train_nodes == 4
    assert fedavg(4).min_train_nodes == 4
