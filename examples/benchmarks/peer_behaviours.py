"""Ways to report on shared tasks, honest ones and others, as matches that a pair scorer can score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.benchmarks.label_scenarios import honest_reports

PARTICIPANTS = 10
SEQUENCE_SOURCE, RENAMING_SOURCE = "agreed sequence", "agreed renaming"


@dataclass(frozen=True, kw_only=True)
class World:
    """What honest reports look like: right with one probability, else any other class alike, and independently.

    classes: K, at least 2
    tasks: T
    commonest: share of the tasks whose class is the first one; the other classes share the rest evenly
    accuracy: of the honest
    stale: accuracy of the previous round's consensus, whose errors are independent of everybody's in this round
    """

    classes: int
    tasks: int
    commonest: float
    accuracy: float
    stale: float

    @property
    def prior(self) -> NDArray[np.float64]:
        """Probability of each class, float64 (classes,)."""
        rest = (1 - self.commonest) / (self.classes - 1)
        return np.array([self.commonest] + [rest] * (self.classes - 1))

    def confusion(self, accuracy: float) -> NDArray[np.float64]:
        """Probability of each report given each class, float64 (true class, report)."""
        wrong = np.full((self.classes, self.classes), (1 - accuracy) / (self.classes - 1))
        np.fill_diagonal(wrong, accuracy)
        return wrong


class Match(NamedTuple):
    """Of whom two reports are. The other participants are honest, but for `colluding` that report as the first does."""

    first: str
    second: str
    colluding: int = 1


class Behaviour(NamedTuple):
    """What somebody does.

    matches: with which probability each match is drawn, among 10 participants of whom each has one peer
    earns: what theory says of its expected score: "0" exactly; "truth": as an honest report in the same match;
        "" what `pair_theory` gives
    """

    matches: Mapping[Match, float]
    earns: str = ""


def _colluding(source: str, many: int, earns: str = "") -> Behaviour:
    share = (many - 1) / (PARTICIPANTS - 1)
    matches = {Match(source, source, many): share, Match(source, "honest", many): 1 - share}
    return Behaviour({match: weight for match, weight in matches.items() if weight > 0}, earns)


def _alone(source: str, earns: str = "") -> Behaviour:
    return Behaviour({Match(source, "honest"): 1.0}, earns)


HONEST = Match("honest", "honest")
BEHAVIOURS: Mapping[str, Behaviour] = {
    "honest": Behaviour({HONEST: 1.0}),
    "constant": _alone("constant", "0"),
    "random": _alone("random", "0"),
    "prior sampling": _alone("prior sampling", "0"),
    "previous consensus, of other inputs": _alone("consensus of other inputs", "0"),
    "previous consensus, of the same inputs": _alone("consensus of the same inputs"),
    "agreed sequence, paired with an honest one": Behaviour({Match(SEQUENCE_SOURCE, "honest", 2): 1.0}, "0"),
    "agreed sequence, paired with each other": Behaviour({Match(SEQUENCE_SOURCE, SEQUENCE_SOURCE, 2): 1.0}),
    "agreed sequence, 2 of 10": _colluding(SEQUENCE_SOURCE, 2),
    "agreed sequence, 4 of 10": _colluding(SEQUENCE_SOURCE, 4),
    "agreed renaming, 2 of 10": _colluding(RENAMING_SOURCE, 2, "truth"),
    "agreed renaming, 4 of 10": _colluding(RENAMING_SOURCE, 4, "truth"),
    "agreed renaming, 10 of 10": _colluding(RENAMING_SOURCE, PARTICIPANTS, "truth"),
}
"""Constant: the commonest class. Random: every class alike. Prior sampling: a class as often as it is true. Previous
consensus: labels of a stated accuracy, either of these very inputs, or of others as where inputs are drawn anew each round.
Agreed sequence: random labels that a group agreed on, position by position. Agreed renaming: what each found itself, under
names that a group agreed on, no class under its own."""

MATCHES = tuple(dict.fromkeys(match for behaviour in BEHAVIOURS.values() for match in behaviour.matches))


class Draw(NamedTuple):
    """True labels uint8 (tasks,); by source of a report uint8 (participants, tasks), what each would report."""

    truth: NDArray[np.uint8]
    reports: Mapping[str, NDArray[np.uint8]]


def draw_reports(generator: np.random.Generator, world: World) -> Draw:
    """Draw true labels, and what 10 participants report in every way."""
    classes, tasks = world.classes, world.tasks
    truth, elsewhere, sampled = generator.choice(classes, (3, tasks), p=world.prior).astype(np.uint8)
    found = honest_reports(generator, truth, [world.accuracy] * PARTICIPANTS, classes=classes)
    cycle = generator.permutation(classes)
    names = np.empty(classes, dtype=np.uint8)
    names[cycle] = np.roll(cycle, 1)
    single = {
        "constant": np.zeros(tasks, dtype=np.uint8),
        "random": generator.integers(0, classes, tasks).astype(np.uint8),
        "prior sampling": sampled,
        "consensus of other inputs": honest_reports(generator, elsewhere, [world.stale], classes=classes)[0],
        "consensus of the same inputs": honest_reports(generator, truth, [world.stale], classes=classes)[0],
        SEQUENCE_SOURCE: generator.integers(0, classes, tasks).astype(np.uint8),
    }
    alike = {source: np.broadcast_to(report, (PARTICIPANTS, tasks)) for source, report in single.items()}
    return Draw(truth, {"honest": found, RENAMING_SOURCE: names[found], **alike})


def pair_reports(draw: Draw, first: str, second: str) -> NDArray[np.uint8]:
    """Return the reports of a match's two, uint8 (2, tasks); the first ones of the federation."""
    return np.stack([draw.reports[first][0], draw.reports[second][1]])


def federation(draw: Draw, match: Match) -> NDArray[np.uint8]:
    """Return all reports of a round, uint8 (participants, tasks), the match's two first."""
    others = max(0, match.colluding - (2 if match.second == match.first else 1))
    sources = [match.first, match.second, *[match.first] * others]
    sources += ["honest"] * (PARTICIPANTS - len(sources))
    return np.stack([draw.reports[source][position] for position, source in enumerate(sources)])
