"""The client: an ordinary Flower ClientApp, but for the class of `app`."""

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict

from flwr_chainfl import ChainClientApp
from flwr_chainfl.distillation import predict
from quickstart.settings import read_settings
from quickstart.task import SIDE, Net, load_partition, load_splits, test
from quickstart.task import train as train_model

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_model(context: Context) -> Net:
    """Return a new model for the run's data set."""
    return Net(SIDE[read_settings(context).dataset])


def report(model: torch.nn.Module, inputs: np.ndarray, context: Context) -> np.ndarray:
    """Return the soft labels to report: the model's, or for a free-rider something that costs no work."""
    settings = read_settings(context)
    partition = int(context.node_config["partition-id"])
    if partition >= settings.free_riders:
        return predict(model, inputs)
    if partition % 2 == 0:
        return np.eye(10, dtype=np.float32)[np.full(len(inputs), partition % 10)]
    return np.eye(10, dtype=np.float32)[torch.randint(10, (len(inputs),)).numpy()]


def own_data(context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Return the client's own images and labels, for its decoder, where public inputs are drawn from decoders."""
    data = load_partition(read_settings(context), int(context.node_config["partition-id"]))
    return data.images, data.labels


app = ChainClientApp(model=make_model, predict=report, private_data=own_data)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the client's own data, seeded so that runs repeat; a free-rider returns what it got."""
    settings = read_settings(context)
    partition = int(context.node_config["partition-id"])
    data = load_partition(settings, partition)
    model = Net(SIDE[settings.dataset]).to(DEVICE)
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    torch.manual_seed(hash((settings.seed, partition, int(message.content["config"]["server-round"]))) % 2**63)
    loss = train_model(model, data, settings) if partition >= settings.free_riders else 0.0
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(data.labels)})
    content = RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics})
    return Message(content=content, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Test the model that the message brings: the client's own under soft labels, the global one under FedAvg."""
    settings = read_settings(context)
    data = load_splits(settings.dataset, settings.data_folder, settings.public_inputs).test
    model = Net(SIDE[settings.dataset]).to(DEVICE)
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    loss, accuracy = test(model, data)
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(data.labels)})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)
