"""The worker: an ordinary Flower ClientApp, but for the class of `app` and those that pretend."""

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict

from collateral.behaviours import Participant, behaviour_of, noise
from collateral.settings import read_settings
from collateral.task import Net, load_partition, test
from collateral.task import train as train_model

app = Participant()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the worker's own data, but for what it holds out, seeded so that runs repeat; a worker of noise does not."""
    settings, partition = read_settings(context), int(context.node_config["partition-id"])
    data, _ = load_partition(settings, partition)
    torch.manual_seed(hash((settings.seed, partition, int(message.content["config"]["server-round"]))) % 2**63)
    arrays, loss = message.content["arrays"], 0.0
    if behaviour_of(context) == "noise":
        arrays = noise(arrays)
    else:
        model = Net(data.images.shape[-1])
        model.load_state_dict(arrays.to_torch_state_dict())
        loss = train_model(model, data, settings)
        arrays = ArrayRecord(model.state_dict())
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
    return Message(content=RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Measure the model that the message brings on held-out data: the average of a round, or another worker's to review."""
    _, held_out = load_partition(read_settings(context), int(context.node_config["partition-id"]))
    model = Net(held_out.images.shape[-1])
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    measured = test(model, held_out)
    accuracy = measured.accuracy
    if app.reviewing and behaviour_of(context) == "lying":
        accuracy = float(torch.rand(()))
    metrics = MetricRecord(
        {
            "loss": measured.loss,
            "accuracy": accuracy,
            "precision": measured.precision,
            "recall": measured.recall,
            "num-examples": len(held_out.labels),
        }
    )
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)
