"""The client: an ordinary Flower ClientApp, but for the class of `app`."""

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict

from flwr_chainfl import ChainClientApp
from onchain_fedavg.settings import read_settings
from onchain_fedavg.task import Net, load_partition, load_splits, test
from onchain_fedavg.task import train as train_model

app = ChainClientApp(model=Net)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the global model on the client's own data; a seed of its own and of the round makes runs comparable."""
    settings = read_settings(context)
    partition = int(context.node_config["partition-id"])
    server_round = int(message.content["config"]["server-round"])
    torch.manual_seed(settings.seed * 10_000 + 100 * server_round + partition)
    data = load_partition(settings, partition)
    model = Net()
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    loss = train_model(model, data, settings)
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
    return Message(RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Test the global model."""
    data = load_splits().test
    model = Net()
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    loss, accuracy = test(model, data)
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(data.labels)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
