"""Reports to integer scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.scoring.alignment import Alignment, VectorReport
from flwr_chainfl.scoring.contribution_weights import AboveChance, ByScore, Softmax, Weighting, weighting_of
from flwr_chainfl.scoring.correlated_agreement import (
    CorrelatedAgreement,
    correlated_agreement,
    most_bonus_tasks,
)
from flwr_chainfl.scoring.marks import marks_of
from flwr_chainfl.scoring.output_agreement import OutputAgreement, output_agreement
from flwr_chainfl.scoring.pairing import draw_pairs
from flwr_chainfl.scoring.peer_review import PeerReviewScore, peer_review
from flwr_chainfl.scoring.peer_truth_serum import PeerTruthSerum, chance_level, peer_truth_serum
from flwr_chainfl.scoring.proxy_vote import ProxyVote
from flwr_chainfl.scoring.role_reward import RoleReward
from flwr_chainfl.scoring.sample_count import SampleCount
from flwr_chainfl.scoring.scorer import Facts, Scored, Scorer
from flwr_chainfl.scoring.weighted_peer_truth_serum import WeightedPeerTruthSerum

_SCORERS: dict[str, Callable[..., Scorer]] = {
    "AlignmentScorer": lambda bits, parameters, unit, window, cosine, leave_one_out, accuracy: Alignment(
        bits=int(bits), parameters=int(parameters), unit=int(unit), window=int(window), cosine=cosine == "True",
        leave_one_out=leave_one_out == "True", accuracy=accuracy == "True",
    ),
    "CorrelatedAgreementScorer": lambda classes, tasks, bonus_tasks, peers, deviations: CorrelatedAgreement(
        classes=int(classes), tasks=int(tasks), bonus_tasks=int(bonus_tasks), peers=int(peers), deviations=int(deviations)
    ),
    "OutputAgreementScorer": lambda classes, tasks, peers, deviations: OutputAgreement(
        classes=int(classes), tasks=int(tasks), peers=int(peers), deviations=int(deviations)
    ),
    "PeerReviewScorer": lambda threshold, floor: PeerReviewScore(threshold=int(threshold), floor=int(floor)),
    "PeerTruthSerumScorer": lambda classes, tasks: PeerTruthSerum(classes=int(classes), tasks=int(tasks)),
    "RoleRewardScorer": lambda unit, gain_unit, threshold, inner=None: RoleReward(
        unit=int(unit), gain_unit=int(gain_unit), vote=ProxyVote(threshold=int(threshold)), inner=inner
    ),
    "SampleCountScorer": SampleCount,
    "WeightedPeerTruthSerumScorer": lambda classes, tasks, deviations: WeightedPeerTruthSerum(
        classes=int(classes), tasks=int(tasks), deviations=int(deviations)
    ),
}


def scorer_of(contract: str, arguments: Sequence[str], inner: Mapping[str, Any] | None = None) -> Scorer:
    """Return the scorer whose twin is a contract with these constructor arguments.

    inner: contract and arguments of the scorer that it wraps, None for none

    Raises ConfigError when there is none.
    """
    if contract not in _SCORERS:
        raise ConfigError(f"no scorer is the twin of {contract!r}; known contracts: {', '.join(sorted(_SCORERS))}")
    if inner is None:
        return _SCORERS[contract](*arguments)
    return _SCORERS[contract](*arguments, inner=scorer_of(**inner))


__all__ = [
    "AboveChance",
    "Alignment",
    "ByScore",
    "CorrelatedAgreement",
    "Facts",
    "OutputAgreement",
    "PeerReviewScore",
    "PeerTruthSerum",
    "ProxyVote",
    "RoleReward",
    "SampleCount",
    "Scored",
    "Scorer",
    "Softmax",
    "VectorReport",
    "WeightedPeerTruthSerum",
    "Weighting",
    "chance_level",
    "correlated_agreement",
    "draw_pairs",
    "marks_of",
    "most_bonus_tasks",
    "output_agreement",
    "peer_review",
    "peer_truth_serum",
    "scorer_of",
    "weighting_of",
]
