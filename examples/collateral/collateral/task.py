"""Model, data, training and testing: plain PyTorch."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from collateral.settings import Settings

CLASSES = 10


class Net(nn.Module):
    """A small CNN for square grey images, 8×8 or 28×28."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * (side // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, CLASSES),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.layers(x)


class Data(NamedTuple):
    """Images float32 (n, 1, side, side) in [0, 1], and labels int64 (n,)."""

    images: np.ndarray
    labels: np.ndarray


class Measured(NamedTuple):
    """Mean loss, and shares from 0 to 1; precision and recall are means over the classes that the data has."""

    loss: float
    accuracy: float
    precision: float
    recall: float


@lru_cache(maxsize=1)
def load(dataset: str, folder: str) -> tuple[Data, Data]:
    """Return real hand-written digits to train and to test on; the same on server and workers."""
    if dataset == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        images, labels = (digits.images / 16.0).astype(np.float32)[:, None], digits.target.astype(np.int64)
        order = np.random.default_rng(0).permutation(len(labels))
        return Data(images[order[360:]], labels[order[360:]]), Data(images[order[:360]], labels[order[:360]])
    if dataset != "mnist":
        raise ValueError(f"dataset is {dataset!r}; choose digits or mnist")
    if folder:
        return _read_idx(Path(folder), "train"), _read_idx(Path(folder), "t10k")
    from torchvision import datasets

    parts = [datasets.MNIST(Path.home() / ".cache" / "chainfl-data", train=train, download=True) for train in (True, False)]
    train, test = (Data(p.data.numpy().astype(np.float32)[:, None] / 255, p.targets.numpy().astype(np.int64)) for p in parts)
    return train, test


def _read_idx(folder: Path, name: str) -> Data:
    import gzip

    def read(kind: str, header: int) -> np.ndarray:
        for file in (folder / f"{name}-{kind}-ubyte", folder / f"{name}-{kind}-ubyte.gz"):
            if file.exists():
                raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
                return np.frombuffer(raw, dtype=np.uint8, offset=header)
        raise FileNotFoundError(f"no {name}-{kind}-ubyte[.gz] in {folder}; put MNIST's files there, or clear data-folder")

    images = read("images-idx3", 16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return Data(images, read("labels-idx1", 8).astype(np.int64))


@lru_cache(maxsize=1)
def _partitions(settings: Settings) -> tuple[np.ndarray, ...]:
    labels = load(settings.dataset, settings.data_folder)[0].labels
    if settings.dirichlet == 0:
        return tuple(np.array_split(np.random.default_rng(settings.seed).permutation(len(labels)), settings.num_clients))
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    partitioner = DirichletPartitioner(
        num_partitions=settings.num_clients, partition_by="label", alpha=settings.dirichlet,
        min_partition_size=10, self_balancing=False, seed=settings.seed,
    )  # fmt: skip
    partitioner.dataset = Dataset.from_dict({"row": np.arange(len(labels)), "label": labels})
    return tuple(np.asarray(partitioner.load_partition(i)["row"]) for i in range(settings.num_clients))


def load_partition(settings: Settings, partition: int) -> tuple[Data, Data]:
    """Return a worker's own data: what it trains on, and what it holds out to review with."""
    data = load(settings.dataset, settings.data_folder)[0]
    rows = np.random.default_rng(settings.seed).permutation(_partitions(settings)[partition])
    count = max(1, round(settings.held_out * len(rows)))
    held_out, training = rows[:count], rows[count:]
    return Data(data.images[training], data.labels[training]), Data(data.images[held_out], data.labels[held_out])


def train(model: nn.Module, data: Data, settings: Settings) -> float:
    """Train in place and return the mean loss."""
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
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
    return total / max(len(loader) * settings.local_epochs, 1)


def test(model: nn.Module, data: Data) -> Measured:
    """Measure a model."""
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(batch) for batch in torch.from_numpy(data.images).split(256)])
    loss = float(nn.functional.cross_entropy(logits, torch.from_numpy(data.labels)))
    found = logits.argmax(dim=1).numpy()
    table = np.bincount(data.labels * CLASSES + found, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    right, there, said = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    present = there > 0
    precision = np.mean(right[present] / np.maximum(said[present], 1))
    recall = np.mean(right[present] / there[present])
    return Measured(loss, float(right.sum() / there.sum()), float(precision), float(recall))
