"""ChainFL: soft labels, roles that rotate, votes, the weighted peer truth serum, pay by role, reputation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flwr.serverapp.strategy import FedAvg
from numpy.typing import ArrayLike

from flwr_chainfl.fixedpoint import to_wad
from flwr_chainfl.rewards import ByRole
from flwr_chainfl.roles import Rotation
from flwr_chainfl.scoring import ProxyVote, RoleReward, WeightedPeerTruthSerum, chance_level
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.pseudo_public import PseudoPublic
from flwr_chainfl.serverapp.selection import Reputation
from flwr_chainfl.serverapp.soft_labels_exchange import SoftLabels

if TYPE_CHECKING:
    from torch import nn


class ChainFL(ChainStrategy):
    """All parts together: what travels is soft labels, and who judges and who seals is drawn anew for each round.

    Everybody trains in each round and keeps a model of its own. The drawn workers label the public inputs; the drawn
    validators say how far each worker's labels, and the last consensus, go with those of their own models, and by that vote
    them in or out; the drawn miners check all signatures, form the consensus of what was accepted in whole numbers and
    attest its hash. Workers are paid by the weighted peer truth serum, validators and miners for their work, each from
    its role's pool, and all are remembered.

    What it cannot do: tell a coalition that relabels together from the honest where it has the majority, unless labels of
    some public inputs are known (`known_labels`); and as long as the train replies open their own commitments (`packed`),
    the server sees labels before all have committed, and could show them to somebody.

    Source: docs/protocols/role-rotation.md, "With soft labels".
    Choice: the consensus is weighted by peers' agreement (``peer-weighted``), since what miners seal must not rest on a
    memory that newcomers lack; it is not sharpened.

    Parameters
    ----------
    public_set : array or PseudoPublic
        Unlabelled inputs on which all report; see `SoftLabels`.
    student : torch.nn.Module
        The server's model; its state is `result.arrays`.
    known_labels : array, optional
        Labels of public inputs that the server knows, 255 where it does not, for calibration items.
    rotation : Rotation
        Shares of the roles. Default: 12 workers, 5 validators, 3 miners of 20.
    threshold : float
        δ: by how much a worker's labels may agree less with a validator's than the last consensus does.
    min_nodes : int
        Fewest clients to train, evaluate and start with.
    exclude_after : int
        Rounds in a row in which a worker was rejected, after which it is excluded; 0: never.
    distillation : dict, optional
        Further parameters of `SoftLabels`, such as ``epochs`` or ``weight``.
    **settings
        Parameters of `ChainStrategy`: `num_rounds`, `reward_per_round`, `ledger`, `seed`, …

    Raises ConfigError when parameters do not fit together.

    Examples
    --------
    ::

        strategy = ChainFL(public_set=inputs, student=Net(), num_rounds=10)
        result = strategy.start(grid, ArrayRecord(Net().state_dict()), num_rounds=10)
    """

    def __init__(
        self,
        *,
        public_set: ArrayLike | PseudoPublic,
        student: nn.Module,
        known_labels: ArrayLike | None = None,
        rotation: Rotation | None = None,
        threshold: float = 0.08,
        min_nodes: int = 3,
        exclude_after: int = 6,
        distillation: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        rotation = rotation if rotation is not None else Rotation()
        sampling = FedAvg(min_train_nodes=min_nodes, min_evaluate_nodes=min_nodes, min_available_nodes=min_nodes)
        parameters = {"consensus": "peer-weighted", "entropy_temperature": 1.0, **(distillation or {})}
        exchange = SoftLabels(
            public_set, student, known_labels=known_labels, sampling=sampling, exact=True, **parameters
        )
        chance = chance_level(tasks=exchange.tasks, classes=exchange.classes)
        serum = WeightedPeerTruthSerum(classes=exchange.classes, tasks=exchange.tasks)
        workers, validators, miners = rotation.as_shares()
        settings.setdefault("scorer", RoleReward(vote=ProxyVote(threshold=to_wad(threshold)), inner=serum))
        settings.setdefault(
            "schedule", ByRole(workers=workers, validators=validators, miners=miners, minimum_score=chance)
        )
        settings.setdefault("slash_floor", chance)
        settings.setdefault("reputation", Reputation())
        settings.setdefault("packed", True)
        super().__init__(exchange=exchange, roles=rotation, most_strikes=exclude_after, **settings)
