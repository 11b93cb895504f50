"""FedMD: clients tell their class scores on public data and approach the mean of them; there is no server model.

Source: Li and Wang, "FedMD: Heterogenous Federated Learning via Model Distillation", arXiv 1910.03581, algorithm 1;
scores are logits, and the distance is the mean absolute error, as in the authors' code.
`fedmd_labelled` is the algorithm as published: the public data has labels, and each client learns them first.
`fedmd` leaves that first step out, since the public inputs of this comparison have no labels.
Deviations: all public inputs serve in every round, not a random subset; fixed numbers of epochs, no early stopping; the
first step takes `student_epochs` passes; clients are tested once they have digested the newest consensus, so before
they revisit their private data.
"""

from __future__ import annotations

from torch import Tensor, nn

from examples.benchmarks.peers.label_exchange import LabelExchange, label_apps
from examples.benchmarks.task import Method, Task


def fedmd(task: Task) -> Method:
    """FedMD on public inputs without labels."""
    return _method(task, labelled=False)


def fedmd_labelled(task: Task) -> Method:
    """FedMD with the transfer learning from labelled public data that the paper begins with."""
    return _method(task, labelled=True)


def _method(task: Task, *, labelled: bool) -> Method:
    def learn_public_labels(model: nn.Module) -> None:
        task.train(model, task.data.public, epochs=task.budget.student_epochs)

    apps = label_apps(
        task, report=_logits, loss=nn.functional.l1_loss, warm_up=learn_public_labels if labelled else None
    )
    return Method(LabelExchange(task, combine=mean_scores), apps, server_model=False)


def mean_scores(scores: Tensor) -> Tensor:
    """Return the mean over clients: (clients, inputs, classes) to (inputs, classes)."""
    return scores.mean(0)


def _logits(logits: Tensor) -> Tensor:
    return logits
