"""Who takes part in a round: those in good repute, and now and then one that is not, so that it can return."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr_chainfl.config import require
from flwr_chainfl.fixedpoint import WAD


@dataclass(frozen=True, kw_only=True)
class Reputation:
    """Remember participants on the ledger, and choose by it.

    Parameters
    ----------
    minimum : float
        Reputation that a participant needs to be chosen, 0 to 1. A newcomer has 0.35.
    patience : int
        Rounds, 1 to 5, that are to be known of a participant before it can be left out.
    exploration : float
        Chance, in each round, of one below it to be chosen all the same.
    registry : str, optional
        Address of the registry, owned by the requester, that earlier tasks wrote to. Default: a new one.

    Source: docs/protocols/soft-label.md, "Reputation".
    """

    minimum: float = 0.3
    patience: int = 3
    exploration: float = 0.1
    registry: str | None = None

    def __post_init__(self) -> None:
        require("minimum reputation", self.minimum, minimum=0, maximum=1)
        require("patience", self.patience, minimum=1, maximum=5)
        require("exploration", self.exploration, minimum=0, maximum=1)


@dataclass(frozen=True)
class Repute:
    """What is known of a participant: its reputation, WAD, and of how many rounds, up to 5."""

    reputation: int
    rounds: int


@dataclass
class Selector:
    """Draws the excluded that are given a chance; seed: None to be unpredictable."""

    rule: Reputation
    seed: int | None = None
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(secrets.randbits(128) if self.seed is None else self.seed)

    def excluded(self, nodes: Sequence[int], known: Mapping[int, Repute], *, at_least: int) -> dict[int, int]:
        """Return the nodes that are left out of a round, with their reputations.

        nodes: sampled ones; known: by node, of those whose participant is known; at_least: nodes that must be left over,
        the best of the excluded among them where need be
        """
        below = [
            node
            for node in sorted(nodes)
            if node in known
            and known[node].rounds >= self.rule.patience
            and known[node].reputation < self.rule.minimum * WAD
        ]
        out = [node for node in below if self._random.random() >= self.rule.exploration]
        spare = max(0, at_least - (len(nodes) - len(out)))
        out.sort(key=lambda node: (-known[node].reputation, node))
        return {node: known[node].reputation for node in out[spare:]}
