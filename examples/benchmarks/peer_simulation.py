"""Scores of each behaviour in simulated rounds, by the package's own functions, on which the contracts agree bit for bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from examples.benchmarks.pair_theory import expected_score, joint, limit_score
from examples.benchmarks.peer_behaviours import (
    BEHAVIOURS,
    HONEST,
    MATCHES,
    Behaviour,
    Match,
    World,
    draw_reports,
    federation,
    pair_reports,
)
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import pack_calibration, usable
from flwr_chainfl.scoring import CorrelatedAgreement, correlated_agreement, output_agreement

CONFIDENCE = 0.99
QUANTILE = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
CALIBRATION_SHARE = 0.02
MINIMUM_DEVIATIONS = 2
"""Of a score that rests on chance; a lower score is not paid, as `FedPeerPrediction` has it by default."""
PAIR = [(0, 1)]


@dataclass(frozen=True)
class Estimate:
    """Mean over the draws and half the width of its interval."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Estimate:
        """Estimate the mean of values that are independent of each other."""
        return cls(float(values.mean()), QUANTILE * float(values.std(ddof=1)) / math.sqrt(len(values)))

    def misses(self, value: float) -> bool:
        """Say whether a value is outside of the interval."""
        return abs(self.mean - value) > self.half + 1e-9


@dataclass(frozen=True)
class Result:
    """What one behaviour earned in one world.

    score: correlated agreement, a bonus task; theory: its exact expectation; limit: with many tasks
    against_honest: score less the honest one's of the same draw
    same_as_honest: its scores are the honest one's in every draw
    output: output agreement, a task; output_theory: its exact expectation, where known
    pay, pay_with_minimum: mean of max(0, score), of the honest one's; the latter of scores of 2 deviations or more
    counted: share of the draws in which calibration items, 2 % of the tasks, leave the report in
    """

    world: World
    behaviour: str
    score: Estimate
    theory: float
    limit: float
    against_honest: Estimate
    same_as_honest: bool
    output: Estimate
    output_theory: float | None
    pay: float | None
    pay_with_minimum: float | None
    counted: float


def simulate(world: World, *, draws: int, bonus_tasks: int | None, seed: Sequence[int]) -> list[Result]:
    """Score all behaviours in so many draws of a world."""
    generator = np.random.default_rng(seed)
    bonus = world.tasks if bonus_tasks is None else min(bonus_tasks, world.tasks)
    pairs = {match[:2]: np.empty(draws) for match in MATCHES}
    outputs = {match: np.empty(draws) for match in MATCHES}
    sources = list(dict.fromkeys(match.first for match in MATCHES))
    counted = np.zeros(len(sources))
    known = max(1, round(CALIBRATION_SHARE * world.tasks))
    for number in range(draws):
        drawn = draw_reports(generator, world)
        round_seed = generator.bytes(32)
        for match in MATCHES:
            reports = federation(drawn, match)
            outputs[match][number] = output_agreement(reports, PAIR, classes=world.classes)[0] / WAD
        for pair, found in pairs.items():
            reports = pair_reports(drawn, *pair)
            points = correlated_agreement(reports, PAIR, round_seed, classes=world.classes, bonus_tasks=bonus)
            found[number] = points[0] / bonus
        positions = generator.choice(world.tasks, known, replace=False)
        items = pack_calibration(positions, drawn.truth[positions])
        own = np.stack([*(drawn.reports[source][0] for source in sources), *drawn.reports["honest"][1:]])
        counted += usable(own, classes=world.classes, calibration=items)[: len(sources)]
    scorer = CorrelatedAgreement(classes=world.classes, tasks=world.tasks, bonus_tasks=bonus, peers=1)
    minimum = MINIMUM_DEVIATIONS * scorer.chance_deviation / WAD
    scores = {match: pairs[match[:2]] for match in MATCHES}
    shares = dict(zip(sources, (counted / draws).tolist(), strict=True))
    return [_result(world, name, scores, outputs, minimum, shares) for name in BEHAVIOURS]


def _result(
    world: World,
    name: str,
    scores: dict[Match, NDArray[np.float64]],
    outputs: dict[Match, NDArray[np.float64]],
    minimum: float,
    counted: dict[str, float],
) -> Result:
    behaviour, honest = BEHAVIOURS[name], scores[HONEST]
    chances = {match: joint(world, match) for match in behaviour.matches}
    score = _mixed(behaviour, scores)
    paid, enough = (_paid(behaviour, scores, least) for least in (0.0, minimum))
    alone = all(match.colluding == 1 for match in behaviour.matches)
    return Result(
        world=world,
        behaviour=name,
        score=Estimate.of(score),
        theory=sum(w * expected_score(chances[m], half=world.tasks // 2) for m, w in behaviour.matches.items()),
        limit=sum(w * limit_score(chances[m]) for m, w in behaviour.matches.items()),
        against_honest=Estimate.of(score - honest),
        same_as_honest=all(np.array_equal(scores[match], honest) for match in behaviour.matches),
        output=Estimate.of(_mixed(behaviour, outputs)),
        output_theory=0.0 if behaviour.earns == "0" and alone else None,
        pay=paid,
        pay_with_minimum=enough,
        counted=counted[next(iter(behaviour.matches)).first],
    )


def _paid(behaviour: Behaviour, scores: dict[Match, NDArray[np.float64]], least: float) -> float | None:
    """Return the mean of what is paid for, of the honest one's; None where fewer than 1 % of the honest are paid."""
    paid = {match: np.where(s >= least, s.clip(min=0), 0) for match, s in scores.items()}
    if (paid[HONEST] > 0).mean() < 0.01:
        return None
    return float(_mixed(behaviour, paid).mean() / paid[HONEST].mean())


def _mixed(behaviour: Behaviour, values: dict[Match, NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(sum(weight * values[match] for match, weight in behaviour.matches.items()))
