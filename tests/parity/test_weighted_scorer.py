from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.crypto import Wallet, calibration_commitment, keccak256
from flwr_chainfl.errors import ContractError, ReportError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import pack_calibration
from flwr_chainfl.ledger import Ledger
from flwr_chainfl.ledger.abi import load
from flwr_chainfl.reputation import Opinion, record, reputation
from flwr_chainfl.scoring import Facts, PeerTruthSerum, SampleCount, Scored, Scorer, WeightedPeerTruthSerum
from tests.federation import guest

from .conftest import Twin

# PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN: a contract whose code is what follows.
_STORE = ("61", "80600a3d393df3")
_ADDRESSES = count(10**6)
NOTHING_STORED = "0x00000000000000000000000000000000000000aa"


@dataclass(frozen=True)
class Round:
    scorer: Scorer
    reports: list[bytes]
    calibration: bytes


@st.composite
def rounds(draw: st.DrawFn, *, most_tasks: int) -> Round:
    classes, tasks = draw(st.sampled_from([2, 3, 10, 129, 255])), draw(st.integers(1, most_tasks))
    deviations = draw(st.integers(0, 3))
    few = st.integers(0, min(2, classes - 1))  # few labels, so that peers agree
    label = st.integers(0, classes - 1) | few | few | few
    report = st.lists(label, min_size=tasks, max_size=tasks).map(bytes)
    malformed = st.binary(max_size=14) | st.just(bytes([classes]) * tasks)
    reports = draw(st.lists(report | report | report | malformed, max_size=9))
    item = st.tuples(st.integers(0, tasks), few | st.integers(0, 255)).map(lambda i: i[0].to_bytes(2, "big") + bytes([i[1]]))
    items = b"".join(draw(st.lists(item, max_size=9))) + draw(st.sampled_from([b"", b"\0", b"\0\0"]))
    scorer = draw(st.sampled_from([
        WeightedPeerTruthSerum(classes=classes, tasks=tasks, deviations=deviations),
        WeightedPeerTruthSerum(classes=classes, tasks=tasks, deviations=deviations),
        PeerTruthSerum(classes=classes, tasks=tasks),
    ]))
    return Round(scorer, reports, items)


def _facts(game: Round) -> Facts:
    return Facts(samples=[1] * len(game.reports), calibration=game.calibration)


def _expected(game: Round) -> Scored:
    return game.scorer.score(game.reports, _facts(game))


@settings(max_examples=80)
@given(rounds(most_tasks=12))
def test_reports_score_alike_on_chain(twin: Twin, game: Round) -> None:
    scores, qualities = twin(
        game.scorer.contract, game.scorer.arguments, "score", game.reports, _facts(game).as_tuple()
    )
    assert Scored(list(scores), list(qualities)) == _expected(game)


@pytest.mark.parametrize("classes", [2, 128, 129, 255])
def test_reports_score_alike_on_chain_with_many_tasks(twin: Twin, classes: int) -> None:
    generator = np.random.default_rng(classes)
    truth = generator.integers(0, classes, 700)
    reports = [
        np.where(generator.random(700) < share, truth, generator.integers(0, classes, 700)).astype(np.uint8).tobytes()
        for share in (0.9, 0.7, 0.5, 0.0)
    ] + [bytes([classes - 1]) * 700]
    scorer = WeightedPeerTruthSerum(classes=classes, tasks=700)
    for items in (b"", pack_calibration(range(0, 700, 4), truth[::4])):
        facts = Facts(samples=[1] * 5, calibration=items)
        scores, qualities = twin(scorer.contract, scorer.arguments, "score", reports, facts.as_tuple())
        assert Scored(list(scores), list(qualities)) == scorer.score(reports, facts)
        assert max(scores) > 0


def store_report(ledger: Ledger, report: bytes) -> str:
    """Put a report on chain as FederatedTask does (SSTORE2) and return where."""
    before, after = _STORE
    code = bytes.fromhex(before) + (len(report) + 1).to_bytes(2, "big") + bytes.fromhex(after) + b"\0" + report
    pointer = ledger.chain.send(None, code).contract
    assert pointer is not None
    return pointer


def _resumed(twin: Twin, game: Round, pointers: list[str], works: list[int]) -> Scored:
    """Score stored reports in steps of these sizes, over and over."""
    progress, facts = b"", _facts(game).as_tuple()
    for step in range(10_000):
        work = works[step % len(works)]
        done, progress, scores, qualities = twin(
            game.scorer.contract, game.scorer.arguments, "resume", pointers, facts, progress, work
        )
        if done:
            return Scored(list(scores), list(qualities))
        assert progress
        assert (list(scores), list(qualities)) == ([], [])
    raise AssertionError("10,000 steps brought no result")


@settings(max_examples=25)
@given(rounds(most_tasks=100), st.lists(st.integers(0, 700), min_size=1, max_size=4))
def test_stored_reports_score_alike_however_the_work_is_cut(
    ledger: Ledger, twin: Twin, game: Round, works: list[int]
) -> None:
    pointers = [store_report(ledger, report) for report in game.reports]
    assert _resumed(twin, game, pointers, works) == _expected(game)
    assert _resumed(twin, game, pointers, [10**9]) == _expected(game)


def test_a_report_that_was_not_stored_counts_as_malformed(ledger: Ledger, twin: Twin) -> None:
    reports = [bytes([0, 1, 2])] * 3
    game = Round(WeightedPeerTruthSerum(classes=3, tasks=3), [*reports, b""], b"")
    pointers = [*(store_report(ledger, report) for report in reports), NOTHING_STORED]
    assert _resumed(twin, game, pointers, [1]) == _expected(game)


def test_sample_counts_are_done_in_one_step(ledger: Ledger, twin: Twin) -> None:
    reports = [(3).to_bytes(8, "big"), (9).to_bytes(8, "big"), b"\1"]
    pointers = [store_report(ledger, report) for report in reports]
    facts = Facts(samples=[5, 5, 5])
    done, _, scores, qualities = twin("SampleCountScorer", (), "resume", pointers, facts.as_tuple(), b"", 0)
    assert done
    assert Scored(list(scores), list(qualities)) == SampleCount().score(reports, facts)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((1, 4, 3), "ClassesOutOfRange"), ((3, 24_576, 3), "TasksOutOfRange"), ((3, 4, 10_001), "DeviationsOutOfRange")],
)
def test_a_scorer_out_of_range_cannot_be_deployed(ledger: Ledger, arguments: tuple[Any, ...], name: str) -> None:
    with pytest.raises(ContractError, match=f"WeightedPeerTruthSerumScorer cannot be deployed: {name}"):
        ledger.deploy("WeightedPeerTruthSerumScorer", arguments)


@dataclass(frozen=True)
class Registry:
    """A Reputation contract, and accounts that may record; the index of each is its place from 1."""

    address: str
    recorders: list[Ledger]

    def record(self, task: int, participant: str, round_number: int, score: int, quality: int) -> None:
        data = load("Reputation").encode_call("record", (round_number, [participant], [score], [quality]))
        self.recorders[task - 1].chain.send(self.address, data)

    def view(self, function: str, participant: str) -> Any:
        abi = load("Reputation")
        chain = self.recorders[0].chain
        return abi.decode_result(function, chain.call(self.address, abi.encode_call(function, (participant,))))[0]


@pytest.fixture(scope="module")
def registry(ledger: Ledger) -> Registry:
    recorders = [guest(ledger, Wallet.derived(9, str(i))) for i in range(2)]
    address = ledger.deploy("Reputation")
    for recorder in recorders:
        ledger.chain.send(address, load("Reputation").encode_call("authorise", (recorder.chain.wallet.address,)))
    return Registry(address, recorders)


def _on_chain(opinion: Opinion) -> tuple[int, ...]:
    """Return an opinion as the contract keeps it."""
    assert isinstance(opinion.task, int)
    history = 0
    for quality in opinion.history:
        history = history << 16 | quality
    return (opinion.agreements, opinion.disagreements, opinion.present, opinion.possible, opinion.task,
            opinion.last_round, history, len(opinion.history))


qualities = st.integers(0, WAD) | st.sampled_from([0, WAD - 1, WAD, WAD + 1, 2**256 - 1])
events = st.tuples(st.integers(1, 2), st.integers(1, 3) | st.integers(60, 70), st.integers(-2, 2), qualities)


@settings(max_examples=30)
@given(st.lists(events, min_size=1, max_size=9))
def test_reputations_are_alike_on_chain_after_every_round(
    registry: Registry, history: list[tuple[int, int, int, int]]
) -> None:
    participant = f"0x{next(_ADDRESSES):040x}"
    assert registry.view("reputationOf", participant) == reputation(None)
    opinion, round_number = None, 0
    for task, gap, score, quality in history:
        round_number += gap
        opinion = record(opinion, task=task, round_number=round_number, score=score * WAD, quality=quality)
        registry.record(task, participant, round_number, score * WAD, quality)
        assert tuple(registry.view("opinionOf", participant)) == _on_chain(opinion)
        assert registry.view("reputationOf", participant) == reputation(opinion)


def test_a_round_that_is_not_later_is_refused_alike(registry: Registry) -> None:
    participant = Wallet.derived(10, "again").address
    opinion = record(None, task=1, round_number=5, score=0, quality=WAD)
    registry.record(1, participant, 5, 0, WAD)
    for round_number in (5, 4):
        with pytest.raises(ReportError, match=f"round {round_number} of task 1 is not after round 5"):
            record(opinion, task=1, round_number=round_number, score=0, quality=WAD)
        with pytest.raises(ContractError) as refusal:
            registry.record(1, participant, round_number, 0, WAD)
        decoded = load("Reputation").decode_error(bytes.fromhex(refusal.value.arguments["data"][2:]))
        assert decoded is not None
        assert decoded[0] == "RoundNotLater"
    registry.record(2, participant, 1, 0, WAD)  # of another task


@given(st.binary(max_size=40), st.binary(min_size=32, max_size=32))
def test_a_calibration_s_commitment_is_that_of_its_abi_encoding(items: bytes, salt: bytes) -> None:
    padded = items + bytes(-len(items) % 32)
    fields = (64).to_bytes(32) + salt + len(items).to_bytes(32) + padded
    assert calibration_commitment(items, salt) == keccak256(fields)
