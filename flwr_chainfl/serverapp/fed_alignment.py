"""FedAlignment: FedAvg that the contract can compute, paid by how far each update points where the others' do."""

from __future__ import annotations

import logging
from typing import Any

from flwr.app import ArrayRecord
from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.rewards import Consistency
from flwr_chainfl.scoring import Alignment
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.gas_estimate import GasEstimate
from flwr_chainfl.serverapp.updates_exchange import AveragedUpdates
from flwr_chainfl.updates import Updates

log = logging.getLogger("flwr")

_NEVER = 10 * WAD  # no score is as low, so that a negative one costs nothing


class FedAlignment(ChainStrategy):
    """Average updates in fixed point, pay by alignment and consistency, correct the pay by Shapley values.

    A participant commits to its update as a packed vector. Its score is the cosine of its update with the average of the
    others', times its share of the samples; pay grows by 10 % with each round in a row, up to five. With
    ``settlement="onchain"``, the vectors go on chain in full, and the contract averages and scores them; otherwise hashes
    do, and the vectors only when somebody challenges.

    What it cannot do: alignment pays for pointing where most point, so a majority that colludes is paid, and honest
    participants with rare data are paid less; Shapley rounds correct that within [0.5, 2], as far as the server's held-out data
    tell. Sample counts are the participants' own word, up to what they declared when they joined.

    Source: docs/protocols/alignment.md; Wu and Seneviratne, arXiv 2502.14170.

    Parameters
    ----------
    arrays : ArrayRecord
        The initial model, from which the size of an update is known.
    updates : Updates
        What of an update is averaged: by default every parameter in 16 bits.
    inner : Strategy, optional
        Samples the nodes; with a sketch of the updates, it aggregates the weights, too. Default: FedAvg.
    cosine, leave_one_out, accuracy : bool
        Of the score, see `Alignment`. `accuracy` needs an `assessment`.
    alpha : float
        What each round in a row adds to a participant's pay, as a share; 0 for nothing.
    streak_cap : int
        Rounds in a row that count at most.
    shapley : Shapley, optional
        Corrects the pay of every fifth round. Default: no correction.
    slash_below : float, optional
        A score below minus this costs a tenth of the stake for each 1.0. Default: a negative score costs nothing but the pay.
    step : float, optional
        What an integer of 1 stands for in the first round. Default: a range of ±1 in 8 bits, 2⁻¹² in more.
    unit : int
        Bytes of a unit of the vectors' trees.
    min_nodes : int
        Fewest clients to train, evaluate and start with, where no `inner` strategy says so.
    gas_cap : int, optional
        Most gas that the run may cost by the estimate; above it, the strategy is not made. Default: no cap.
    **settings
        Parameters of `ChainStrategy`: `num_rounds`, `settlement`, `ledger`, …

    Raises ConfigError when parameters do not fit together, GasCapError when the run would cost too much.

    Examples
    --------
    ::

        arrays = ArrayRecord(model.state_dict())
        strategy = FedAlignment(arrays=arrays, settlement="onchain", num_rounds=10)
        result = strategy.start(grid, arrays, num_rounds=10)
    """

    def __init__(
        self,
        *,
        arrays: ArrayRecord,
        updates: Updates | None = None,
        inner: Strategy | None = None,
        cosine: bool = True,
        leave_one_out: bool = True,
        accuracy: bool = False,
        alpha: float = 0.1,
        streak_cap: int = 5,
        shapley: Shapley | None = None,
        slash_below: float | None = None,
        step: float | None = None,
        unit: int = 1536,
        min_nodes: int = 3,
        gas_cap: int | None = None,
        **settings: Any,
    ) -> None:
        updates = updates if updates is not None else Updates()
        deadlines = settings.get("deadlines")
        scorer = Alignment(
            parameters=updates.parameters(arrays), bits=updates.bits, unit=unit, cosine=cosine, leave_one_out=leave_one_out,
            accuracy=accuracy, window=deadlines.challenge if deadlines is not None else 60,
        )
        if inner is None:
            inner = FedAvg(min_train_nodes=min_nodes, min_evaluate_nodes=min_nodes, min_available_nodes=min_nodes)
        self.estimate = GasEstimate(
            parameters=scorer.parameters, bits=updates.bits,
            clients=int(getattr(inner, "min_train_nodes", min_nodes)), rounds=settings.get("num_rounds") or 1,
            onchain=settings.get("settlement") == "onchain",
        )
        if gas_cap is not None:
            self.estimate.check(gas_cap)
        settings.setdefault("schedule", Consistency(alpha=round(alpha * WAD), cap=streak_cap))
        settings.setdefault("slash_floor", _NEVER if slash_below is None else round(slash_below * WAD))
        super().__init__(
            exchange=AveragedUpdates(updates, scorer, inner=inner, step=step), scorer=scorer, shapley=shapley,
            streak_cap=streak_cap, **settings,
        )

    def summary(self) -> None:
        """Log the parts, the money, and the gas that the run is estimated at."""
        super().summary()
        one = self.estimate
        log.info(
            "\t    Gas: about %s a round with %d clients and %s parameters of %d bits, %s for %d rounds", f"{one.round:,}",
            one.clients, f"{one.parameters:,}", one.bits, f"{one.total:,}", one.rounds,
        )
