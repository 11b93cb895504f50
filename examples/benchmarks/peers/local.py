"""Local training: each client alone, for as many local epochs as under the other methods; the bar to clear.

Deviations: none; the optimiser starts anew each round, as it does in the other methods.
"""

from __future__ import annotations

from collections.abc import Iterable

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from torch import nn

from examples.benchmarks.task import Method, Task, partition_of

_MODEL = "model"


def local(task: Task) -> Method:
    """Let nobody tell anybody anything."""
    return Method(LocalOnly(**task.nodes), _apps(task), server_model=False)


class LocalOnly(FedAvg):
    """FedAvg's rounds, in which no weights travel."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask for a round of training, without a model."""
        return super().configure_train(server_round, ArrayRecord(), config, grid)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask for an evaluation, without a model."""
        return super().configure_evaluate(server_round, ArrayRecord(), config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the metrics alone."""
        return None, self.aggregate_evaluate(server_round, replies)


def _apps(task: Task) -> list[ClientApp]:
    app = ClientApp()

    def own_model(context: Context) -> nn.Module:
        model = task.make_model(partition_of(context))
        if _MODEL in context.state:
            model.load_state_dict(context.state[_MODEL].to_torch_state_dict())
        return model

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition = partition_of(context)
        data = task.data.private[partition]
        model = own_model(context)
        task.seed_torch(partition, int(message.content["config"]["server-round"]), "train")
        loss = task.train(model, data)
        context.state[_MODEL] = ArrayRecord(model.state_dict())
        metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        accuracy = task.test(own_model(context))
        metrics = MetricRecord({"accuracy": accuracy, "num-examples": len(task.data.test.labels)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return [app] * task.clients
