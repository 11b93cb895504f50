"""DS-FL: clients tell their class probabilities on public inputs; the sharpened mean teaches clients and server.

Source: Itahara, Nishio, Koda, Morikura, Yamamoto, "Distillation-Based Semi-Supervised Federated Learning for
Communication-Efficient Collaborative Training with Non-IID Private Data", arXiv 2008.06180: entropy reduction
aggregation at temperature 0.1, cross-entropy, and one distillation each for clients and server.
Deviations: all public inputs serve in every round, not a random subset; Adam in place of SGD; the server's model takes
`student_epochs` passes, a client's `distill_epochs`.
"""

from __future__ import annotations

from flwr.app import ArrayRecord
from torch import Tensor, nn

from examples.benchmarks.peers.label_exchange import LabelExchange, label_apps
from examples.benchmarks.task import Method, Task

TEMPERATURE = 0.1


def dsfl(task: Task) -> Method:
    """Exchange probabilities and learn their sharpened mean."""
    student = task.make_model()

    def teach(server_round: int, consensus: Tensor) -> ArrayRecord:
        task.seed_torch("server", server_round, "train")
        task.distill(student, consensus, loss=nn.functional.cross_entropy, epochs=task.budget.student_epochs)
        return ArrayRecord(student.state_dict())

    apps = label_apps(task, report=lambda logits: logits.softmax(1), loss=nn.functional.cross_entropy)
    return Method(LabelExchange(task, combine=entropy_reduction, teach=teach), apps)


def entropy_reduction(probabilities: Tensor) -> Tensor:
    """Return softmax(p̄ / 0.1) of the clients' mean probabilities p̄.

    probabilities: float (clients, inputs, classes)
    returns: float (inputs, classes), rows summing to 1

    The softmax takes the probabilities themselves, not their logarithms, so a certain mean stays just below 1 and an
    undecided one is sharpened a little:

    >>> import torch
    >>> entropy_reduction(torch.tensor([[[0.9, 0.1, 0.0]], [[0.3, 0.7, 0.0]]]))
    tensor([[0.8789, 0.1189, 0.0022]])
    """
    return (probabilities.mean(0) / TEMPERATURE).softmax(1)
