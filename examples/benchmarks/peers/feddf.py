"""FedDF: FedAvg, whose server then distils the ensemble of its clients' models into their average.

Source: Lin, Kong, Stich, Jaggi, "Ensemble Distillation for Robust Model Fusion in Federated Learning",
arXiv 2006.07242, algorithm 1 (the student starts from the average, AvgLogits teaches it) and section 4.1 (Adam 1e-3,
cosine annealing, temperature 1).
Deviations: `student_epochs` passes over the public inputs with the comparison's batch size, in place of up to 10⁴ steps
of 128 inputs, stopped early on labelled validation data, which nobody has here; one architecture; Adam on the clients.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import FedAvg
from torch import nn

from examples.benchmarks.peers.fedavg import weights_apps
from examples.benchmarks.task import Method, Task


def feddf(task: Task) -> Method:
    """Fuse the clients' models by distilling their ensemble."""
    return Method(FedDF(task), weights_apps(task))


class FedDF(FedAvg):
    """FedAvg with a server that distils; clients notice nothing."""

    def __init__(self, task: Task) -> None:
        super().__init__(**task.nodes)
        self._task = task

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the weights, then teach the average the mean of the clients' logits on the public inputs."""
        replies = list(replies)
        arrays, metrics = super().aggregate_train(server_round, replies)
        if arrays is None:
            return arrays, metrics
        task, model = self._task, self._task.make_model()
        teachers = []
        for reply in replies:
            if not reply.has_error():
                model.load_state_dict(reply.content["arrays"].to_torch_state_dict())
                teachers.append(task.logits(model, task.public_inputs))
        targets = torch.stack(teachers).mean(0).softmax(1)
        model.load_state_dict(arrays.to_torch_state_dict())
        task.seed_torch("server", server_round, "train")
        # with fixed targets cross-entropy has the gradient of the paper's Kullback-Leibler divergence
        task.distill(
            model, targets, loss=nn.functional.cross_entropy, epochs=task.budget.student_epochs, cosine=True
        )
        return ArrayRecord(model.state_dict()), metrics
