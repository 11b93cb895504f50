"""Reports to integer scores."""

from collections.abc import Callable, Sequence

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.scoring.peer_truth_serum import PeerTruthSerum, chance_level, peer_truth_serum
from flwr_chainfl.scoring.sample_count import SampleCount
from flwr_chainfl.scoring.scorer import Facts, Scored, Scorer
from flwr_chainfl.scoring.weighted_peer_truth_serum import WeightedPeerTruthSerum

_SCORERS: dict[str, Callable[..., Scorer]] = {
    "PeerTruthSerumScorer": lambda classes, tasks: PeerTruthSerum(classes=int(classes), tasks=int(tasks)),
    "SampleCountScorer": SampleCount,
    "WeightedPeerTruthSerumScorer": lambda classes, tasks, deviations: WeightedPeerTruthSerum(
        classes=int(classes), tasks=int(tasks), deviations=int(deviations)
    ),
}


def scorer_of(contract: str, arguments: Sequence[str]) -> Scorer:
    """Return the scorer whose twin is a contract with these constructor arguments.

    Raises ConfigError when there is none.
    """
    if contract not in _SCORERS:
        raise ConfigError(f"no scorer is the twin of {contract!r}; known contracts: {', '.join(sorted(_SCORERS))}")
    return _SCORERS[contract](*arguments)


__all__ = [
    "Facts",
    "PeerTruthSerum",
    "SampleCount",
    "Scored",
    "Scorer",
    "WeightedPeerTruthSerum",
    "chance_level",
    "peer_truth_serum",
    "scorer_of",
]
