"""The weighted peer truth serum as a scorer; twin of contracts/scorers/WeightedPeerTruthSerumScorer.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import agreement_weights, weighted_peer_truth_serum
from flwr_chainfl.labels.single_vote import peer_weights
from flwr_chainfl.labels.votes import agreements, weighted_vote
from flwr_chainfl.scoring.scorer import Facts, Scored
from flwr_chainfl.scoring.usable import usable_labels


@dataclass(frozen=True, kw_only=True)
class WeightedPeerTruthSerum:
    """The peer truth serum in which good peers count more: a report is one byte a task.

    First, participants vote on each task with their unweighted scores; quality is how often one agrees with the outcome.
    Then each is scored against its peers, who count by how far their quality is above chance. So those who report a
    constant or at random take nothing from the pay of the others, however many they are. Without calibration items, it
    cannot tell an honest majority from a large coalition that relabels together.

    classes: number of classes K, 2 to 255
    tasks: number of public inputs T
    deviations: standard deviations above chance that a report needs on the calibration items

    Source: docs/protocols/soft-label.md, "Weighted peer truth serum".
    Choice: qualities come from one vote weighted by the unweighted score, so that a contract can compute them.
    """

    classes: int
    tasks: int
    deviations: int = 3

    @property
    def contract(self) -> str:
        """Name of the twin contract's artifact."""
        return "WeightedPeerTruthSerumScorer"

    @property
    def arguments(self) -> tuple[int, int, int]:
        """The twin contract's constructor arguments."""
        return (self.classes, self.tasks, self.deviations)

    @property
    def formula(self) -> str:
        """Name and version of the formula, as quoted in the receipts."""
        return "WeightedPeerTruthSerum/1"

    @property
    def report_kind(self) -> str:
        """A report is a hard label for each task."""
        return "labels"

    def score(self, reports: Sequence[bytes], facts: Facts) -> Scored:
        """Score reports; an unusable one has score and quality 0 and is nobody's peer.

        Unusable is one of another length, with a label that is no class, or not above chance on the calibration items.
        """
        scores, qualities = [0] * len(reports), [0] * len(reports)
        positions, matrix = usable_labels(
            reports, classes=self.classes, tasks=self.tasks, calibration=facts.calibration, deviations=self.deviations
        )
        if positions:
            votes = peer_weights(matrix, classes=self.classes)
            agreed = agreements(matrix, weighted_vote(matrix, votes, classes=self.classes)).tolist()
            weights = agreement_weights(agreed, tasks=self.tasks, classes=self.classes)
            found = weighted_peer_truth_serum(matrix, weights, classes=self.classes)
            for index, score, one in zip(positions, found, agreed, strict=True):
                scores[index], qualities[index] = score, one * WAD // self.tasks
        return Scored(scores, qualities)
