"""Model, data, training and testing: plain PyTorch."""

import gzip
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from flwr_chainfl import defensive_distillation
from role_rotation.settings import Settings

HELD_OUT = 300


class Net(nn.Module):
    """A small CNN for square grey images, 8×8 or 28×28."""

    def __init__(self, side: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.layers(x)


class Data(NamedTuple):
    """Images float32 (n, 1, side, side) in [0, 1], and labels int64 (n,)."""

    images: np.ndarray
    labels: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Data":
        """Return some of them."""
        return Data(self.images[chosen], self.labels[chosen])


SIDE = {"digits": 8, "mnist": 28}


@lru_cache(maxsize=1)
def load(dataset: str, data_folder: str) -> tuple[Data, Data]:
    """Return real digits to train and to test on; the same on server and clients."""
    if dataset == "mnist":
        return _read_idx(Path(data_folder), "train"), _read_idx(Path(data_folder), "t10k")
    if dataset != "digits":
        raise ValueError(f"dataset is {dataset!r}; choose digits or mnist")
    from sklearn.datasets import load_digits

    digits = load_digits()
    whole = Data((digits.images / 16.0).astype(np.float32)[:, None], digits.target.astype(np.int64))
    order = np.random.default_rng(0).permutation(len(whole.labels))
    return whole.rows(order[397:]), whole.rows(order[:397])


def _read_idx(folder: Path, name: str) -> Data:
    def read(kind: str, header: int) -> np.ndarray:
        for file in (folder / f"{name}-{kind}-ubyte", folder / f"{name}-{kind}-ubyte.gz"):
            if file.exists():
                raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
                return np.frombuffer(raw, dtype=np.uint8, offset=header)
        raise FileNotFoundError(f"no {name}-{kind}-ubyte[.gz] in {folder}; name the folder with data-folder")

    images = read("images-idx3", 16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return Data(images, read("labels-idx1", 8).astype(np.int64))


@lru_cache(maxsize=32)
def load_partition(settings: Settings, partition: int) -> tuple[Data, Data]:
    """Return a client's training data, some shards of the data sorted by class, and what it judges others on."""
    train, test = load(settings.dataset, settings.data_folder)
    generator = np.random.default_rng(settings.seed)
    if settings.train_images:
        train = train.rows(generator.permutation(len(train.labels))[: settings.train_images])
    by_class = np.argsort(train.labels, kind="stable")
    shards = np.array_split(by_class, settings.num_clients * settings.shards)
    mine = generator.permutation(len(shards))[partition * settings.shards : (partition + 1) * settings.shards]
    rows = generator.permutation(np.concatenate([shards[shard] for shard in mine]))
    if settings.held_out == "own":
        few = min(HELD_OUT, len(rows) // 5)
        return train.rows(rows[few:]), train.rows(rows[:few])
    held_out = np.random.default_rng([settings.seed, partition]).permutation(len(test.labels))[:HELD_OUT]
    return train.rows(rows), test.rows(held_out)


def train(model: nn.Module, data: Data, settings: Settings) -> float:
    """Train in place, by defensive distillation where there is a temperature, and return the last epoch's mean loss."""
    if settings.temperature:
        return defensive_distillation(
            model, data.images, data.labels, temperature=settings.temperature, epochs=settings.local_epochs,
            learning_rate=settings.learning_rate, batch_size=settings.batch_size,
        )  # fmt: skip
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate, momentum=0.9)
    model.train()
    total, steps = 0.0, 0
    for _ in range(settings.local_epochs):
        total, steps = 0.0, 0
        for batch in torch.randperm(len(labels)).split(settings.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            total, steps = total + float(loss.detach()), steps + 1
    return total / max(steps, 1)


def test(model: nn.Module, data: Data) -> tuple[float, float]:
    """Return mean loss and accuracy."""
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(batch) for batch in torch.from_numpy(data.images).split(512)])
    labels = torch.from_numpy(data.labels)
    return float(nn.functional.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())
