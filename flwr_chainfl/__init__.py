"""Federated learning with Flower where nobody has to trust the server with scores or money.

The public names; each is loaded when it is first used, so that importing the package costs little and torch is
loaded only where it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flwr_chainfl.admission import AllowList, Invitations
    from flwr_chainfl.clientapp import ChainClientApp
    from flwr_chainfl.crypto import EncryptionKey, Wallet
    from flwr_chainfl.distillation import (
        consensus_term,
        defensive_distillation,
        mix_arrays,
        proximal_distillation_loss,
    )
    from flwr_chainfl.errors import ChainFLError
    from flwr_chainfl.exact_mean import ExactMean
    from flwr_chainfl.ledger import Ledger
    from flwr_chainfl.rewards import ByRole, Consistency, Proportional, TopK
    from flwr_chainfl.roles import Rotation
    from flwr_chainfl.scoring import (
        AboveChance,
        Alignment,
        ByScore,
        CorrelatedAgreement,
        OutputAgreement,
        PeerReviewScore,
        PeerTruthSerum,
        ProxyVote,
        RoleReward,
        SampleCount,
        Softmax,
        WeightedPeerTruthSerum,
    )
    from flwr_chainfl.serverapp import (
        ChainFL,
        ChainStrategy,
        Deadlines,
        Envelopes,
        FedAlignment,
        FedCollateral,
        FedPeerPrediction,
        FedRoleRotation,
        FedSoftLabel,
        PeerReview,
        SoftLabels,
        ValidatorVotes,
        Weights,
    )
    from flwr_chainfl.signals import Signals
    from flwr_chainfl.storage import FolderStore, IpfsStore
    from flwr_chainfl.updates import Updates

_HOME = {
    "AboveChance": "scoring",
    "Alignment": "scoring",
    "AllowList": "admission",
    "ByRole": "rewards",
    "ByScore": "scoring",
    "ChainClientApp": "clientapp",
    "ChainFL": "serverapp",
    "ChainFLError": "errors",
    "ChainStrategy": "serverapp",
    "Consistency": "rewards",
    "CorrelatedAgreement": "scoring",
    "Deadlines": "serverapp",
    "EncryptionKey": "crypto",
    "Envelopes": "serverapp",
    "ExactMean": "exact_mean",
    "FedAlignment": "serverapp",
    "FedCollateral": "serverapp",
    "FedPeerPrediction": "serverapp",
    "FedRoleRotation": "serverapp",
    "FedSoftLabel": "serverapp",
    "FolderStore": "storage",
    "Invitations": "admission",
    "IpfsStore": "storage",
    "Ledger": "ledger",
    "OutputAgreement": "scoring",
    "PeerReview": "serverapp",
    "PeerReviewScore": "scoring",
    "PeerTruthSerum": "scoring",
    "Proportional": "rewards",
    "ProxyVote": "scoring",
    "PseudoPublic": "serverapp",
    "Reputation": "serverapp",
    "RoleReward": "scoring",
    "Rotation": "roles",
    "SampleCount": "scoring",
    "Shapley": "serverapp",
    "Signals": "signals",
    "SoftLabels": "serverapp",
    "Softmax": "scoring",
    "TopK": "rewards",
    "Updates": "updates",
    "ValidatorVotes": "serverapp",
    "Wallet": "crypto",
    "WeightedPeerTruthSerum": "scoring",
    "Weights": "serverapp",
    "consensus_term": "distillation",
    "defensive_distillation": "distillation",
    "mix_arrays": "distillation",
    "proximal_distillation_loss": "distillation",
}

__all__ = [
    "AboveChance",
    "Alignment",
    "AllowList",
    "ByRole",
    "ByScore",
    "ChainClientApp",
    "ChainFL",
    "ChainFLError",
    "ChainStrategy",
    "Consistency",
    "CorrelatedAgreement",
    "Deadlines",
    "EncryptionKey",
    "Envelopes",
    "ExactMean",
    "FedAlignment",
    "FedCollateral",
    "FedPeerPrediction",
    "FedRoleRotation",
    "FedSoftLabel",
    "FolderStore",
    "Invitations",
    "IpfsStore",
    "Ledger",
    "OutputAgreement",
    "PeerReview",
    "PeerReviewScore",
    "PeerTruthSerum",
    "Proportional",
    "ProxyVote",
    "PseudoPublic",
    "Reputation",
    "RoleReward",
    "Rotation",
    "SampleCount",
    "Shapley",
    "Signals",
    "SoftLabels",
    "Softmax",
    "TopK",
    "Updates",
    "ValidatorVotes",
    "Wallet",
    "WeightedPeerTruthSerum",
    "Weights",
    "consensus_term",
    "defensive_distillation",
    "mix_arrays",
    "proximal_distillation_loss",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
