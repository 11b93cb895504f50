"""The client: its architecture depends on its partition; nothing else in the app knows."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from torch import nn

from flwr_chainfl import ChainClientApp
from heterogeneous.models import model_of
from heterogeneous.task import load_partition, load_splits, read_settings, test
from heterogeneous.task import train as train_model


def own_model(context: Context) -> nn.Module:
    """Return a new model of this client's architecture."""
    return model_of(int(context.node_config["partition-id"]))


app = ChainClientApp(model=own_model)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train this client's own model, which the message brings, on its own data."""
    settings = read_settings(context)
    data = load_partition(settings, int(context.node_config["partition-id"]))
    model = own_model(context)
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    loss = train_model(model, data, settings)
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
    return Message(RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Test this client's own model."""
    _, _, data = load_splits(read_settings(context).public_inputs)
    model = own_model(context)
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    loss, accuracy = test(model, data)
    architecture = int(context.node_config["partition-id"]) % 3
    metrics = MetricRecord(
        {"loss": loss, "accuracy": accuracy, "architecture": architecture, "num-examples": len(data.labels)}
    )
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
