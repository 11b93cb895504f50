"""Model, data, training and testing: plain PyTorch, but for the consensus term."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from flwr_chainfl import consensus_term
from peer_prediction.settings import Settings


class Net(nn.Module):
    """A small CNN for grey images of 8×8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.layers(x)


class Data(NamedTuple):
    """Images float32 (n, 1, 8, 8) in [0, 1], and labels int64 (n,)."""

    images: np.ndarray
    labels: np.ndarray


class Splits(NamedTuple):
    """Disjoint parts: private training data, public inputs (whose labels only the server may know), test data."""

    train: Data
    public: Data
    test: Data


@lru_cache(maxsize=1)
def load_splits(public_inputs: int) -> Splits:
    """Return real hand-written digits from scikit-learn's own files; the same on server and clients."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = (digits.images / 16.0).astype(np.float32)[:, None], digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    parts = np.split(order, [360, 360 + public_inputs])
    test, public, train = (Data(images[rows], labels[rows]) for rows in parts)
    return Splits(train, public, test)


@lru_cache(maxsize=1)
def _partitions(settings: Settings) -> tuple[np.ndarray, ...]:
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    labels = load_splits(settings.public_inputs).train.labels
    partitioner = DirichletPartitioner(
        num_partitions=settings.num_clients, partition_by="label", alpha=settings.dirichlet,
        min_partition_size=2, self_balancing=False, seed=settings.seed,
    )  # fmt: skip
    partitioner.dataset = Dataset.from_dict({"row": np.arange(len(labels)), "label": labels})
    return tuple(np.asarray(partitioner.load_partition(i)["row"]) for i in range(settings.num_clients))


def load_partition(settings: Settings, partition: int) -> Data:
    """Return a client's own training data."""
    train = load_splits(settings.public_inputs).train
    rows = _partitions(settings)[partition]
    return Data(train.images[rows], train.labels[rows])


def train(model: nn.Module, data: Data, settings: Settings) -> float:
    """Train in place and return the mean loss; the consensus term is 0 where weights travel."""
    loader = DataLoader(
        TensorDataset(torch.from_numpy(data.images), torch.from_numpy(data.labels)),
        batch_size=settings.batch_size, shuffle=True,
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    criterion = nn.CrossEntropyLoss()
    model.train()
    total = 0.0
    for _ in range(settings.local_epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels) + consensus_term(model)
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
    return total / max(len(loader), 1)


def test(model: nn.Module, data: Data) -> tuple[float, float]:
    """Return mean loss and accuracy."""
    model.eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(data.images))
        labels = torch.from_numpy(data.labels)
        loss = nn.functional.cross_entropy(logits, labels)
        return float(loss), float((logits.argmax(dim=1) == labels).float().mean())
