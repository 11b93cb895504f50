"""Correlated and output agreement, equal bit for bit on chain and in Python, however the work is cut."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Ledger
from flwr_chainfl.scoring import CorrelatedAgreement, Facts, OutputAgreement, Scored, Scorer

from .conftest import Twin
from .test_weighted_scorer import NOTHING_STORED, store_report

SEEDS = st.binary(min_size=32, max_size=32)


@dataclass(frozen=True)
class Game:
    scorer: Scorer
    reports: list[bytes]
    facts: Facts


@st.composite
def games(draw: st.DrawFn, *, most_tasks: int) -> Game:
    classes, tasks = draw(st.sampled_from([2, 3, 10, 255])), draw(st.integers(6, most_tasks))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = generator.integers(0, min(classes, 4), tasks)
    reports = []
    for kind in draw(st.lists(st.integers(0, 7), max_size=8)):
        noise = generator.integers(0, classes, tasks)
        if kind < 4:
            labels = np.where(generator.random(tasks) < 0.2 * kind, noise, truth)
        else:
            labels = [noise, np.full(tasks, classes - 1), truth][min(kind - 4, 2)]
        report = labels.astype(np.uint8).tobytes()
        reports.append(report[:-1] + bytes([classes]) if kind == 6 else report + b"\0" if kind == 7 else report)
    items = draw(st.booleans()) and b"".join(t.to_bytes(2, "big") + bytes([truth[t]]) for t in range(0, tasks, 2))
    peers, deviations = draw(st.sampled_from([1, 2, 5, 400])), draw(st.integers(0, 3))
    common = {"classes": classes, "tasks": tasks, "peers": peers, "deviations": deviations}
    scorer = (
        CorrelatedAgreement(bonus_tasks=draw(st.sampled_from([1, 5, tasks - 1, tasks])), **common)
        if draw(st.integers(0, 2))
        else OutputAgreement(**common)
    )
    return Game(scorer, reports, Facts(samples=[1] * len(reports), calibration=items or b"", seed=draw(SEEDS)))


@settings(max_examples=60)
@given(games(most_tasks=40))
def test_reports_score_alike_on_chain(twin: Twin, game: Game) -> None:
    scorer = game.scorer
    scores, qualities = twin(scorer.contract, scorer.arguments, "score", game.reports, game.facts.as_tuple())
    assert Scored(list(scores), list(qualities)) == scorer.score(game.reports, game.facts)


@pytest.mark.parametrize("classes", [10, 255])
def test_long_reports_score_alike_on_chain(twin: Twin, classes: int) -> None:
    generator = np.random.default_rng(classes)
    truth = generator.integers(0, classes, 1999)
    noisy = [np.where(generator.random(1999) < 0.3, generator.integers(0, classes, 1999), truth) for _ in range(5)]
    reports = [labels.astype(np.uint8).tobytes() for labels in noisy]
    facts = Facts(samples=[1] * 5, seed=bytes(range(32)))
    for scorer in (CorrelatedAgreement(classes=classes, tasks=1999), OutputAgreement(classes=classes, tasks=1999)):
        scores, qualities = twin(scorer.contract, scorer.arguments, "score", reports, facts.as_tuple())
        scored = scorer.score(reports, facts)
        assert Scored(list(scores), list(qualities)) == scored
        assert min(scored.scores) > 0


def _resumed(twin: Twin, game: Game, pointers: list[str], works: list[int]) -> Scored:
    progress, facts = b"", game.facts.as_tuple()
    for step in range(10_000):
        work = works[step % len(works)]
        done, progress, scores, qualities = twin(
            game.scorer.contract, game.scorer.arguments, "resume", pointers, facts, progress, work
        )
        if done:
            return Scored(list(scores), list(qualities))
        assert progress
    raise AssertionError("10,000 steps brought no result")


@settings(max_examples=15)
@given(games(most_tasks=40), st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_stored_reports_score_alike_however_the_work_is_cut(
    ledger: Ledger, twin: Twin, game: Game, works: list[int]
) -> None:
    pointers = [store_report(ledger, report) for report in game.reports]
    expected = game.scorer.score(game.reports, game.facts)
    assert _resumed(twin, game, pointers, works) == expected
    assert _resumed(twin, game, pointers, [10**9]) == expected
    assert _resumed(twin, game, [*pointers, NOTHING_STORED], [10**9]) == game.scorer.score(
        [*game.reports, b""], Facts(samples=[1] * (len(pointers) + 1), calibration=game.facts.calibration, seed=game.facts.seed)
    )


@pytest.mark.parametrize(
    "scorer", [CorrelatedAgreement(classes=3, tasks=6), OutputAgreement(classes=3, tasks=6)]
)
def test_receipts_quote_the_formula_that_python_names(twin: Twin, scorer: Scorer) -> None:
    assert twin(scorer.contract, scorer.arguments, "version").rstrip(b"\0").decode() == scorer.formula


@pytest.mark.parametrize(
    ("contract", "arguments", "name"),
    [
        ("CorrelatedAgreementScorer", (3, 5, 1, 1, 3), "TasksOutOfRange"),
        ("CorrelatedAgreementScorer", (3, 6, 7, 1, 3), "BonusTasksOutOfRange"),
        ("CorrelatedAgreementScorer", (3, 6, 0, 1, 3), "BonusTasksOutOfRange"),
        ("CorrelatedAgreementScorer", (3, 6, 1, 0, 3), "PeersOutOfRange"),
        ("OutputAgreementScorer", (3, 6, 401, 3), "PeersOutOfRange"),
        ("OutputAgreementScorer", (3, 6, 1, 10_001), "DeviationsOutOfRange"),
        ("OutputAgreementScorer", (256, 6, 1, 3), "ClassesOutOfRange"),
    ],
)
def test_a_scorer_out_of_range_cannot_be_deployed(
    ledger: Ledger, contract: str, arguments: tuple[int, ...], name: str
) -> None:
    with pytest.raises(ContractError, match=f"{contract} cannot be deployed: {name}"):
        ledger.deploy(contract, arguments)
