"""FedSoftLabel: soft labels travel in place of weights, and the weighted peer truth serum pays for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flwr.serverapp.strategy import FedAvg
from numpy.typing import ArrayLike

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards import Proportional
from flwr_chainfl.scoring import Scorer, WeightedPeerTruthSerum, chance_level
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.pseudo_public import PseudoPublic
from flwr_chainfl.serverapp.selection import Reputation
from flwr_chainfl.serverapp.soft_labels_exchange import SoftLabels

if TYPE_CHECKING:
    from torch import nn


class FedSoftLabel(ChainStrategy):
    """Federated distillation with pay by the weighted peer truth serum, and reputation.

    Clients send class probabilities on public inputs, committed to before they are revealed; the consensus
    teaches everyone's next model; each is paid for how its labels agree with those of its good peers beyond chance,
    and remembered for it. Without calibration items, the mechanism cannot tell an honest majority from a large
    coalition that relabels together.

    Source: docs/protocols/soft-label.md; Ying, Yan, Gao et al., "IMFLKD", Sci Rep 16:10567 (2026),
    doi 10.1038/s41598-026-46234-1.

    Parameters
    ----------
    public_set : array, PseudoPublic or "cvae"
        Unlabelled inputs, (inputs, …), in the form that the models take; or how to draw some from decoders that the
        clients train. ``"cvae"`` stands for ``PseudoPublic(classes=classes)``.
    student : torch.nn.Module
        The server's model; its state is `result.arrays`.
    classes : int, optional
        K; needed with ``"cvae"`` alone.
    known_labels : array, optional
        Labels of public inputs that the server knows, 255 where it does not, for calibration items; drawn inputs have
        theirs.
    fraction_train, fraction_evaluate, min_train_nodes, min_evaluate_nodes, min_available_nodes
        Sampling of nodes, as in Flower's FedAvg. The peer truth serum needs 3 participants or more.
    scorer : Scorer, optional
        Default: `WeightedPeerTruthSerum`. `PeerTruthSerum` counts all peers alike.
    distillation : dict, optional
        Further parameters of `SoftLabels`, such as ``epochs``, ``report_bits`` or ``consensus``.
    **settings
        Parameters of `ChainStrategy`: `num_rounds`, `reward_per_round`, `ledger`, `seed`, … By default participants
        are remembered (``reputation=None`` for not).

    Examples
    --------
    ::

        strategy = FedSoftLabel(public_set=inputs, student=Net(), num_rounds=10)
        result = strategy.start(grid, ArrayRecord(Net().state_dict()), num_rounds=10)
    """

    def __init__(
        self,
        *,
        public_set: ArrayLike | PseudoPublic | str,
        student: nn.Module,
        classes: int | None = None,
        known_labels: ArrayLike | None = None,
        fraction_train: float = 1.0,
        fraction_evaluate: float = 1.0,
        min_train_nodes: int = 3,
        min_evaluate_nodes: int = 3,
        min_available_nodes: int = 3,
        scorer: Scorer | None = None,
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
        inputs = _pseudo_public(public_set, classes) if isinstance(public_set, str) else public_set
        exchange = SoftLabels(inputs, student, known_labels=known_labels, sampling=sampling, **(distillation or {}))
        chance = chance_level(tasks=exchange.tasks, classes=exchange.classes)
        settings.setdefault("schedule", Proportional(minimum_score=chance))
        settings.setdefault("slash_floor", chance)
        settings.setdefault("reputation", Reputation())
        if scorer is None:
            scorer = WeightedPeerTruthSerum(classes=exchange.classes, tasks=exchange.tasks)
        super().__init__(exchange=exchange, scorer=scorer, **settings)


def _pseudo_public(name: str, classes: int | None) -> PseudoPublic:
    if name != "cvae":
        raise ConfigError(f"public_set is {name!r}; pass inputs, a PseudoPublic, or 'cvae'")
    if classes is None:
        raise ConfigError("public_set='cvae' needs the number of classes: FedSoftLabel(public_set='cvae', classes=…)")
    return PseudoPublic(classes=classes)
