"""Model, data, training and testing: plain PyTorch, but for the consensus term."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from flwr_chainfl import consensus_term
from quickstart.settings import Settings


class Net(nn.Module):
    """A small CNN for square grey images, 8×8 or 28×28."""

    def __init__(self, side: int = 8, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(64 * (side // 4) ** 2, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, classes)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.head(self.features(x))


class Data(NamedTuple):
    """Images float32 (n, 1, side, side) in [0, 1], and labels int64 (n,)."""

    images: np.ndarray
    labels: np.ndarray


class Splits(NamedTuple):
    """Disjoint parts: private training data, unlabelled public inputs, test data."""

    train: Data
    public: np.ndarray
    test: Data


SIDE = {"digits": 8, "fashion-mnist": 28, "mnist": 28}


@lru_cache(maxsize=1)
def load_splits(dataset: str, data_folder: str, public_inputs: int) -> Splits:
    """Load a data set and split it; the same on server and clients."""
    train, test = _digits() if dataset == "digits" else _idx(dataset, Path(data_folder))
    order = np.random.default_rng(0).permutation(len(train.labels))
    public, private = order[:public_inputs], order[public_inputs:]
    return Splits(Data(train.images[private], train.labels[private]), train.images[public], test)


def _digits() -> tuple[Data, Data]:
    """Real hand-written digits, 8×8, from scikit-learn's own files: 1437 to train on, 360 to test on."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    test, train = order[:360], order[360:]
    return Data(images[train], labels[train]), Data(images[test], labels[test])


def _idx(dataset: str, folder: Path) -> tuple[Data, Data]:
    """MNIST or Fashion-MNIST from idx files in a folder, or by torchvision, which downloads them."""
    if dataset not in SIDE:
        raise ValueError(f"dataset is {dataset!r}; choose one of {', '.join(SIDE)}")
    if str(folder) not in ("", "."):
        return _read_idx(folder, "train"), _read_idx(folder, "t10k")
    from torchvision import datasets

    kind = datasets.MNIST if dataset == "mnist" else datasets.FashionMNIST
    parts = [kind(Path.home() / ".cache" / "chainfl-data", train=train, download=True) for train in (True, False)]
    train, test = (
        Data(part.data.numpy().astype(np.float32)[:, None] / 255, part.targets.numpy().astype(np.int64)) for part in parts
    )
    return train, test


def _read_idx(folder: Path, name: str) -> Data:
    import gzip

    def read(kind: str, header: int) -> np.ndarray:
        for file in (folder / f"{name}-{kind}-ubyte", folder / f"{name}-{kind}-ubyte.gz"):
            if file.exists():
                raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
                return np.frombuffer(raw, dtype=np.uint8, offset=header)
        raise FileNotFoundError(f"no {name}-{kind}-ubyte[.gz] in {folder}; `make data` fetches it, or clear data-folder")

    images = read("images-idx3", 16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return Data(images, read("labels-idx1", 8).astype(np.int64))


@lru_cache(maxsize=1)
def _partitions(settings: Settings) -> tuple[np.ndarray, ...]:
    """Split the private data by Dirichlet(alpha) over the classes, with Flower Datasets' partitioner."""
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    train = load_splits(settings.dataset, settings.data_folder, settings.public_inputs).train
    partitioner = DirichletPartitioner(
        num_partitions=settings.num_clients, partition_by="label", alpha=settings.alpha,
        min_partition_size=2, self_balancing=False, seed=settings.seed,
    )  # fmt: skip
    partitioner.dataset = Dataset.from_dict({"row": np.arange(len(train.labels)), "label": train.labels})
    return tuple(np.asarray(partitioner.load_partition(i)["row"]) for i in range(settings.num_clients))


def load_partition(settings: Settings, partition: int) -> Data:
    """Return a client's own training data."""
    train = load_splits(settings.dataset, settings.data_folder, settings.public_inputs).train
    rows = _partitions(settings)[partition]
    return Data(train.images[rows], train.labels[rows])


def train(model: nn.Module, data: Data, settings: Settings, *, epochs: int | None = None) -> float:
    """Train in place and return the mean loss; the consensus term is 0 under plain FedAvg."""
    loader = DataLoader(
        TensorDataset(torch.from_numpy(data.images), torch.from_numpy(data.labels)),
        batch_size=settings.batch_size, shuffle=True,
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    criterion = nn.CrossEntropyLoss()
    device = next(model.parameters()).device
    model.train()
    total = 0.0
    for _ in range(settings.local_epochs if epochs is None else epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images.to(device)), labels.to(device)) + consensus_term(model)
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
    return total / max(len(loader), 1)


def test(model: nn.Module, data: Data) -> tuple[float, float]:
    """Return mean loss and accuracy."""
    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(batch.to(device)) for batch in torch.from_numpy(data.images).split(512)]).cpu()
    labels = torch.from_numpy(data.labels)
    return float(nn.functional.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())
