"""Reports of simulated participants whose true labels are known: honest, lazy and hostile ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
TASKS = 2000
ACCURACIES = (0.35, 0.9)
"""Of the worst and of the best honest participant; the others lie between, at equal distances."""


class Scenario(NamedTuple):
    """Reports uint8 (participants, tasks), the honest first; how many are honest; true labels uint8 (tasks,)."""

    reports: NDArray[np.uint8]
    honest: int
    truth: NDArray[np.uint8]


Maker = Callable[[np.random.Generator, int], Scenario]


def honest_reports(
    generator: np.random.Generator, truth: NDArray[np.uint8], accuracies: Sequence[float], *, classes: int = CLASSES
) -> NDArray[np.uint8]:
    """Return reports that are right with these probabilities, one participant each, else any other class alike."""
    shape = (len(accuracies), len(truth))
    right = generator.random(shape) < np.asarray(accuracies)[:, None]
    wrong = (truth + generator.integers(1, classes, shape)) % classes
    return np.where(right, truth, wrong).astype(np.uint8)


def skilled_reports(
    generator: np.random.Generator, truth: NDArray[np.uint8], *, participants: int, alpha: float, classes: int = CLASSES
) -> NDArray[np.uint8]:
    """Return reports of participants that know some classes, as if trained on a share of each.

    The shares are Dirichlet(alpha). A class of share s is known with probability 1 − exp(−K·s); else a participant reports
    a class as often as it saw it.
    """
    shares = generator.dirichlet([alpha] * classes, participants)
    reports = []
    for share in shares:
        known = generator.random(len(truth)) < 1 - np.exp(-classes * share[truth])
        reports.append(np.where(known, truth, generator.choice(classes, len(truth), p=share)))
    return np.array(reports, dtype=np.uint8)


def _truth(generator: np.random.Generator, tasks: int) -> NDArray[np.uint8]:
    return generator.integers(0, CLASSES, tasks).astype(np.uint8)


def _with_others(honest: int, others: int, behaviour: str) -> Maker:
    def make(generator: np.random.Generator, tasks: int) -> Scenario:
        truth = _truth(generator, tasks)
        reports = honest_reports(generator, truth, np.linspace(*ACCURACIES, honest))
        return Scenario(np.vstack([reports, _behave(generator, truth, others, behaviour)]), honest, truth)

    return make


def _behave(
    generator: np.random.Generator, truth: NDArray[np.uint8], participants: int, behaviour: str
) -> NDArray[np.uint8]:
    shape = (participants, len(truth))
    if behaviour == "constant":
        return np.full(shape, generator.integers(CLASSES), dtype=np.uint8)
    if behaviour == "random":
        return generator.integers(0, CLASSES, shape).astype(np.uint8)
    renamed = _renamed(generator, CLASSES // 2 if behaviour == "one half relabelled truth" else CLASSES)
    if behaviour == "relabelling":
        own = honest_reports(generator, truth, np.linspace(*ACCURACIES, participants))
        return renamed[own]
    if behaviour in ("one relabelled truth", "one half relabelled truth"):
        return np.broadcast_to(renamed[truth], shape)
    raise ValueError(f"no behaviour is called {behaviour!r}")


def _renamed(generator: np.random.Generator, classes: int) -> NDArray[np.uint8]:
    """Return a permutation in which so many classes, drawn at random, all get another's name."""
    drawn = generator.permutation(CLASSES)[:classes]
    names = np.arange(CLASSES, dtype=np.uint8)
    names[drawn] = np.roll(drawn, 1)
    return names


def _fixed(accuracies: Sequence[float]) -> Maker:
    def make(generator: np.random.Generator, tasks: int) -> Scenario:
        truth = _truth(generator, tasks)
        return Scenario(honest_reports(generator, truth, accuracies), len(accuracies), truth)

    return make


def _skilled(alpha: float) -> Maker:
    def make(generator: np.random.Generator, tasks: int) -> Scenario:
        truth = _truth(generator, tasks)
        return Scenario(skilled_reports(generator, truth, participants=10, alpha=alpha), 10, truth)

    return make


SCENARIOS: Mapping[str, Maker] = {
    "10 honest, accuracy .35 to .9": _with_others(10, 0, "random"),
    "3 at .8, 7 at .15": _fixed([0.8] * 3 + [0.15] * 7),
    "6 honest, 4 random": _with_others(6, 4, "random"),
    "7 honest, 3 constant": _with_others(7, 3, "constant"),
    "6 honest, 4 constant": _with_others(6, 4, "constant"),
    "7 honest, 3 relabelling": _with_others(7, 3, "relabelling"),
    "6 honest, 4 relabelling": _with_others(6, 4, "relabelling"),
    "7 honest, 3 one relabelled truth": _with_others(7, 3, "one relabelled truth"),
    "6 honest, 4 one relabelled truth": _with_others(6, 4, "one relabelled truth"),
    "6 honest, 4 one half relabelled truth": _with_others(6, 4, "one half relabelled truth"),
    "10 honest, class skill Dirichlet(0.1)": _skilled(0.1),
    "10 honest, class skill Dirichlet(0.5)": _skilled(0.5),
}
"""Ten participants each. Relabelling: all of the coalition give each class the same other name, each with errors of its
own; one relabelled truth: all without errors; half: five of the ten classes keep their names."""


def scenario(name: str, seed: int, *, tasks: int = TASKS) -> Scenario:
    """Return the scenario of this name; the same seed gives the same reports."""
    return SCENARIOS[name](np.random.default_rng(seed), tasks)
