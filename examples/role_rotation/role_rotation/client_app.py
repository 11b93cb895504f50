"""The client: an ordinary Flower ClientApp, but for the class of `app` and those that do harm."""

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict

from flwr_chainfl import ChainClientApp
from role_rotation.settings import read_settings
from role_rotation.task import SIDE, Net, load_partition, test
from role_rotation.task import train as train_model

app = ChainClientApp(model=Net)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the client's own data; a malicious client adds noise to all weights."""
    settings, partition = read_settings(context), int(context.node_config["partition-id"])
    data, _ = load_partition(settings, partition)
    model = Net(SIDE[settings.dataset])
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    torch.manual_seed(hash((settings.seed, partition, int(message.content["config"].get("server-round", 0)))) % 2**63)
    loss = train_model(model, data, settings)
    state = model.state_dict()
    if settings.does(partition, "noise"):
        state = {name: value + settings.noise * torch.randn_like(value) for name, value in state.items()}
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
    return Message(content=RecordDict({"arrays": ArrayRecord(state), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Test the model that the message brings on the client's held-out images; a validator's marks come from here.

    A malicious client may report the opposite, which turns its votes around.
    """
    settings, partition = read_settings(context), int(context.node_config["partition-id"])
    _, held_out = load_partition(settings, partition)
    model = Net(SIDE[settings.dataset])
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    loss, accuracy = test(model, held_out)
    if settings.does(partition, "flip"):
        accuracy = 1.0 - accuracy
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(held_out.labels)})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)
