"""Reports to integer scores."""

from flwr_chainfl.scoring.peer_truth_serum import PeerTruthSerum, chance_level, peer_truth_serum
from flwr_chainfl.scoring.sample_count import SampleCount
from flwr_chainfl.scoring.scorer import Scorer

__all__ = ["PeerTruthSerum", "SampleCount", "Scorer", "chance_level", "peer_truth_serum"]
