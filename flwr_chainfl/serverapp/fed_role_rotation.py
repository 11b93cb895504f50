"""FedRoleRotation: workers, validators and miners, drawn anew for each round."""

from __future__ import annotations

from typing import Any

from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl.exact_mean import ExactMean
from flwr_chainfl.fixedpoint import to_wad
from flwr_chainfl.rewards import ByRole
from flwr_chainfl.roles import Rotation
from flwr_chainfl.scoring import ProxyVote, RoleReward
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.validator_votes import ValidatorVotes
from flwr_chainfl.serverapp.weights_exchange import Weights


class FedRoleRotation(ChainStrategy):
    """In every round each participant is a worker, a validator or a miner, as the ledger's randomness draws.

    Workers train from the global model; validators judge each worker's model and the global one with their own evaluate
    function, and a worker enters the aggregate unless more of them find it worse by δ than find it not; miners check all
    signatures, count the votes, average the accepted models in whole numbers and attest the hash. What their majority
    attests is what the next round starts from; without a majority the round is void. Everybody is paid from its role's pool.

    In the first round everybody trains and joins, before roles are drawn.

    What it cannot do: half of the validators can have anybody rejected; validators see data of their own classes only, so
    on skewed data a δ that stops the harmful stops honest workers too, less so with `retrained` (docs/benchmarks.md, "Role rotation"); and a
    model that is poisoned without being less accurate passes.

    Source: docs/protocols/role-rotation.md; Electronics 13(4):679 (2024); VBFL, arXiv 2101.03300.

    Parameters
    ----------
    rotation : Rotation
        Shares of the roles. Default: 12 workers, 5 validators, 3 miners of 20.
    threshold : float
        δ: by how much a worker's accuracy may fall short of the global model's.
    inner : Strategy, optional
        Samples the nodes and averages the metrics: FedAvg, or one that aggregates as it does. Default: FedAvg of all.
    uniform, mixing : bool, float
        Whether accepted models count alike; α of (1 − α)·G + α·mean.
    metric : str
        The clients' evaluation metric that is a validator's mark, a share from 0 to 1.
    retrained : bool
        Whether validators compare with what their own training makes of the global model, instead of with that model; see
        `ValidatorVotes`.
    exclude_after : int
        Rounds in a row in which a worker was rejected, after which it is excluded; 0: never.
    keep_content : bool
        Whether the accepted models are stored, so that an audit can compute the aggregate again.
    **settings
        Parameters of `ChainStrategy`: `num_rounds`, `reward_per_round`, `ledger`, `seed`, …

    Raises ConfigError when parameters do not fit together.

    Examples
    --------
    ::

        strategy = FedRoleRotation(num_rounds=10)
        result = strategy.start(grid, ArrayRecord(Net().state_dict()), num_rounds=10)
    """

    def __init__(
        self,
        *,
        rotation: Rotation | None = None,
        threshold: float = 0.08,
        inner: Strategy | None = None,
        uniform: bool = False,
        mixing: float = 1.0,
        metric: str = "accuracy",
        retrained: bool = False,
        exclude_after: int = 6,
        keep_content: bool = True,
        **settings: Any,
    ) -> None:
        rotation = rotation if rotation is not None else Rotation()
        if inner is None:
            inner = FedAvg(min_train_nodes=3, min_evaluate_nodes=3, min_available_nodes=3)
        exact = ExactMean(uniform=uniform, mixing=mixing)
        settings.setdefault("scorer", RoleReward(vote=ProxyVote(threshold=to_wad(threshold))))
        workers, validators, miners = rotation.as_shares()
        settings.setdefault("schedule", ByRole(workers=workers, validators=validators, miners=miners))
        settings.setdefault("assessment", ValidatorVotes(metric=metric, retrained=retrained))
        super().__init__(
            exchange=Weights(inner, exact=exact, keep_content=keep_content),
            roles=rotation,
            most_strikes=exclude_after,
            **settings,
        )
