"""Reports to consensus labels."""

from flwr_chainfl.labels.aggregation import AGGREGATIONS, Aggregator, aggregate
from flwr_chainfl.labels.bayes import Evidence, bayes_one_pass, bayes_two_pass
from flwr_chainfl.labels.calibration import above_chance, pack_calibration, unpack_calibration, usable
from flwr_chainfl.labels.codec import decode, encode, pack_units, unpack_units
from flwr_chainfl.labels.confusion import Confusion, class_competence, confusion
from flwr_chainfl.labels.consensus import hard_labels, majority_vote, mean_soft_labels, validate_soft_labels
from flwr_chainfl.labels.correction import CORRECTIONS, corrected
from flwr_chainfl.labels.histogram import class_histogram, label_distribution, laplace_histogram
from flwr_chainfl.labels.label_format import LabelFormat
from flwr_chainfl.labels.peer_truth_serum import peer_truth_serum, weighted_peer_truth_serum
from flwr_chainfl.labels.proxy_agreement import proxy_agreement
from flwr_chainfl.labels.qualities import Aggregation, State, agreement_weights, consensus_weights
from flwr_chainfl.labels.quantization import dequantize, quantize
from flwr_chainfl.labels.single_vote import majority, peer_weighted
from flwr_chainfl.labels.soft_consensus import exact_soft_labels, reduce_entropy, weighted_soft_labels
from flwr_chainfl.labels.votes import MICRO, NO_REPORT

__all__ = [
    "AGGREGATIONS",
    "CORRECTIONS",
    "MICRO",
    "NO_REPORT",
    "Aggregation",
    "Aggregator",
    "Confusion",
    "Evidence",
    "LabelFormat",
    "State",
    "above_chance",
    "aggregate",
    "agreement_weights",
    "bayes_one_pass",
    "bayes_two_pass",
    "class_competence",
    "class_histogram",
    "confusion",
    "consensus_weights",
    "corrected",
    "decode",
    "dequantize",
    "encode",
    "exact_soft_labels",
    "hard_labels",
    "label_distribution",
    "laplace_histogram",
    "majority",
    "majority_vote",
    "mean_soft_labels",
    "pack_calibration",
    "pack_units",
    "peer_truth_serum",
    "peer_weighted",
    "proxy_agreement",
    "quantize",
    "reduce_entropy",
    "unpack_calibration",
    "unpack_units",
    "usable",
    "validate_soft_labels",
    "weighted_peer_truth_serum",
    "weighted_soft_labels",
]
