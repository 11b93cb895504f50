"""Members that leave the task by themselves, on the ledger, while a run goes on."""


import pytest

from flwr_chainfl import ChainFL, ChainStrategy, Rotation, SampleCount, Wallet, Weights
from flwr_chainfl.audit import audit
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Task
from flwr_chainfl.serverapp.relay import Relay
from tests.federation import approve, guest
from tests.serverapp.federation import (
    Net,
    fedavg,
    federation,
    public_inputs,
    record_of,
    soft_label_strategy,
    start,
)

CLIENTS = 6
LEAVER = Wallet.derived(3, "participant 1")


def everybody_works(directory):
    return soft_label_strategy(directory, CLIENTS, num_rounds=3)


def with_roles(directory):
    return ChainFL(
        public_set=public_inputs(), student=Net(), distillation={"epochs": 1, "student_epochs": 2}, run_directory=directory,
        rotation=Rotation(workers=3, validators=2, miners=1), min_nodes=CLIENTS, num_rounds=3, seed=3, phase_timeout=0.2,
    )  # fmt: skip


def act(strategy, action):
    """Let the leaver do something with the contract by itself, from an account of its own."""
    relay = strategy.relay
    action(guest(relay.ledger, LEAVER), relay.task.address)


def leave(ledger, task):
    ledger.task(task).leave()


def once_in_round(number, act_):
    """Return a function that acts the first time that it is called in a ledger's round."""
    done = []

    def maybe(now):
        if now == number and not done:
            done.append(now)
            act_()

    return maybe


def in_message(kind):
    def install(strategy, monkeypatch):
        leaves = once_in_round(1 if kind == "evaluate" else 2, lambda: act(strategy, leave))

        def intercept(message, context, app):
            if message.metadata.message_type == kind and "config" in message.content:
                leaves(message.content["config"]["chainfl.round-number"])
            return app(message, context)

        return {1: intercept}

    return install


def before_call(owner, method, number):
    """Leave when the server is about to call a method, in the ledger's round of this number."""

    def install(strategy, monkeypatch):
        leaves, true = once_in_round(number, lambda: act(strategy, leave)), getattr(owner, method)

        def call(self, *arguments, **named):
            leaves((self if isinstance(self, Task) else self.task).round_number)
            return true(self, *arguments, **named)

        monkeypatch.setattr(owner, method, call)
        return {}

    return install


MOMENTS = {
    "between two rounds": in_message("evaluate"),
    "while it trains": in_message("train"),
    "just before the round is opened": before_call(Task, "next_round", 1),
    "when it is selected": before_call(Relay, "commit", 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("make", [everybody_works, with_roles])
def test_a_member_that_leaves_by_itself_is_named_and_the_others_go_on(tmp_path, monkeypatch, make, moment):
    strategy = make(tmp_path)
    intercepts = MOMENTS[moment](strategy, monkeypatch)
    start(strategy, federation(CLIENTS, intercepts=intercepts), rounds=3)
    record = record_of(strategy)
    assert [entry["ledger_round"] for entry in record["rounds"]] == [1, 2, 3]
    assert all(entry["contributions"] for entry in record["rounds"])
    for entry in record["rounds"][1:]:
        assert LEAVER.address not in {c["address"] for c in entry["contributions"]}
        of_leaver = {e["kind"] for e in entry["events"] if e["address"] == LEAVER.address}
        assert of_leaver & {"left", "commit-refused", "marks-refused", "attestation-refused"}
    assert [e["kind"] for e in record["rounds"][2]["events"]] == ["left"]
    assert sum(int(c["paid"]) for c in record["rounds"][2]["contributions"]) > 0
    left = next(p for p in record["participants"] if p["address"] == LEAVER.address)
    assert left["stake"] == str(100 * WAD)
    assert record["conservation"]["locked"] == "0"
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize("at_once", [False, True])
def test_a_member_that_left_and_joins_again_takes_part_with_what_it_declares_now(tmp_path, at_once):
    """At once: while it trains, so that the server never sees it gone, and posts its score by what it declares by then."""
    strategy = ChainStrategy(
        exchange=Weights(fedavg(CLIENTS)), scorer=SampleCount(), run_directory=tmp_path, num_rounds=3, seed=3, phase_timeout=0.2,
    )  # fmt: skip

    def join(ledger, task):
        relay = strategy.relay
        relay.ledger.mint(relay.token, [LEAVER.address], 150 * WAD)
        approve(ledger, relay.token, task, 150 * WAD)
        ledger.task(task).join(stake=150 * WAD, samples=7)

    kind = "train" if at_once else "evaluate"
    leaves = once_in_round(2 if at_once else 1, lambda: act(strategy, leave))
    joins = once_in_round(2, lambda: act(strategy, join))

    def intercept(message, context, app):
        if message.metadata.message_type == kind:
            leaves(message.content["config"]["chainfl.round-number"])
            joins(message.content["config"]["chainfl.round-number"])
        return app(message, context)

    start(strategy, federation(CLIENTS, intercepts={1: intercept}), rounds=3)
    record = record_of(strategy)
    found = [next((c["score"] for c in e["contributions"] if c["address"] == LEAVER.address), None) for e in record["rounds"]]
    assert found == [str(200 * WAD), "0" if at_once else None, "0"]  # it says 200 samples, and declares 7
    one = next(p for p in record["participants"] if p["address"] == LEAVER.address)
    assert (one["samples"], one["stake"]) == (7, str(150 * WAD))
    assert audit(strategy.run_directory) == []
