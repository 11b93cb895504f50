"""Averages and alignment scores: the contract's equal Python's, bit for bit, however the vectors are cut."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flwr_chainfl.crypto import VectorTree, keccak256, unit_chain
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Average, Ledger, VectorSet
from flwr_chainfl.ledger.abi import load
from flwr_chainfl.packed_vector import pack
from flwr_chainfl.rewards import Consistency, PayFacts
from flwr_chainfl.scoring import Alignment, Facts, VectorReport
from flwr_chainfl.scoring.alignment import pack_factors

from .conftest import Twin

DECLARED = 1000


class Round:
    """Vectors of one round, with their trees and reports."""

    def __init__(self, scorer: Alignment, vectors: list[np.ndarray], samples: list[int], seed: bytes) -> None:
        self.scorer = scorer
        self.trees = {}
        self.reports = []
        for vector, count in zip(vectors, samples, strict=True):
            tree = VectorTree(pack(vector, bits=scorer.bits), scorer.unit)
            self.trees[tree.root] = tree
            self.reports.append(VectorReport(count, 0.5, tree.root).pack())
            scorer.learn(tree.root, tree.data)
        self.set = VectorSet(seed=seed, reports=self.reports, declared=[DECLARED] * len(vectors))

    def facts(self, **more: Any) -> Facts:
        return Facts(samples=self.set.declared, seed=self.set.seed, **more)


def _deploy(ledger: Ledger, scorer: Alignment) -> Average:
    return Average(ledger.chain, ledger.deploy(scorer.contract, scorer.arguments))


def _scores(ledger: Ledger, contract: Average, game: Round, **more: Any) -> tuple[list[int], list[int]]:
    facts = game.facts(**more).as_tuple()
    data = ledger.chain.call(
        contract.address, load("AlignmentScorer").encode_call("score", (game.reports, facts))
    )
    scores, qualities = load("AlignmentScorer").decode_result("score", data)
    return list(scores), list(qualities)


def _vectors(rng: np.random.Generator, scorer: Alignment, count: int, kind: str) -> list[np.ndarray]:
    limit = 2 ** (scorer.bits - 1)
    if kind == "extremes":
        return [rng.choice([-limit, limit - 1], scorer.parameters) for _ in range(count)]
    if kind == "lowest":
        return [np.full(scorer.parameters, -limit)] * count
    if kind == "alike":
        common = rng.integers(-limit // 4, limit // 4, scorer.parameters)
        noise = [rng.integers(-3, 4, scorer.parameters) for _ in range(count)]
        return [common + extra if i else -common for i, extra in enumerate(noise)]
    return [rng.integers(-limit, limit, scorer.parameters) for _ in range(count)]


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("kind", ["random", "extremes", "lowest", "alike"])
def test_the_contract_averages_and_scores_as_python_does(ledger: Ledger, bits: int, kind: str) -> None:
    rng = np.random.default_rng(bits)
    scorer = Alignment(parameters=1037, bits=bits, unit=64 * bits, leave_one_out=kind != "lowest")
    game = Round(scorer, _vectors(rng, scorer, 5, kind), [7, 300, 0, 1000, 41], rng.bytes(32))
    contract = _deploy(ledger, scorer)
    contract.compute(game.set, game.trees, most=600 * bits)
    key, expected = contract.key(game.set), scorer.sums(game.reports, game.set.declared)
    found = contract.sums(key)
    assert expected is not None
    assert contract.aggregate(key) == pack(expected.average, bits=bits)
    assert found.chain == unit_chain(pack(expected.average, bits=bits), unit=scorer.unit)
    assert (found.norm, found.places, found.weights) == (expected.norm, expected.places, expected.weights)
    assert (found.dots, found.norms) == (expected.dots, expected.norms)
    scored = scorer.score(game.reports, game.facts())
    assert _scores(ledger, contract, game) == (scored.scores, scored.qualities)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parameters=st.integers(1, 40), bits=st.sampled_from([8, 16, 32]), seed=st.integers(0, 2**32),
    samples=st.lists(st.sampled_from([0, 1, 2, 999, 1000, 1001]), min_size=1, max_size=6),
    kind=st.sampled_from(["random", "extremes", "alike"]), cosine=st.booleans(), leave_one_out=st.booleans(),
    accuracy=st.booleans(), unit=st.sampled_from([32, 64, 96]),
)
def test_scores_are_alike_by_every_rule_with_marks_and_factors(
    ledger: Ledger, twin: Twin, parameters: int, bits: int, seed: int, samples: list[int], kind: str, cosine: bool,
    leave_one_out: bool, accuracy: bool, unit: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    scorer = Alignment(
        parameters=parameters, bits=bits, unit=unit, cosine=cosine, leave_one_out=leave_one_out, accuracy=accuracy
    )
    game = Round(scorer, _vectors(rng, scorer, len(samples), kind), samples, rng.bytes(32))
    game.reports.append(b"malformed")
    game.set = VectorSet(seed=game.set.seed, reports=game.reports, declared=[DECLARED] * len(game.reports))
    n = len(game.reports)
    marks = [[int(rng.integers(0, WAD + 2)) for _ in range(n + 1)] if rng.random() < 0.7 else [] for _ in range(n)]
    table = [(report[16:48], int(rng.integers(0, 3 * WAD))) for report in game.reports if rng.random() < 0.7 and len(report) == 48]
    calibration = pack_factors(rng.bytes(32), table) + (b"\1" if rng.random() < 0.2 else b"")
    contract = _deploy(ledger, scorer)
    if scorer.sums(game.reports, game.set.declared) is not None:
        contract.compute(game.set, game.trees, most=200)
    scored = scorer.score(game.reports, game.facts(marks=marks, calibration=calibration))
    assert _scores(ledger, contract, game, marks=marks, calibration=calibration) == (scored.scores, scored.qualities)


@settings(max_examples=60)
@given(
    st.integers(0, 2**96), st.integers(0, 2**90), st.integers(0, 10 * WAD), st.integers(0, 100),
    st.lists(st.tuples(st.integers(-(2**100), 2**100), st.integers(0, 2**32 - 1)), max_size=8),
)
def test_consistency_pays_alike_on_chain(
    twin: Twin, budget: int, slashes: int, alpha: int, cap: int, who: list[tuple[int, int]]
) -> None:
    schedule = Consistency(alpha=alpha, cap=cap)
    scores, facts = [score for score, _ in who], PayFacts(streaks=[streak for _, streak in who])
    amounts = schedule.split(budget, slashes, scores, facts)
    assert list(twin(schedule.contract, schedule.arguments, "split", budget, slashes, scores, facts.as_tuple(len(who)))) == amounts
    assert sum(amounts) in (0, budget + slashes)


def test_hashes_of_units_are_the_contracts(ledger: Ledger) -> None:
    scorer = Alignment(parameters=200, bits=8, unit=64)
    rng = np.random.default_rng(3)
    game = Round(scorer, _vectors(rng, scorer, 1, "random"), [1], rng.bytes(32))
    contract = _deploy(ledger, scorer)
    contract.compute(game.set, game.trees, most=1)  # a unit a transaction
    tree = next(iter(game.trees.values()))
    assert contract.aggregate(contract.key(game.set)) == tree.data
    assert contract.sums(contract.key(game.set)).chain == unit_chain(tree.data, unit=64)
    assert keccak256(tree.part(3, 1)) in tree.proof(2, 1)
