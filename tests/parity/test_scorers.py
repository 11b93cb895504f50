from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Ledger
from flwr_chainfl.scoring import Facts, PeerTruthSerum, SampleCount, Scored, Scorer, WeightedPeerTruthSerum

from .conftest import Twin


def _agree(twin: Twin, scorer: Scorer, reports: list[bytes], samples: list[int], calibration: bytes = b"") -> None:
    facts = Facts(samples=samples, calibration=calibration)
    scores, qualities = twin(scorer.contract, scorer.arguments, "score", reports, facts.as_tuple())
    assert Scored(list(scores), list(qualities)) == scorer.score(reports, facts)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[PeerTruthSerum, list[bytes]]:
    scorer = PeerTruthSerum(classes=draw(st.sampled_from([2, 3, 10, 255])), tasks=draw(st.integers(1, 12)))
    few = st.integers(0, min(2, scorer.classes - 1))  # few labels, so that peers agree
    label = st.integers(0, scorer.classes - 1) | few
    report = st.lists(label, min_size=scorer.tasks, max_size=scorer.tasks).map(bytes)
    malformed = st.binary(max_size=14) | st.just(bytes([scorer.classes]) * scorer.tasks)
    return scorer, draw(st.lists(report | report | report | malformed, max_size=9))


@settings(max_examples=100)
@given(rounds())
def test_peer_truth_serum_scores_alike_on_chain(twin: Twin, game: tuple[PeerTruthSerum, list[bytes]]) -> None:
    scorer, reports = game
    _agree(twin, scorer, reports, [1] * len(reports))


def test_calibration_items_are_ignored_on_chain_too(twin: Twin) -> None:
    scorer = PeerTruthSerum(classes=3, tasks=3)
    _agree(twin, scorer, [bytes([0, 1, 2])] * 3 + [bytes([2, 1, 2])], [1] * 4, bytes([0, 0, 0]) * 9)


@pytest.mark.parametrize("classes", [2, 255])
def test_peer_truth_serum_scores_alike_on_chain_with_the_fewest_and_the_most_classes(twin: Twin, classes: int) -> None:
    scorer = PeerTruthSerum(classes=classes, tasks=255)
    reports = [bytes((task * step) % classes for task in range(255)) for step in (1, 2, 3, 254)]
    _agree(twin, scorer, [*reports, bytes([classes - 1]) * 255], [1] * 5)


@settings(max_examples=100)
@given(st.data())
def test_sample_counts_score_alike_on_chain(twin: Twin, data: st.DataObject) -> None:
    counts = st.integers(0, 2**64 - 1) | st.integers(0, 3)
    claims = data.draw(st.lists(st.tuples(counts.map(lambda n: n.to_bytes(8, "big")) | st.binary(max_size=9), counts)))
    reports, samples = [report for report, _ in claims], [samples for _, samples in claims]
    _agree(twin, SampleCount(), reports, samples, data.draw(st.binary(max_size=6)))


@pytest.mark.parametrize(
    "scorer", [PeerTruthSerum(classes=3, tasks=4), WeightedPeerTruthSerum(classes=3, tasks=4), SampleCount()]
)
def test_receipts_quote_the_formula_that_python_names(twin: Twin, scorer: Scorer) -> None:
    assert twin(scorer.contract, scorer.arguments, "version").rstrip(b"\0").decode() == scorer.formula


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [((1, 4), "ClassesOutOfRange", 1), ((256, 4), "ClassesOutOfRange", 256), ((3, 0), "TasksOutOfRange", 0)],
)
def test_a_scorer_out_of_range_cannot_be_deployed(
    ledger: Ledger, arguments: tuple[Any, ...], name: str, value: int
) -> None:
    with pytest.raises(ContractError, match=f"PeerTruthSerumScorer cannot be deployed: {name}") as refusal:
        ledger.deploy("PeerTruthSerumScorer", arguments)
    assert refusal.value.name == name
    assert value in refusal.value.arguments.values()
