"""How much a contribution counts when contributions are aggregated, by what it scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Protocol

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import MICRO

_EXACT = Context(prec=40)


class Weighting(Protocol):
    """From scores to weights in an aggregation."""

    def weights(self, scores: Sequence[int]) -> list[int]:
        """Return what each contribution counts, MICRO, from its score, WAD."""

    def as_dict(self) -> dict[str, Any]:
        """Return kind and parameters, for the task's terms."""


@dataclass(frozen=True, kw_only=True)
class Softmax:
    """Weights that grow with the score's exponential: w_i ∝ exp(α·score_i).

    A free-rider, whose score is about 0, counts exp(−α·Q) of an honest participant that scores Q. Scores are those of the
    scorer, 1.0 = WAD; α = 10 suits correlated agreement, whose scores are within ±1.

    alpha: α, 0 or more; 0: all count alike

    Source: docs/protocols/peer-prediction.md, "Contribution weights"; Lv et al., WiOpt 2021.
    Choice: in decimals of 40 digits and relative to the best, so that everybody finds the same integers.

    >>> Softmax(alpha=10).weights([WAD // 2, 3 * WAD // 10, 0])
    [1000000, 135335, 6737]
    """

    alpha: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < float("inf"):
            raise ConfigError(f"alpha is {self.alpha}; it must be 0 or more")

    def weights(self, scores: Sequence[int]) -> list[int]:
        """Return MICRO times exp(α·(score − best)), rounded down."""
        best = max(scores, default=0)
        factor = _EXACT.divide(_EXACT.create_decimal_from_float(self.alpha), Decimal(WAD))
        return [
            int(_EXACT.multiply(MICRO, _EXACT.exp(_EXACT.multiply(factor, Decimal(score - best))))) for score in scores
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return kind and parameters."""
        return {"kind": "softmax", "alpha": self.alpha}


@dataclass(frozen=True, kw_only=True)
class AboveChance:
    """All count alike whose score is at least a minimum, and nobody else; everybody, where no score is.

    Where the honest differ in score for reasons other than effort, as on skewed data, this keeps an inner strategy's own
    weights among them. Who works a little is not told from who works much.

    minimum: WAD, 0 or more; such as two of a scorer's `chance_deviation`

    Choice: ours; the published rule is `Softmax`.

    >>> AboveChance(minimum=WAD // 10).weights([WAD // 2, WAD // 10, 0])
    [1000000, 1000000, 0]
    """

    minimum: int

    def __post_init__(self) -> None:
        if self.minimum < 0:
            raise ConfigError(f"minimum is {self.minimum}; it must be 0 or more")

    def weights(self, scores: Sequence[int]) -> list[int]:
        """Return MICRO or 0."""
        above = [score >= self.minimum for score in scores]
        return [MICRO if good or not any(above) else 0 for good in above]

    def as_dict(self) -> dict[str, Any]:
        """Return kind and parameters."""
        return {"kind": "above-chance", "minimum": str(self.minimum)}


@dataclass(frozen=True, kw_only=True)
class ByScore:
    """Weights in proportion to the positive scores; all alike, where no score is positive.

    Source: docs/protocols/collateral.md, "The aggregate".

    >>> ByScore().weights([WAD, WAD // 2, -WAD])
    [1000000, 500000, 0]
    """

    def weights(self, scores: Sequence[int]) -> list[int]:
        """Return MICRO times the score over the best, rounded down."""
        best = max(scores, default=0)
        return [MICRO if best <= 0 else max(score, 0) * MICRO // best for score in scores]

    def as_dict(self) -> dict[str, Any]:
        """Return kind and parameters."""
        return {"kind": "by-score"}


def weighting_of(terms: Mapping[str, Any] | None) -> Weighting | None:
    """Return the weighting that a task's terms name; None where all count alike.

    Raises ConfigError for an unknown one.
    """
    if terms is None:
        return None
    kind = terms.get("kind")
    if kind == "softmax":
        return Softmax(alpha=terms["alpha"])
    if kind == "above-chance":
        return AboveChance(minimum=int(terms["minimum"]))
    if kind == "by-score":
        return ByScore()
    raise ConfigError(f"no weighting is called {kind!r}; 'softmax', 'above-chance' and 'by-score' are known")
