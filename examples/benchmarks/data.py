"""Data sets, split into private training data, public inputs and test data, and the private part into partitions."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.config import require
from flwr_chainfl.errors import ConfigError

DATASETS = ("digits", "fashion-mnist", "mnist")
SPLITS = ("iid", "dirichlet", "one-class", "shards")
CLASSES = 10


class Data(NamedTuple):
    """Images float32 (n, 1, side, side) in [0, 1], and labels int64 (n,)."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def rows(self, rows: NDArray[np.int64]) -> Data:
        """Return some of the rows."""
        return Data(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class FederatedData:
    """Disjoint parts of a data set.

    private: one part a client; public: what everybody has, its labels for methods alone that say so
    """

    private: tuple[Data, ...]
    public: Data
    test: Data


def federate(
    dataset: str, folder: Path, *, split: str, alpha: float, clients: int, public: float, train: int | None,
    test: int | None, seed: int,
) -> FederatedData:
    """Load a data set and divide it; the same seed gives the same parts.

    folder: holds a folder of idx files for each data set but digits
    split: ``iid``, ``dirichlet`` (concentration `alpha` over clients, class by class), ``one-class``, or ``shards``: two
    of twice as many pieces of the labels in order, as in McMahan et al.
    public: public inputs, as a number (1 or more) or as a share of the training images (below 1)
    train, test: images to draw from the data set's training and test images before anything else, None for all

    Raises ConfigError for an impossible setting, FileNotFoundError when the idx files are missing.
    """
    training, testing = load(dataset, folder)
    order = np.random.default_rng([seed, 1]).permutation(len(training.labels))
    if train is not None:
        require("train", train, minimum=1, maximum=len(order))
        order = order[:train]
    if test is not None:
        require("test", test, minimum=1, maximum=len(testing.labels))
        testing = testing.rows(np.random.default_rng([seed, 2]).permutation(len(testing.labels))[:test])
    require("public", public, above=0)
    count = round(public * len(order)) if public < 1 else int(public)
    require("public inputs", count, minimum=1, maximum=len(order) - clients)
    private = training.rows(order[count:])
    parts = partition(private.labels, split=split, alpha=alpha, clients=clients, seed=seed)
    return FederatedData(tuple(private.rows(rows) for rows in parts), training.rows(order[:count]), testing)


def partition(
    labels: NDArray[np.int64], *, split: str, alpha: float, clients: int, seed: int
) -> list[NDArray[np.int64]]:
    """Return each client's rows; every row is somebody's, and nobody has none.

    labels: int64 (n,)

    Raises ConfigError for an unknown split, and for one that these clients cannot have.
    """
    require("clients", clients, minimum=2, maximum=len(labels))
    if split == "dirichlet":
        return _dirichlet(labels, alpha=alpha, clients=clients, seed=seed)
    order = np.random.default_rng([seed, 3]).permutation(len(labels))
    if split == "iid":
        return np.array_split(order, clients)
    if split == "shards":
        require("clients", clients, minimum=2, maximum=len(labels) // 2)
        shards = np.array_split(order[np.argsort(labels[order], kind="stable")], 2 * clients)
        drawn = np.random.default_rng([seed, 4]).permutation(2 * clients)
        return [np.concatenate([shards[a], shards[b]]) for a, b in drawn.reshape(clients, 2)]
    if split != "one-class":
        raise ConfigError(f"split is {split!r}; choose one of {', '.join(SPLITS)}")
    if clients < CLASSES:
        raise ConfigError(f"{clients} clients cannot hold one of {CLASSES} classes each; have {CLASSES} clients or more")
    parts: list[NDArray[np.int64]] = [order[:0]] * clients
    for label in range(CLASSES):
        holders = range(label, clients, CLASSES)
        shares = np.array_split(order[labels[order] == label], len(holders))
        for client, rows in zip(holders, shares, strict=True):
            parts[client] = rows
    return parts


def _dirichlet(labels: NDArray[np.int64], *, alpha: float, clients: int, seed: int) -> list[NDArray[np.int64]]:
    """Split by Flower Datasets' partitioner, as the quickstart does."""
    from datasets import Dataset
    from flwr_datasets.partitioner import DirichletPartitioner

    require("alpha", alpha, above=0)
    partitioner = DirichletPartitioner(
        num_partitions=clients, partition_by="label", alpha=alpha,
        min_partition_size=2, self_balancing=False, seed=seed,
    )  # fmt: skip
    partitioner.dataset = Dataset.from_dict({"row": np.arange(len(labels)), "label": labels})
    return [np.asarray(partitioner.load_partition(i)["row"], dtype=np.int64) for i in range(clients)]


@lru_cache(maxsize=1)
def load(dataset: str, folder: Path) -> tuple[Data, Data]:
    """Return a data set's own training and test images.

    Raises ConfigError when it is unknown, FileNotFoundError when its idx files are missing.
    """
    if dataset == "digits":
        return _digits()
    if dataset not in DATASETS:
        raise ConfigError(f"dataset is {dataset!r}; choose one of {', '.join(DATASETS)}")
    return _read_idx(folder / dataset, "train"), _read_idx(folder / dataset, "t10k")


def _digits() -> tuple[Data, Data]:
    """Real hand-written digits, 8×8, from scikit-learn's own files: 1437 to train on, 360 to test on."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    data = Data((digits.images / 16.0).astype(np.float32)[:, None], digits.target.astype(np.int64))
    order = np.random.default_rng(0).permutation(len(data.labels))
    return data.rows(order[360:]), data.rows(order[:360])


def _read_idx(folder: Path, name: str) -> Data:
    """Read images and labels of one part, from plain or gzipped idx files."""

    def read(kind: str, header: int) -> NDArray[np.uint8]:
        for file in (folder / f"{name}-{kind}-ubyte", folder / f"{name}-{kind}-ubyte.gz"):
            if file.exists():
                raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
                return np.frombuffer(raw, dtype=np.uint8, offset=header)
        raise FileNotFoundError(
            f"no {name}-{kind}-ubyte[.gz] in {folder}; run `make data`, or name the folder that has it with --data"
        )

    images = read("images-idx3", 16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return Data(images, read("labels-idx1", 8).astype(np.int64))
