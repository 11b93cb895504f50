"""FedAvg and FedProx: Flower's own strategies, and the client that trains what they send.

Source: McMahan et al., arXiv 1602.05629; Li et al., "Federated Optimization in Heterogeneous Networks",
arXiv 1812.06127, equation 2.
Deviations: every client takes part in every round; Adam in place of SGD.
"""

from __future__ import annotations

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg, FedProx
from torch import Tensor, nn

from examples.benchmarks.task import ExtraLoss, Method, Task, partition_of
from flwr_chainfl.errors import ConfigError


def fedavg(task: Task) -> Method:
    """Average the clients' weights, by their numbers of examples."""
    return Method(FedAvg(**task.nodes), weights_apps(task))


def fedprox(task: Task) -> Method:
    """FedAvg, with a term that keeps each client near the global model: the task's `proximal_mu`."""
    return Method(FedProx(proximal_mu=task.proximal_mu, **task.nodes), weights_apps(task))


def weights_apps(task: Task, app: ClientApp | None = None) -> list[ClientApp]:
    """Return clients that train the weights they are sent and send them back; the task's free-riders do not train.

    app: without functions yet; an ordinary one when left out

    Raises ConfigError when the clients' models differ, since their weights cannot be averaged.
    """
    if not task.same_architecture:
        raise ConfigError("clients of several models have no common weights; leave --client-models out")
    app = ClientApp() if app is None else app

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition = partition_of(context)
        data = task.data.private[partition]
        config = message.content["config"]
        model = _received(task, message)
        mu = float(config.get("proximal-mu", 0.0))
        task.seed_torch(partition, int(config["server-round"]), "train")
        if partition < task.free_riders:
            loss = _disturb(model, task.free_rider_noise)
        else:
            loss = task.train(model, data, extra=proximal_term(model, mu) if mu > 0 else None)
        metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
        return Message(
            RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message
        )

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        accuracy = task.test(_received(task, message))
        metrics = MetricRecord({"accuracy": accuracy, "num-examples": len(task.data.test.labels)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return [app] * task.clients


def proximal_term(model: nn.Module, mu: float) -> ExtraLoss:
    """Return FedProx's µ/2·‖w − wᵗ‖², wᵗ being the model's weights at this moment."""
    start = [parameter.detach().clone() for parameter in model.parameters()]

    def term(model: nn.Module) -> Tensor:
        return mu / 2 * sum((now - then).square().sum() for now, then in zip(model.parameters(), start, strict=True))

    return term


def _disturb(model: nn.Module, deviation: float) -> float:
    """Add noise to a model's weights in place; return the loss to report."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += deviation * torch.randn_like(parameter)
    return 0.0


def _received(task: Task, message: Message) -> nn.Module:
    model = task.make_model()
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    return model
