"""The server side: one strategy made of parts, and its presets."""

from flwr_chainfl.serverapp.assessment import PeerReview
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.chainfl import ChainFL
from flwr_chainfl.serverapp.envelopes import Envelopes
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.fed_alignment import FedAlignment
from flwr_chainfl.serverapp.fed_collateral import FedCollateral
from flwr_chainfl.serverapp.fed_peer_prediction import FedPeerPrediction
from flwr_chainfl.serverapp.fed_role_rotation import FedRoleRotation
from flwr_chainfl.serverapp.fed_soft_label import FedSoftLabel
from flwr_chainfl.serverapp.pseudo_public import PseudoPublic
from flwr_chainfl.serverapp.run_setup import Deadlines
from flwr_chainfl.serverapp.selection import Reputation
from flwr_chainfl.serverapp.soft_labels_exchange import SoftLabels
from flwr_chainfl.serverapp.updates_exchange import AveragedUpdates
from flwr_chainfl.serverapp.validator_votes import ValidatorVotes
from flwr_chainfl.serverapp.weights_exchange import Weights

__all__ = [
    "AveragedUpdates",
    "ChainFL",
    "ChainStrategy",
    "Deadlines",
    "Envelopes",
    "FedAlignment",
    "FedCollateral",
    "FedPeerPrediction",
    "FedRoleRotation",
    "FedSoftLabel",
    "PeerReview",
    "PseudoPublic",
    "Reputation",
    "Shapley",
    "SoftLabels",
    "ValidatorVotes",
    "Weights",
]
