"""Model, data, training and testing: plain PyTorch."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from onchain_fedavg.settings import Settings


class Net(nn.Module):
    """Softmax regression for grey images of 8×8 pixels: 650 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.layers(x)


class Data(NamedTuple):
    """Images float32 (n, 1, 8, 8) in [0, 1], and labels int64 (n,)."""

    images: np.ndarray
    labels: np.ndarray


class Splits(NamedTuple):
    """Disjoint parts: private training data, the server's held-out data for Shapley values, test data."""

    train: Data
    held_out: Data
    test: Data


@lru_cache(maxsize=1)
def load_splits() -> Splits:
    """Return real hand-written digits from scikit-learn's own files; the same on server and clients."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = (digits.images / 16.0).astype(np.float32)[:, None], digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    test, held_out, train = (Data(images[rows], labels[rows]) for rows in np.split(order, [360, 560]))
    return Splits(train, held_out, test)


@lru_cache(maxsize=1)
def _partitions(clients: int, dirichlet: float, seed: int) -> tuple[np.ndarray, ...]:
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    labels = load_splits().train.labels
    partitioner = DirichletPartitioner(
        num_partitions=clients, partition_by="label", alpha=dirichlet,
        min_partition_size=2, self_balancing=False, seed=seed,
    )  # fmt: skip
    partitioner.dataset = Dataset.from_dict({"row": np.arange(len(labels)), "label": labels})
    return tuple(np.asarray(partitioner.load_partition(i)["row"]) for i in range(clients))


def load_partition(settings: Settings, partition: int) -> Data:
    """Return a client's own training data."""
    train = load_splits().train
    rows = _partitions(settings.num_clients, settings.dirichlet, settings.seed)[partition]
    return Data(train.images[rows], train.labels[rows])


def train(model: nn.Module, data: Data, settings: Settings) -> float:
    """Train in place and return the mean loss."""
    loader = DataLoader(
        TensorDataset(torch.from_numpy(data.images), torch.from_numpy(data.labels)),
        batch_size=settings.batch_size, shuffle=True,
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate)
    criterion = nn.CrossEntropyLoss()
    total = 0.0
    for _ in range(settings.local_epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
    return total / max(settings.local_epochs * len(loader), 1)


def test(model: nn.Module, data: Data) -> tuple[float, float]:
    """Return mean loss and accuracy."""
    with torch.no_grad():
        logits = model(torch.from_numpy(data.images))
        labels = torch.from_numpy(data.labels)
        loss = nn.functional.cross_entropy(logits, labels)
        return float(loss), float((logits.argmax(dim=1) == labels).float().mean())
