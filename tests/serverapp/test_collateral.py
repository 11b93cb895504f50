"""Collateral, peer review and sealed models over real client apps in one process."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict

from flwr_chainfl import (
    ChainClientApp,
    ChainStrategy,
    Envelopes,
    ExactMean,
    FedCollateral,
    PeerReview,
    PeerReviewScore,
    Weights,
)
from flwr_chainfl.audit import audit
from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import EncryptionKey, EnvelopeContext, TypedData, Wallet, unseal_bytes
from flwr_chainfl.errors import ConfigError, RecipientError, ReportError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.messages import REPLY_RECORD, TYPE_KEY, TYPE_REVEAL, TYPE_REVIEW, EnvelopeTerms
from flwr_chainfl.storage import FolderStore
from tests.serverapp.federation import Net, digits, federation, make_app, record_of, start

STAKE, SLASH = 100 * WAD, 10 * WAD


def strategy_of(directory: Path, count: int, **settings: Any) -> FedCollateral:
    """Return the strategy with a threshold that models of few and small epochs reach."""
    if not settings.get("skewed"):
        settings.setdefault("scorer", PeerReviewScore(threshold=WAD // 2))
    return FedCollateral(
        min_nodes=count, run_directory=directory, stake=STAKE, **{"num_rounds": 2, "seed": 3, "phase_timeout": 0.2, **settings}
    )


def of_clients(record: dict[str, Any], key: str) -> dict[int, int]:
    """Return a figure by client, from 0."""
    return {int(p["node"]) - 1000: int(p[key]) for p in record["participants"]}


def kinds(record: dict[str, Any]) -> set[str]:
    return {event["kind"] for entry in record["rounds"] for event in entry["events"]}


def dishonest(*, noise: bool = False, mark: Callable[[float], float] = lambda accuracy: accuracy) -> ChainClientApp:
    """Return a worker that sends noise in place of a model, or says of others' models what it likes."""
    app = ChainClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        state = message.content["arrays"].to_torch_state_dict()
        if noise:
            state = {name: torch.randn_like(value) for name, value in state.items()}
        metrics = MetricRecord({"train_loss": 0.0, "num-examples": 400})
        return Message(RecordDict({"arrays": ArrayRecord(state), "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        images, labels = digits()
        model = Net()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        with torch.no_grad():
            hits = (model(torch.from_numpy(images[1400:])).argmax(1).numpy() == labels[1400:]).mean()
        metrics = MetricRecord({"accuracy": mark(float(hits)), "loss": 1.0, "num-examples": 397})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def test_honest_workers_review_each_other_and_share_the_pay(tmp_path: Path) -> None:
    grid = federation(4)
    strategy = strategy_of(tmp_path, 4)
    result = start(strategy, grid)
    record = record_of(strategy)
    assert kinds(record) == set()
    assert sum(of_clients(record, "paid").values()) == 2 * 1000 * WAD
    assert set(of_clients(record, "slashed").values()) == {0}
    for entry in record["rounds"]:
        by_score = sorted((int(c["score"]), int(c["paid"])) for c in entry["contributions"])
        assert [paid * 10_000 // (1000 * WAD) for _, paid in by_score] == [937, 1562, 2500, 5000]
    assert [len(entry["marks"]) for entry in record["rounds"]] == [4, 4]
    assert list(result.arrays) == list(Net().state_dict())
    assert record["rounds"][1]["accuracy"] > 0.8
    assert sum(message.metadata.message_type == TYPE_KEY for message in grid.sent) == 4
    assert audit(strategy.run_directory) == []


def test_models_are_seen_sealed_by_the_store_and_on_the_way_and_open_for_readers_only(tmp_path: Path) -> None:
    seen: list[RecordDict] = []

    def watch(message: Message, context: Context, app: Any) -> Message:
        if message.metadata.message_type == TYPE_REVIEW:
            seen.append(message.content)
        reply = app(message, context)
        seen.append(RecordDict(dict(reply.content.items())))
        return reply

    grid = federation(3, intercepts=dict.fromkeys(range(3), watch))
    strategy = strategy_of(tmp_path, 3, num_rounds=1)
    start(strategy, grid, rounds=1)
    assert not any(content.array_records for content in seen)
    record = record_of(strategy)
    store = FolderStore(strategy.run_directory / "store")
    task, chain_id = record["ledger"]["task"], strategy.relay.ledger.chain.chain_id
    for entry in record["rounds"][0]["contributions"]:
        context = EnvelopeContext(chain_id=chain_id, task=task, round_number=1, owner=entry["address"])
        envelope = store.get(entry["content"])
        readers = [EncryptionKey.derived(3, f"participant {client}") for client in range(3)]
        assert len({unseal_bytes(envelope, context=context, key=key) for key in readers}) == 1
        with pytest.raises(RecipientError):
            unseal_bytes(envelope, context=context, key=EncryptionKey.derived(3, "participant 3"))


def test_a_model_of_noise_is_slashed_earns_nothing_and_is_not_in_the_average(tmp_path: Path) -> None:
    grid = federation(5, apps={2: dishonest(noise=True)})
    strategy = strategy_of(tmp_path, 5)
    start(strategy, grid)
    record = record_of(strategy)
    assert of_clients(record, "paid")[2] == 0
    assert of_clients(record, "slashed") == {0: 0, 1: 0, 2: 2 * SLASH, 3: 0, 4: 0}
    assert of_clients(record, "stake")[2] == STAKE - 2 * SLASH
    assert sum(of_clients(record, "paid").values()) == 2 * (1000 * WAD + SLASH)  # the honest share what it lost
    assert all(c["weight"] == 0 for e in record["rounds"] for c in e["contributions"] if int(c["slashed"]))
    assert record["rounds"][1]["accuracy"] > 0.8
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize("worker", ["liar", "silent"])
def test_who_lies_about_others_or_does_not_review_is_slashed_and_costs_nobody_else(tmp_path: Path, worker: str) -> None:
    def silent(message: Message, context: Context, app: Any) -> Message:
        if message.metadata.message_type == TYPE_REVIEW:
            raise ReportError("not today")
        return app(message, context)

    honest = make_app(5)
    liar = make_app(5)
    evaluate = dishonest(mark=lambda accuracy: 1 - accuracy)

    def lie(message: Message, context: Context, app: Any) -> Message:
        return (evaluate if message.metadata.message_type == TYPE_REVIEW else app)(message, context)

    apps = {0: liar, 1: honest}
    grid = federation(5, apps=apps, intercepts={0: lie if worker == "liar" else silent})
    strategy = strategy_of(tmp_path, 5, num_rounds=1)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    assert of_clients(record, "slashed") == {0: SLASH, 1: 0, 2: 0, 3: 0, 4: 0}
    assert of_clients(record, "paid")[0] == 0
    assert kinds(record) == (set() if worker == "liar" else {"no-marks"})
    assert audit(strategy.run_directory) == []


def test_marks_that_were_not_signed_by_their_assessor_are_not_brought_to_the_ledger(tmp_path: Path) -> None:
    def forge(message: Message, context: Context, app: Any) -> Message:
        reply = app(message, context)
        if message.metadata.message_type == TYPE_REVIEW:
            record = reply.content.config_records[REPLY_RECORD]
            scores = record["scores"]
            assert isinstance(scores, list)
            record["scores"] = [0 for _ in scores]
        return reply

    grid = federation(4, intercepts={1: forge})
    strategy = strategy_of(tmp_path, 4, num_rounds=1)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    assert kinds(record) == {"unusable-marks", "few-reviewers"}
    assert len(record["rounds"][0]["marks"]) == 3
    assert of_clients(record, "slashed")[1] == SLASH


def test_who_has_no_key_takes_no_part_and_the_round_goes_on(tmp_path: Path) -> None:
    def keyless(message: Message, context: Context, app: Any) -> Message:
        reply = app(message, context)
        if message.metadata.message_type == TYPE_KEY:
            reply.content.config_records[REPLY_RECORD]["key"] = b"no key"
        return reply

    grid = federation(4, intercepts={3: keyless})
    strategy = strategy_of(tmp_path, 4, num_rounds=1)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    assert "no-key" in kinds(record)
    assert sorted(of_clients(record, "slashed")) == [0, 1, 2]
    assert audit(strategy.run_directory) == []


def test_a_late_comer_reads_reviews_and_is_reviewed_from_its_first_round_on(tmp_path: Path) -> None:
    asked: list[str] = []

    def late(message: Message, context: Context, app: Any) -> Message | None:
        asked.append(message.metadata.message_type)
        return None if asked == [TYPE_KEY] else app(message, context)

    grid = federation(4, intercepts={3: late})
    strategy = strategy_of(tmp_path, 4)
    start(strategy, grid)
    record = record_of(strategy)
    assert asked.count(TYPE_KEY) == 2
    assert [len(entry["contributions"]) for entry in record["rounds"]] == [3, 4]
    assert [len(entry["marks"]) for entry in record["rounds"]] == [3, 4]
    assert all(len(marks) == 3 for marks in record["rounds"][1]["marks"].values())
    assert audit(strategy.run_directory) == []


def test_a_client_seals_for_no_key_that_its_owner_did_not_sign_for(tmp_path: Path) -> None:
    def swap(message: Message, context: Context, app: Any) -> Message:
        (_, config), *_ = message.content.config_records.items()
        if message.metadata.message_type == "train":
            keys = config["chainfl.keys"]
            assert isinstance(keys, list)
            config["chainfl.keys"] = [EncryptionKey.derived(0, "spy").public.to_bytes(), *keys[1:]]
        return app(message, context)

    grid = federation(4, intercepts={1: swap})
    strategy = strategy_of(tmp_path, 4, num_rounds=1)
    start(strategy, grid, rounds=1)
    errors = [event for event in record_of(strategy)["rounds"][0]["events"] if event["kind"] == "client-error"]
    assert len(errors) == 1
    assert "the server has to hand on what" in errors[0]["detail"]


def test_an_envelope_that_does_not_open_is_a_false_reveal(tmp_path: Path) -> None:
    def other_task(message: Message, context: Context, app: Any) -> Message:
        reply = app(message, context)
        if message.metadata.message_type == TYPE_REVEAL:
            record = reply.content.config_records[REPLY_RECORD]
            content = record["content"]
            assert isinstance(content, bytes)
            record["content"] = content[:-1] + bytes([content[-1] ^ 1])
        return reply

    grid = federation(4, intercepts={1: other_task})
    strategy = strategy_of(tmp_path, 4, num_rounds=1)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    assert kinds(record) == {"false-reveal", "slashed", "few-reviewers"}
    assert of_clients(record, "slashed")[1] == SLASH


def test_old_envelopes_are_let_go_and_keys_are_kept(tmp_path: Path) -> None:
    strategy = strategy_of(tmp_path, 3, num_rounds=3, keep_rounds=1, encryption="rsa-oaep")
    start(strategy, federation(3), rounds=3)
    record = record_of(strategy)
    store = FolderStore(strategy.run_directory / "store")
    kept = [[store.is_pinned(c["content"]) for c in entry["contributions"]] for entry in record["rounds"]]
    assert kept == [[False] * 3, [False] * 3, [True] * 3]


def test_plain_models_and_a_uniform_average_run_too(tmp_path: Path) -> None:
    grid = federation(4, apps={0: dishonest(noise=True)})
    strategy = strategy_of(tmp_path, 4, encryption=None, aggregate="uniform", settlement="optimistic", num_rounds=1)
    start(strategy, grid, rounds=1)
    record = record_of(strategy)
    weights = {int(c["slashed"]): c["weight"] for c in record["rounds"][0]["contributions"]}
    assert weights == {0: 1_000_000, SLASH: 0}
    assert not any(message.metadata.message_type == TYPE_KEY for message in grid.sent)
    assert audit(strategy.run_directory) == []


def test_with_skewed_data_reviewers_judge_the_model_that_the_round_began_with_too(tmp_path: Path) -> None:
    grid = federation(4, apps={0: dishonest(noise=True)})
    strategy = strategy_of(tmp_path, 4, skewed=True)
    start(strategy, grid)
    record = record_of(strategy)
    task = record["ledger"]["task"]
    assert all(task in marks for entry in record["rounds"] for marks in entry["marks"].values())
    assert of_clients(record, "paid")[0] == 0
    assert of_clients(record, "slashed")[0] >= SLASH
    assert {of_clients(record, "slashed")[client] for client in (1, 2, 3)} == {0}
    assert audit(strategy.run_directory) == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"aggregate": "median"}, "aggregate is 'median'; 'overall' and 'uniform' are possible"),
        ({"encryption": "rot13"}, "scheme is 'rot13'"),
        ({"skewed": True, "scorer": PeerReviewScore()}, "skewed chooses the scorer"),
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FedCollateral(**parameters)


@pytest.mark.parametrize(("by_samples", "mean"), [(True, 0.999), (False, 0.5)])
def test_what_workers_say_of_their_samples_counts_only_where_it_is_asked_for(by_samples: bool, mean: float) -> None:
    exchange = Weights(by_samples=by_samples)
    accepted = []
    for number, (value, samples) in enumerate([(0.0, 1), (1.0, 999)]):
        asked = Message(RecordDict(), dst_node_id=number + 1, message_type="train")
        content = RecordDict({
            "arrays": ArrayRecord({"w": torch.full((2,), value)}), "metrics": MetricRecord({"num-examples": samples}),
        })  # fmt: skip
        contribution = cast(Any, SimpleNamespace(address=str(number), reply=Message(content, reply_to=asked)))
        accepted.append(contribution)
    aggregate = exchange.aggregate(1, accepted, Standing())
    assert aggregate.arrays is not None
    assert aggregate.arrays["w"].numpy() == pytest.approx([mean, mean])


@pytest.mark.parametrize(
    ("assessment", "message"),
    [(None, "add assessment=PeerReview\\(\\)"), (PeerReview(), "add assessment=PeerReview\\(judges_reference=True\\)")],
)
def test_a_scorer_of_reviews_needs_reviews(assessment: PeerReview | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ChainStrategy(exchange=Weights(), scorer=PeerReviewScore(floor=WAD // 2), assessment=assessment)


def test_envelopes_fit_neither_clipping_nor_miners() -> None:
    with pytest.raises(ConfigError, match="a wrapper cannot clip weights that are sealed"):
        Weights(clipped=True, envelopes=Envelopes())
    with pytest.raises(ConfigError, match="miners average models that they can read"):
        Weights(exact=ExactMean(), envelopes=Envelopes())


@pytest.mark.parametrize(("metric", "found"), [(float("nan"), 0), (-0.5, 0), (1.5, None), ("missing", None)])
def test_a_mark_is_a_share_and_what_is_no_number_is_worth_nothing(tmp_path: Path, metric: Any, found: int | None) -> None:
    app = dishonest(mark=lambda _: metric) if metric != "missing" else dishonest()
    strategy = strategy_of(tmp_path, 4, num_rounds=1, metric="f1" if metric == "missing" else "accuracy")

    def review(message: Message, context: Context, own: Any) -> Message:
        return (app if message.metadata.message_type == TYPE_REVIEW else own)(message, context)

    start(strategy, federation(4, intercepts={0: review}), rounds=1)
    record = record_of(strategy)
    given = [marks for assessor, marks in record["rounds"][0]["marks"].items() if assessor == _address(record, 0)]
    assert [set(marks.values()) for marks in given] == ([] if found is None else [{"0"}])
    assert np.isfinite(record["rounds"][0]["accuracy"] or 0.0)


def _address(record: dict[str, Any], client: int) -> str:
    return next(p["address"] for p in record["participants"] if int(p["node"]) == 1000 + client)


def test_an_audit_finds_a_reader_whose_key_nobody_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy, key = Wallet.derived(0, "spy"), EncryptionKey.derived(0, "spy").public
    honest = Envelopes.terms

    def with_spy(self: Envelopes, nodes: Any) -> EnvelopeTerms:
        terms = honest(self, nodes)
        statement = {"participant": spy.address, "keyId": key.key_id}
        signature = spy.sign(TypedData(domain=self.keys.domain, primary="Key", message=statement)).to_bytes()
        return replace(
            terms, readers=[*terms.readers, spy.address], keys=[*terms.keys, key.to_bytes()],
            signatures=[*terms.signatures, signature],
        )  # fmt: skip

    monkeypatch.setattr(Envelopes, "terms", with_spy)
    strategy = strategy_of(tmp_path, 3, num_rounds=1)
    start(strategy, federation(3), rounds=1)
    found = audit(strategy.run_directory)
    assert len(found) == 3
    assert {str(one).split(", envelope, ")[1] for one in found} == {
        f"keys that nobody registered: ['{key.key_id.hex()}'] is recorded, [] is right"
    }
