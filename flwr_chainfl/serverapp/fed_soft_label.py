"""FedSoftLabel: soft labels travel in place of weights, and the peer truth serum pays for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flwr.serverapp.strategy import FedAvg
from numpy.typing import ArrayLike

from flwr_chainfl.rewards import Proportional
from flwr_chainfl.scoring import PeerTruthSerum, chance_level
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.soft_labels_exchange import SoftLabels

if TYPE_CHECKING:
    from torch import nn


class FedSoftLabel(ChainStrategy):
    """Federated distillation with pay by the unweighted peer truth serum.

    Clients send class probabilities on public inputs, committed to before they are revealed; the consensus
    teaches everyone's next model; each is paid for how its labels agree with its peers' beyond chance.
    The mechanism cannot tell an honest majority from a large coalition that relabels together.

    Source: docs/protocols/soft-label.md; Ying, Yan, Gao et al., "IMFLKD", Sci Rep 16:10567 (2026),
    doi 10.1038/s41598-026-46234-1.

    Parameters
    ----------
    public_set : array
        Unlabelled inputs, (inputs, …), in the form that the models take.
    student : torch.nn.Module
        The server's model; its state is `result.arrays`.
    fraction_train, fraction_evaluate, min_train_nodes, min_evaluate_nodes, min_available_nodes
        Sampling of nodes, as in Flower's FedAvg. The peer truth serum needs 3 participants or more.
    distillation : dict, optional
        Further parameters of `SoftLabels`, such as ``epochs`` or ``weight``.
    **settings
        Parameters of `ChainStrategy`: `num_rounds`, `reward_per_round`, `ledger`, `seed`, …

    Examples
    --------
    ::

        strategy = FedSoftLabel(public_set=inputs, student=Net(), num_rounds=10)
        result = strategy.start(grid, ArrayRecord(Net().state_dict()), num_rounds=10)
    """

    def __init__(
        self,
        *,
        public_set: ArrayLike,
        student: nn.Module,
        fraction_train: float = 1.0,
        fraction_evaluate: float = 1.0,
        min_train_nodes: int = 3,
        min_evaluate_nodes: int = 3,
        min_available_nodes: int = 3,
        distillation: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        sampling = FedAvg(
            fraction_train=fraction_train,
            fraction_evaluate=fraction_evaluate,
            min_train_nodes=min_train_nodes,
            min_evaluate_nodes=min_evaluate_nodes,
            min_available_nodes=min_available_nodes,
        )
        exchange = SoftLabels(public_set, student, sampling=sampling, **(distillation or {}))
        chance = chance_level(tasks=exchange.tasks, classes=exchange.classes)
        settings.setdefault("schedule", Proportional(minimum_score=chance))
        settings.setdefault("slash_floor", chance)
        super().__init__(
            exchange=exchange,
            scorer=PeerTruthSerum(classes=exchange.classes, tasks=exchange.tasks),
            **settings,
        )
