"""FedSoftLabel as users run it: on the embedded ledger, with commitments, scores and pay."""

from __future__ import annotations

import tempfile
from functools import partial

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import nn

from examples.benchmarks.task import Method, Task, partition_of


def soft_label(task: Task) -> Method:
    """FedSoftLabel with the comparison's budget; the task's `distillation` overrides its parameters.

    Choice: clients have the public inputs already, as under every other method, so that none are sent.
    """
    from flwr_chainfl import FedSoftLabel

    budget = task.budget
    strategy = FedSoftLabel(
        public_set=task.data.public.images,
        student=task.make_model(),
        num_rounds=budget.rounds,
        seed=task.seed,
        run_directory=tempfile.mkdtemp(dir=task.scratch),
        distillation={
            "epochs": budget.distill_epochs,
            "student_epochs": budget.student_epochs,
            "learning_rate": budget.learning_rate,
            "batch_size": budget.batch_size,
            "send_public_set": False,
            **task.distillation,
        },
        **task.nodes,
    )
    return Method(strategy, [_app(task, partial(task.make_model, partition)) for partition in range(task.clients)])


def _app(task: Task, own_model: partial[nn.Module]) -> ClientApp:
    """Return a client; under this strategy its functions are given its own weights."""
    from flwr_chainfl import ChainClientApp, consensus_term

    app = ChainClientApp(model=own_model, public_set=task.data.public.images)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        data = task.data.private[partition_of(context)]
        model = own_model()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        loss = task.train(model, data, extra=consensus_term)
        metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
        return Message(
            RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message
        )

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        model = own_model()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        metrics = MetricRecord({"accuracy": task.test(model), "num-examples": len(task.data.test.labels)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app
