"""Scores a contribution by the samples behind it; twin of contracts/scorers/SampleCountScorer.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring.scorer import Facts, Scored


@dataclass(frozen=True, kw_only=True)
class SampleCount:
    """Score by sample count, as FedAvg weights by it.

    The count is the participant's own word, bounded by what it declared when it joined. Nothing here can
    tell whether the samples exist.

    Source: docs/protocols/README.md, "Sample count"; McMahan et al., arXiv 1602.05629 (the weighting).
    """

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "SampleCountScorer"

    @property
    def arguments(self) -> tuple[()]:
        """The twin contract's constructor arguments."""
        return ()

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "SampleCount/1"

    @property
    def report_kind(self) -> str:
        """A report is a sample count."""
        return "samples"

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score reports of 8 bytes each, big endian; one of another length or above its declaration scores 0.

        Nothing can be said of quality: it is 1 for a usable report. Calibration items are ignored.

        >>> SampleCount().score([(30).to_bytes(8, "big"), (99).to_bytes(8, "big")], Facts(samples=[30, 50]))
        Scored(scores=[30000000000000000000, 0], qualities=[1000000000000000000, 0])
        """
        scored = Scored([], [])
        for report, declared in zip(reports, facts.samples, strict=True):
            count = int.from_bytes(report, "big")
            usable = len(report) == 8 and count <= declared
            scored.scores.append(count * WAD if usable else 0)
            scored.qualities.append(WAD if usable else 0)
        return scored
