"""Shapley rounds: what each update was worth to the model, stored by content, anchored with the round's calibration."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flwr.app import ArrayRecord

from flwr_chainfl.config import require
from flwr_chainfl.crypto import keccak256
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.scoring import Alignment, Facts
from flwr_chainfl.scoring.alignment import pack_factors
from flwr_chainfl.scoring.shapley import ShapleyValues, fairness_factors, shapley_values
from flwr_chainfl.serverapp.calibration import Opening
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.updates_exchange import AveragedUpdates
from flwr_chainfl.storage import Store, digest
from flwr_chainfl.storage.cid import CHUNK_BYTES

MICRO = 10**6


@dataclass(frozen=True, kw_only=True)
class Shapley:
    """Corrects the pay of every `every`-th round by the updates' Shapley values.

    What a coalition of updates is worth is the value of the model that their average leads to. The server computes it, before
    the round opens on the ledger, and commits to the factors; it can lie within [0.5, 2]. The stored table lets anybody
    who has the held-out data find that out, and the audit recomputes everything but the models' values.

    value: of a model, such as its accuracy on held-out data, in any unit up to 10^6; every: rounds from one to the next;
    permutations: sampled with more than 8 updates; tolerance: of a value, from which on a permutation is cut off

    Source: docs/protocols/alignment.md, "Shapley".
    """

    value: Callable[[ArrayRecord], float]
    every: int = 5
    permutations: int = 100
    tolerance: float = 0.005

    def __post_init__(self) -> None:
        require("every", self.every, minimum=1)
        require("permutations", self.permutations, minimum=1)
        require("tolerance", self.tolerance, minimum=0)

    def is_due(self, server_round: int) -> bool:
        """Say whether a round is one whose pay is corrected."""
        return server_round % self.every == 0

    def opening(
        self, contributions: Sequence[Contribution], exchange: AveragedUpdates, scorer: Alignment, store: Store,
        declared: Sequence[int], *, salt: bytes | None = None,
    ) -> Opening:
        """Value the updates, store the table, and return the factors as the calibration that the round opens with.

        contributions: ascending by address; declared: samples of each at joining
        """
        reports = [one.report for one in contributions]
        seed = keccak256(b"".join(reports))

        def worth(coalition: tuple[int, ...]) -> int:
            return round(self.value(exchange.candidate([contributions[player] for player in coalition])) * MICRO)

        found = shapley_values(
            len(contributions), worth, permutations=self.permutations, tolerance=round(self.tolerance * MICRO), seed=seed
        )
        scores = scorer.score(reports, Facts(samples=declared)).scores
        factors = fairness_factors(found.values, scores)
        table = _table(self, found, contributions, seed, scores, factors)
        document = json.dumps(table, sort_keys=True).encode()
        if len(document) > CHUNK_BYTES:
            raise ConfigError(f"the Shapley table has {len(document)} bytes, above {CHUNK_BYTES}; sample fewer permutations")
        cid = store.put(document)
        items = pack_factors(digest(cid), [(r[16:], factor) for r, factor in zip(reports, factors, strict=True)])
        return Opening(items, salt if salt is not None else secrets.token_bytes(32))


def _table(
    rule: Shapley, found: ShapleyValues, contributions: Sequence[Contribution], seed: bytes, scores: Sequence[int],
    factors: Sequence[int],
) -> dict[str, Any]:
    """Return all that the factors follow from, for the store."""
    return {
        "kind": "shapley",
        "participants": [one.address for one in contributions],
        "contents": [one.cid for one in contributions],
        "reports": [one.report.hex() for one in contributions],
        "seed": seed.hex(),
        "permutations": rule.permutations,
        "tolerance": round(rule.tolerance * MICRO),
        "worth": {str(bitmap): worth for bitmap, worth in sorted(found.worth.items())},
        "values": [str(value) for value in found.values],
        "errors": found.errors,
        "scores": [str(score) for score in scores],
        "factors": [str(factor) for factor in factors],
    }


def recompute_table(table: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the Shapley values and factors that a stored table should have, from the worth of its coalitions.

    Raises KeyError when the worth of a coalition that is needed is missing.
    """
    worth = table["worth"]
    found = shapley_values(
        len(table["participants"]),
        lambda coalition: int(worth[str(sum(1 << player for player in coalition))]),
        permutations=table["permutations"], tolerance=table["tolerance"], seed=bytes.fromhex(table["seed"]),
    )
    factors = fairness_factors([Fraction(value) for value in found.values], [int(score) for score in table["scores"]])
    return [str(value) for value in found.values], [str(factor) for factor in factors]
