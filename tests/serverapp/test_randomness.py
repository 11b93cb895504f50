"""Rounds whose seed needs a word of a VRF coordinator, through real messages."""

import json

from flwr_chainfl import ChainStrategy, Ledger, SampleCount, Weights
from flwr_chainfl.audit import audit
from tests.chainlink import Coordinator
from tests.serverapp.federation import fedavg, federation, start


def run(directory, monkeypatch, *, answers: set[int]):
    """Play three rounds, in some of which the coordinator answers; return the strategy and its record."""
    ledger = Ledger.open(log_file=directory / "ledger.jsonl", seed=3)
    coordinator = Coordinator(ledger)
    strategy = ChainStrategy(
        exchange=Weights(fedavg(3)), scorer=SampleCount(), run_directory=directory, ledger=ledger, num_rounds=3, seed=3,
        phase_timeout=0.2, randomness=coordinator.source().address,
    )  # fmt: skip
    wait = ledger.chain.wait_for

    def answer_and_wait(ready, *, until):
        assert not ready()
        if strategy.relay.task.round_number in answers:
            coordinator.answer()
        return wait(ready, until=until)

    monkeypatch.setattr(ledger.chain, "wait_for", answer_and_wait)
    start(strategy, federation(3), rounds=3)
    (directory / "ledger.jsonl").rename(strategy.run_directory / "ledger.jsonl")
    return strategy, json.loads((strategy.run_directory / "run.json").read_text())


def test_the_seed_of_each_round_has_its_word_and_a_round_without_is_void(tmp_path, monkeypatch):
    strategy, record = run(tmp_path, monkeypatch, answers={1, 3})
    first, second, third = record["rounds"]
    assert second["events"] == [
        {"kind": "no-randomness", "node": None, "address": None,
         "detail": "the source of randomness gave no word before the round's deadline; the round is void"}
    ]  # fmt: skip
    assert second["seed"] is None
    assert all(c["score"] is None and c["paid"] == "0" for c in second["contributions"])
    for entry in (first, third):
        assert entry["events"] == []
        assert len(entry["seed"]) == 64
        assert sum(int(c["paid"]) for c in entry["contributions"]) > 0
    assert sum(int(p["paid"]) for p in record["participants"]) + int(record["conservation"]["refunded"]) >= 3000 * 10**18
    assert record["conservation"]["locked"] == record["conservation"]["dust"] == "0"
    assert audit(strategy.run_directory) == []


def test_the_audit_notices_another_seed(tmp_path, monkeypatch):
    strategy, record = run(tmp_path, monkeypatch, answers={1, 2, 3})
    record["rounds"][0]["seed"] = "00" * 32
    (strategy.run_directory / "run.json").write_text(json.dumps(record))
    assert [d.where for d in audit(strategy.run_directory)] == ["round 1, seed"]
