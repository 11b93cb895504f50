"""Disputes by parts in whole runs: what the requester or a challenger claims falsely of an average is overturned."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import ArrayRecord

from examples.benchmarks.grid import act_as_server
from flwr_chainfl import FedAlignment, Updates, Wallet
from flwr_chainfl.audit import audit
from flwr_chainfl.crypto import VectorTree
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Average, Ledger, RoundStatus
from flwr_chainfl.packed_vector import pack
from flwr_chainfl.scoring import VectorReport
from flwr_chainfl.serverapp import averaging
from flwr_chainfl.serverapp.averaging import Averaging, claimed_parts
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.storage import address_of_digest
from flwr_chainfl.weights import unpack_weights
from tests.federation import approve, guest
from tests.serverapp.federation import Net, federation, start

CLIENTS, SPAN = 3, 2


@pytest.fixture(autouse=True)
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the four units of this model's vectors be many, so that a dispute goes by parts."""
    monkeypatch.setattr(averaging, "_WORTH_CLAIMING", 0)
    monkeypatch.setattr(averaging, "TRANSACTION_BYTES", SPAN * 1536 * CLIENTS)


@pytest.fixture(scope="module")
def undisputed(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What everybody is paid where nobody lies."""
    act_as_server()
    with pytest.MonkeyPatch.context() as patches:
        return paid(run(tmp_path_factory.mktemp("true"), patches)[1])


@dataclass
class Challenger:
    """Somebody with an account and a bond of its own, who reads contents from the store and acts as the package's code does."""

    strategy: FedAlignment
    averaging: Averaging
    ledger: Ledger

    @classmethod
    def of(cls, strategy: FedAlignment) -> "Challenger":
        """Challenge the posting that is pending."""
        relay, wallet = strategy.relay, Wallet.derived(5, "challenger")
        view = guest(relay.ledger, wallet)
        relay.ledger.mint(relay.token, [wallet.address], 50 * WAD)
        approve(view, relay.token, relay.task.address, 50 * WAD)
        task = view.task(relay.task.address)
        task.challenge(relay.pending[0].round_number)
        average = Average(view.chain, relay.averaging.average.address)
        self = cls(strategy, Averaging(average, task, strategy.scorer, kept=False), view)
        self.averaging.keep([tree.data for tree in self.trees()])
        return self

    @property
    def reports(self) -> dict[str, bytes]:
        return {one.participant: one.report for one in self.strategy.relay.pending[0].revealed}

    def trees(self) -> list[VectorTree]:
        """Return what was committed to, from the weights in the store."""
        exchange = self.strategy.exchange
        vectors = [
            Updates().vector(
                unpack_weights(exchange._store.get(address_of_digest(one.content_digest))), exchange._global,
                step=VectorReport.unpack(one.report).step,
            ).lanes
            for one in self.strategy.relay.pending[0].revealed
        ]  # fmt: skip
        return [VectorTree(pack(lanes, bits=16), 1536) for lanes in vectors]

    def claim(self, change: Any) -> None:
        samples = [VectorReport.unpack(report).samples for report in self.reports.values()]
        parts = change(claimed_parts(self.trees(), samples, bits=16, span=SPAN))
        vectors = self.averaging.vectors(1, list(self.reports), self.reports)
        self.averaging.average.claim(self.strategy.relay.task.address, 1, vectors, SPAN, parts)

    def answer(self) -> None:
        """Do what is to be done about the round's average, as a server's relay does it."""
        self.averaging.compute(1, list(self.reports), self.reports, lambda operation, receipt: None)


def with_a_wrong_product(parts: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    digest, norm, sums = parts[-1]
    return [*parts[:-1], (digest, norm, [bytes(15) + b"\x99" + sums[0][16:], *sums[1:]])]


def run(directory: Path, monkeypatch: pytest.MonkeyPatch, *, lie: int = 0, disputed: Any = None) -> tuple[FedAlignment, dict[str, Any]]:
    """Run two rounds; the first one's posting has a score that is off by `lie`, and is disputed once it is pending."""
    torch.manual_seed(0)
    strategy = FedAlignment(
        arrays=ArrayRecord(Net().state_dict()), min_nodes=CLIENTS, num_rounds=2, seed=3, phase_timeout=0.2,
        run_directory=directory,
    )  # fmt: skip
    true_post, true_settle = Relay.post, Relay.settle

    def post(self: Relay, number: int, revealed: Any, result: Any, **named: Any) -> None:
        scores = (result.scores[0] + (lie if number == 1 else 0), *result.scores[1:])
        true_post(self, number, revealed, type(result)(
            participants=result.participants, scores=scores, qualities=result.qualities, calibration=result.calibration
        ), **named)

    def settle(self: Relay, *, wait: bool) -> Any:
        if disputed is not None and self.pending and self.pending[0].round_number == 1:
            disputed(strategy)
        return true_settle(self, wait=wait)

    with monkeypatch.context() as patched:
        patched.setattr(Relay, "post", post)
        patched.setattr(Relay, "settle", settle)
        start(strategy, federation(CLIENTS))
    assert strategy.run_directory is not None
    return strategy, json.loads((strategy.run_directory / "run.json").read_text())


def paid(record: dict[str, Any]) -> list[list[str]]:
    return [[c["paid"] for c in entry["contributions"]] for entry in record["rounds"]]


def names(strategy: FedAlignment) -> list[str]:
    ledger = Ledger.read("embedded", log_file=strategy.run_directory / "ledger.jsonl")
    return [name for name, _ in Average(ledger.chain, strategy.relay.averaging.average.address).events()]


def resolution(strategy: FedAlignment) -> dict[str, Any]:
    ledger = Ledger.read("embedded", log_file=strategy.run_directory / "ledger.jsonl")
    task = ledger.task(strategy.relay.task.address)
    assert [task.round(number).status for number in (1, 2)] == [RoundStatus.PAID] * 2
    return next(a for name, a in task.events() if name == "ChallengeResolved")


@pytest.mark.parametrize("helps_itself", [True, False])
def test_a_requester_that_posts_and_claims_falsely_is_overturned_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisputed: list[list[str]], helps_itself: bool
) -> None:
    challengers: list[Challenger] = []

    def disputed(strategy: FedAlignment) -> None:
        challenger = Challenger.of(strategy)
        challengers.append(challenger)
        average = strategy.relay.averaging.average
        true_claim = average.claim

        def claim(task: str, number: int, vectors: Any, span: int, parts: Any) -> Any:
            receipt = true_claim(task, number, vectors, span, with_a_wrong_product(parts))
            if not helps_itself:  # it refutes, and leaves the rest to others
                challenger.averaging._task = strategy.relay.task
                monkeypatch.setattr(challenger.averaging, "_claim", lambda *arguments: None)
                monkeypatch.setattr(challenger.averaging.average, "compute", lambda *arguments, **named: [])
            challenger.answer()
            return receipt

        monkeypatch.setattr(average, "claim", claim)

    strategy, record = run(tmp_path, monkeypatch, lie=WAD // 10, disputed=disputed)
    resolved = resolution(strategy)
    assert resolved["upheld"] is False
    assert resolved["winner"] == challengers[0].ledger.chain.wallet.address
    happened = names(strategy)
    assert [name for name in happened if name.startswith("Part")] == [
        "PartsClaimed", "PartRefuted", *(["PartsClaimed"] if helps_itself else [])
    ]  # fmt: skip
    assert ("AverageProgressed" in happened) != helps_itself
    assert paid(record) == undisputed
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize("claim", ["right", "one wrong part"])
def test_what_a_challenger_claims_of_a_true_posting_costs_it_its_bond_and_nobody_else_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisputed: list[list[str]], claim: str
) -> None:
    def disputed(strategy: FedAlignment) -> None:
        challenger = Challenger.of(strategy)
        challenger.claim({"right": lambda parts: parts, "one wrong part": with_a_wrong_product}[claim])

    strategy, record = run(tmp_path, monkeypatch, disputed=disputed)
    resolved = resolution(strategy)
    assert resolved["upheld"] is True
    assert resolved["winner"] == strategy.relay.task.requester
    assert ("PartRefuted" in names(strategy)) == (claim == "one wrong part")
    assert paid(record) == undisputed
    assert audit(strategy.run_directory) == []
