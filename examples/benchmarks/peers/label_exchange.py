"""What FedMD and DS-FL have in common: scores on public inputs go up, one consensus of them comes down."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from torch import Tensor, nn

from examples.benchmarks.task import Task, partition_of

_MODEL = "model"
_DIGESTED = "digested"


class LabelExchange(FedAvg):
    """A strategy that brings the consensus of round r to the clients in their evaluation, and in round r + 1.

    combine: makes the consensus, (inputs, classes), of the scores, (clients, inputs, classes)
    teach: teaches the consensus of a round to the server's model and returns its weights; None where there is none
    """

    def __init__(
        self, task: Task, *, combine: Callable[[Tensor], Tensor],
        teach: Callable[[int, Tensor], ArrayRecord] | None = None,
    ) -> None:
        super().__init__(**task.nodes)
        self._combine = combine
        self._teach = teach
        self._consensus = ArrayRecord()
        self._consensus_round = 0

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send the last round's consensus in place of a model."""
        config["consensus-round"] = self._consensus_round
        return super().configure_train(server_round, self._consensus, config, grid)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send this round's consensus in place of a model."""
        config["consensus-round"] = self._consensus_round
        return super().configure_evaluate(server_round, self._consensus, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Combine the clients' scores."""
        usable, _ = self._check_and_log_replies(list(replies), is_train=True)
        if not usable:
            return None, None
        contents = [reply.content for reply in usable]
        scores = torch.stack([torch.from_numpy(content["scores"]["scores"].numpy()) for content in contents])
        consensus = self._combine(scores)
        self._consensus = ArrayRecord({"consensus": Array(consensus.numpy())})
        self._consensus_round = server_round
        arrays = self._teach(server_round, consensus) if self._teach is not None else None
        return arrays, self.train_metrics_aggr_fn(contents, self.weighted_by_key)


def label_apps(
    task: Task, *, report: Callable[[Tensor], Tensor], loss: Callable[[Tensor, Tensor], Tensor],
    warm_up: Callable[[nn.Module], None] | None = None,
) -> list[ClientApp]:
    """Return clients that keep their models, learn each consensus once, train, and report on the public inputs.

    report: makes scores of logits, both (inputs, classes); loss: of logits and consensus, for a batch
    warm_up: comes before the first round's private training
    """
    app = ClientApp()

    def newest(message: Message, context: Context, phase: str) -> tuple[nn.Module, int]:
        """Return the client's model with the newest consensus learnt, and the round."""
        partition = partition_of(context)
        config = message.content["config"]
        server_round, consensus_round = int(config["server-round"]), int(config["consensus-round"])
        task.seed_torch(partition, server_round, phase)
        model = task.make_model(partition)
        if _MODEL in context.state:
            model.load_state_dict(context.state[_MODEL].to_torch_state_dict())
        if consensus_round > 0 and context.state[_DIGESTED]["round"] < consensus_round:
            consensus = torch.from_numpy(message.content["arrays"]["consensus"].numpy())
            task.distill(model, consensus, loss=loss, epochs=task.budget.distill_epochs)
            keep(model, context, consensus_round)
        return model, server_round

    def keep(model: nn.Module, context: Context, consensus_round: int) -> None:
        context.state[_MODEL] = ArrayRecord(model.state_dict())
        context.state[_DIGESTED] = ConfigRecord({"round": consensus_round})

    @app.train()
    def train(message: Message, context: Context) -> Message:
        model, server_round = newest(message, context, "train")
        data = task.data.private[partition_of(context)]
        if server_round == 1 and warm_up is not None:
            warm_up(model)
        trained = task.train(model, data)
        keep(model, context, server_round - 1)
        scores = report(task.logits(model, task.public_inputs)).cpu().numpy()
        metrics = MetricRecord({"train_loss": trained, "num-examples": len(data.labels)})
        content = RecordDict({"scores": ArrayRecord({"scores": Array(scores)}), "metrics": metrics})
        return Message(content, reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        model, _ = newest(message, context, "evaluate")
        metrics = MetricRecord({"accuracy": task.test(model), "num-examples": len(task.data.test.labels)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return [app] * task.clients
