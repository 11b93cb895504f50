"""FedSoftLabel as users run it: on the embedded ledger, with commitments, scores and pay."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from numpy.typing import NDArray
from torch import nn

from examples.benchmarks.data import CLASSES
from examples.benchmarks.task import Method, Task, partition_of

Predict = Callable[[nn.Module, NDArray[Any], Context], NDArray[np.float32]]
"""What a client reports of the public inputs."""

_DRAWN = "drawn_"


def soft_label_cvae(task: Task) -> Method:
    """FedSoftLabel without public inputs: as many as the others have are drawn from the clients' conditional VAEs.

    What the task's `distillation` has with `drawn_` before it is of PseudoPublic, as drawn_epochs=25.
    """
    from flwr_chainfl import PseudoPublic

    drawn = {key.removeprefix(_DRAWN): value for key, value in task.distillation.items() if key.startswith(_DRAWN)}
    settings = {"inputs": len(task.data.public.labels), **drawn}
    return soft_label(task, public_set=PseudoPublic(classes=CLASSES, **settings))


def soft_label(task: Task, *, predict: Mapping[int, Predict] | None = None, **settings: Any) -> Method:
    """FedSoftLabel with the comparison's budget; the task's `distillation` overrides its parameters.

    predict: what some partitions report in place of their models' predictions; settings: of FedSoftLabel

    Choice: clients have real public inputs already, as under every other method, so that none are sent.
    """
    from flwr_chainfl import FedSoftLabel

    budget = task.budget
    real = "public_set" not in settings
    strategy = FedSoftLabel(
        student=task.make_model(),
        num_rounds=budget.rounds,
        seed=task.seed,
        run_directory=tempfile.mkdtemp(dir=task.scratch),
        distillation={
            "epochs": budget.distill_epochs,
            "student_epochs": budget.student_epochs,
            "learning_rate": budget.learning_rate,
            "batch_size": budget.batch_size,
            "send_public_set": not real,
            **{key: value for key, value in task.distillation.items() if not key.startswith(_DRAWN)},
        },
        **{"public_set": task.data.public.images, **task.nodes, **settings},
    )
    others = predict or {}
    return Method(
        strategy,
        [
            _app(task, partial(task.make_model, partition), others.get(partition), has_public=real)
            for partition in range(task.clients)
        ],
    )


def _app(task: Task, own_model: partial[nn.Module], predict: Predict | None, *, has_public: bool) -> ClientApp:
    """Return a client; under this strategy its functions are given its own weights."""
    from flwr_chainfl import ChainClientApp, consensus_term

    def own_data(context: Context) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        return task.data.private[partition_of(context)]

    public = task.data.public.images if has_public else None
    app = ChainClientApp(model=own_model, public_set=public, predict=predict, private_data=own_data)

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
