from pathlib import Path

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg
from torch import nn

from examples.benchmarks.data import load
from examples.benchmarks.grid import LocalGrid, act_as_server, make_node
from flwr_chainfl import defensive_distillation, mix_arrays
from flwr_chainfl.distillation import load_arrays, predict

CLIENTS = 3


class Mixed(FedAvg):
    """The how-to's strategy: half of the last global model stays."""

    def configure_train(self, server_round, arrays, config, grid):
        self.current = arrays
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(self, server_round, replies):
        arrays, metrics = super().aggregate_train(server_round, replies)
        if arrays is not None:
            old, new = ({name: a.numpy() for name, a in record.items()} for record in (self.current, arrays))
            self.old, self.new = old, new
            arrays = ArrayRecord({name: Array(a) for name, a in mix_arrays(old, [new], [1], alpha=0.5).items()})
        return arrays, metrics


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def test_a_plain_flower_app_trains_defended_models_and_mixes_them_without_a_ledger():
    act_as_server()
    training, test = load("digits", Path())
    app = ClientApp()

    @app.train()
    def train(message, context):
        model = net()
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        rows = np.arange(int(context.node_config["partition-id"]), len(training.labels), CLIENTS)
        images, labels = training.images[rows], training.labels[rows]
        loss = defensive_distillation(model, images, labels, temperature=20, epochs=4, learning_rate=0.03)
        metrics = MetricRecord({"train_loss": loss, "num-examples": len(labels)})
        return Message(RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message)

    grid = LocalGrid.of(make_node(app, partition, CLIENTS) for partition in range(CLIENTS))
    strategy = Mixed(fraction_evaluate=0.0, min_train_nodes=CLIENTS, min_available_nodes=CLIENTS)
    result = strategy.start(grid, ArrayRecord(net().state_dict()), num_rounds=3)
    arrays = {name: array.numpy() for name, array in result.arrays.items()}
    assert all(np.allclose(arrays[n], (strategy.old[n] + strategy.new[n]) / 2, atol=1e-6) for n in arrays)
    model = net()
    load_arrays(model, arrays)
    assert (predict(model, test.images).argmax(axis=1) == test.labels).mean() > 0.85
