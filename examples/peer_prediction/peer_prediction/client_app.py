"""The client: an ordinary Flower ClientApp, but for the class of `app` and those that pretend."""

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict

from peer_prediction.behaviours import Participant, pretended_weights, report, works
from peer_prediction.settings import read_settings
from peer_prediction.task import Net, load_partition, load_splits, test
from peer_prediction.task import train as train_model

app = Participant(model=Net, predict=report)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the client's own data, seeded so that runs repeat; whoever pretends does not."""
    settings, partition = read_settings(context), int(context.node_config["partition-id"])
    data = load_partition(settings, partition)
    torch.manual_seed(hash((settings.seed, partition, int(message.content["config"]["server-round"]))) % 2**63)
    arrays, loss = message.content["arrays"], 0.0
    if works(context):
        model = Net()
        model.load_state_dict(arrays.to_torch_state_dict())
        loss = train_model(model, data, settings)
        arrays = ArrayRecord(model.state_dict())
    else:
        arrays = pretended_weights(arrays, context)
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
    return Message(content=RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Test the model that the message brings: the client's own under soft labels, else the global one."""
    data = load_splits(read_settings(context).public_inputs).test
    model = Net()
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    loss, accuracy = test(model, data)
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(data.labels)})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)
