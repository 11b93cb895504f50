"""How a round's reports become one consensus: who counts how much, and what their soft labels add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl import labels
from flwr_chainfl.config import require
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import MICRO

_WITHOUT_MEMORY = ("mean", "majority", "peer-weighted")


@dataclass(frozen=True)
class Standing:
    """What a round's aggregation takes into account besides the contributions.

    reputations: WAD by address, empty where none are kept; calibration: items, empty for none; contributions: what each
    counts by what it scored, MICRO by address, empty where all count alike
    """

    reputations: Mapping[str, int] = field(default_factory=dict)
    calibration: bytes = b""
    contributions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """What a label aggregation remembers from the last round; participants: of that round, in its order."""

    participants: tuple[str, ...] = ()
    state: labels.State | None = None

    def of(self, participants: Sequence[str]) -> labels.State | None:
        """Return what is remembered of these participants, in order; one that skipped the last round is new."""
        if self.state is None:
            return None
        rows = {participant: row for row, participant in enumerate(self.participants)}
        return self.state.select([rows.get(participant) for participant in participants])


@dataclass(frozen=True)
class Formed:
    """A consensus: float32 (tasks, classes); what each participant counted in it, MICRO; what to remember.

    soft_labels: as they travel; unsharpened: before the entropy was reduced
    """

    soft_labels: NDArray[np.float32]
    unsharpened: NDArray[np.float32]
    weights: dict[str, int]
    memory: Memory


@dataclass(frozen=True, kw_only=True)
class ConsensusRule:
    """The rule, fixed with the task's terms, so that everybody can form the consensus again.

    kind: ``mean``: everybody counts the same; ``majority``: one-hot majority of the hard labels; or the name of a
    label aggregation, by whose qualities participants count, times their reputation (see `labels.AGGREGATIONS`). All
    but the majority multiply by what each counts by what it scored;
    classes: K; entropy_temperature: see `labels.reduce_entropy`; deviations: of calibration, see `labels.usable`;
    exact: whether sums are of whole numbers, so that everybody finds the same consensus to the last bit; neither sharpened
    nor remembering, since whoever joins later must be able to form it

    Source: docs/protocols/soft-label.md, "Consensus".
    """

    kind: str
    classes: int
    entropy_temperature: float = 1.0
    deviations: int = 3
    exact: bool = False

    def __post_init__(self) -> None:
        kinds = ("mean", *labels.AGGREGATIONS)
        if self.kind not in kinds:
            raise ConfigError(f"consensus is {self.kind!r}; {', '.join(map(repr, kinds))} are possible")
        require("entropy_temperature", self.entropy_temperature, above=0)
        require("deviations", self.deviations, minimum=0)
        if self.exact and self.kind not in _WITHOUT_MEMORY:
            raise ConfigError(
                f"consensus is {self.kind!r}, which remembers earlier rounds; miners can seal {', '.join(map(repr, _WITHOUT_MEMORY))}"
            )
        if self.exact and self.entropy_temperature != 1:
            raise ConfigError(
                f"entropy_temperature is {self.entropy_temperature}; a consensus that miners seal is of whole numbers: leave it at 1"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters for the task's terms."""
        return {
            "kind": self.kind,
            "entropy_temperature": self.entropy_temperature,
            "deviations": self.deviations,
            **({"exact": True} if self.exact else {}),
        }

    def form(
        self,
        reports: Sequence[tuple[str, bytes]],
        soft_labels: Iterable[NDArray[np.float32]],
        standing: Standing,
        memory: Memory,
    ) -> Formed:
        """Return the consensus of a round.

        reports: address and hard labels, ascending by address; soft_labels: theirs, in the same order, taken one at a
        time; memory: of the round before
        """
        matrix = np.stack([np.frombuffer(report, dtype=np.uint8) for _, report in reports])
        usable = labels.usable(
            matrix, calibration=standing.calibration, classes=self.classes, deviations=self.deviations
        )
        mean = labels.exact_soft_labels if self.exact else labels.weighted_soft_labels
        addresses = [address for (address, _), good in zip(reports, usable, strict=True) if good]
        if self.kind == "mean":
            counted = _contributing(dict.fromkeys(addresses, MICRO), standing)
            formed, kept = mean(soft_labels, _in_order(reports, counted)), Memory()
        else:
            aggregated = labels.aggregate(
                self.kind, matrix[usable], classes=self.classes, state=memory.of(addresses)
            )
            kept = Memory(tuple(addresses), aggregated.state)
            if self.kind == "majority":
                counted = dict.fromkeys(addresses, MICRO)
                formed = np.eye(self.classes, dtype=np.float32)[aggregated.labels]
            else:
                counted = _contributing(
                    {
                        address: weight * standing.reputations.get(address, WAD) // WAD
                        for address, weight in zip(addresses, aggregated.weights, strict=True)
                    },
                    standing,
                )
                formed = mean(soft_labels, _shares(reports, addresses, counted, aggregated))
        sharpened = labels.reduce_entropy(formed, temperature=self.entropy_temperature)
        return Formed(sharpened, formed, {address: counted.get(address, 0) for address, _ in reports}, kept)


def rule_of(terms: Mapping[str, Any]) -> ConsensusRule:
    """Return the consensus rule that a task's terms name."""
    return ConsensusRule(classes=terms["classes"], **terms["consensus"])


def _shares(
    reports: Sequence[tuple[str, bytes]], addresses: Sequence[str], counted: dict[str, int], found: labels.Aggregation
) -> Sequence[int] | Sequence[Sequence[int]]:
    """Return what each counts, in the order of the reports; by class where the aggregation tells classes apart."""
    if found.competences is None:
        return _in_order(reports, counted)
    rows = {a: [counted[a] * c for c in row] for a, row in zip(addresses, found.competences, strict=True)}
    return [rows.get(address, [0] * len(found.competences[0])) for address, _ in reports]


def _contributing(counted: dict[str, int], standing: Standing) -> dict[str, int]:
    """Multiply by what each counts by what it scored."""
    if not standing.contributions:
        return counted
    return {address: weight * standing.contributions.get(address, 0) // MICRO for address, weight in counted.items()}


def _in_order(reports: Sequence[tuple[str, bytes]], counted: dict[str, int]) -> list[int]:
    return [counted.get(address, 0) for address, _ in reports]
