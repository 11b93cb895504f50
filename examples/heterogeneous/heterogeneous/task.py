"""Data, training and testing: plain PyTorch, but for the consensus term."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from flwr.app import Context
from torch import nn

from flwr_chainfl import consensus_term
from flwr_chainfl.config import from_run_config


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What pyproject.toml's [tool.flwr.app.config] holds."""

    num_rounds: int
    num_clients: int
    alpha: float
    local_epochs: int
    learning_rate: float
    batch_size: int
    public_inputs: int
    run_directory: str
    seed: int


def read_settings(context: Context) -> Settings:
    """Read the run-config; an unknown key is an error."""
    return from_run_config(Settings, context.run_config)


class Data(NamedTuple):
    """Images float32 (n, 1, 8, 8) in [0, 1], and labels int64 (n,)."""

    images: np.ndarray
    labels: np.ndarray


@lru_cache(maxsize=1)
def load_splits(public_inputs: int) -> tuple[Data, np.ndarray, Data]:
    """Return private training data, unlabelled public inputs and test data: real digits, from scikit-learn's files."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    test, public, private = np.split(order, [360, 360 + public_inputs])
    return Data(images[private], labels[private]), images[public], Data(images[test], labels[test])


@lru_cache(maxsize=1)
def load_partition(settings: Settings, partition: int) -> Data:
    """Return a client's own data: a Dirichlet(alpha) share of each class."""
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    train, _, _ = load_splits(settings.public_inputs)
    partitioner = DirichletPartitioner(
        num_partitions=settings.num_clients, partition_by="label", alpha=settings.alpha,
        min_partition_size=2, self_balancing=False, seed=settings.seed,
    )  # fmt: skip
    partitioner.dataset = Dataset.from_dict({"row": np.arange(len(train.labels)), "label": train.labels})
    rows = np.asarray(partitioner.load_partition(partition)["row"])
    return Data(train.images[rows], train.labels[rows])


def train(model: nn.Module, data: Data, settings: Settings) -> float:
    """Train in place and return the mean loss of the last epoch."""
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    model.train()
    for _ in range(settings.local_epochs):
        total = 0.0
        for batch in torch.randperm(len(labels)).split(settings.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch]) + consensus_term(model)
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
    return total / len(labels)


def test(model: nn.Module, data: Data) -> tuple[float, float]:
    """Return mean loss and accuracy."""
    model.eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(data.images))
    labels = torch.from_numpy(data.labels)
    return float(nn.functional.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())
