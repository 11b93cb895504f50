"""FedPeerPrediction with weights, as users run it: on the embedded ledger, with commitments, scores and pay."""

from __future__ import annotations

import tempfile

from flwr.serverapp.strategy import FedAvg

from examples.benchmarks.peers.fedavg import weights_apps
from examples.benchmarks.task import Method, Task


def peer_prediction(task: Task) -> Method:
    """FedAvg whose clients are scored by correlated agreement on parameters, and count by their scores.

    The task's clients, free-riders among them, do what they do under FedAvg.
    """
    from flwr_chainfl import (
        AboveChance,
        ChainClientApp,
        CorrelatedAgreement,
        FedPeerPrediction,
        Signals,
        Softmax,
    )

    scorer = CorrelatedAgreement(classes=3, tasks=task.signals)
    above_chance = AboveChance(minimum=2 * scorer.chance_deviation)

    strategy = FedPeerPrediction(
        inner=FedAvg(**task.nodes),
        signals=Signals(tasks=task.signals),
        scorer=scorer,
        weighting=above_chance if task.softmax_alpha is None else Softmax(alpha=task.softmax_alpha),
        num_rounds=task.budget.rounds,
        seed=task.seed,
        run_directory=tempfile.mkdtemp(dir=task.scratch),
    )
    return Method(strategy, weights_apps(task, ChainClientApp()))
