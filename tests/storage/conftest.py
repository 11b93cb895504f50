"""The stores that this machine has."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from flwr_chainfl.storage import FolderStore, IpfsStore, Store


@dataclass
class Backend:
    """A kind of store.

    open: opens the store, with the largest content it takes; each test has a folder of its own, and all share a node
    collect: throws away what is not pinned, and returns how many contents are left
    """

    open: Callable[..., Store]
    collect: Callable[[], int]


def rpc(url: str, command: str) -> bytes:
    """Ask a node directly, as its own tools do."""
    request = urllib.request.Request(f"{url}/api/v0/{command}", method="POST")
    with urllib.request.urlopen(request, timeout=30) as reply:
        return bytes(reply.read())


def _pinned_on_node(url: str) -> int:
    rpc(url, "repo/gc")
    return len(json.loads(rpc(url, "pin/ls?type=recursive"))["Keys"])


@pytest.fixture(params=["folder", "ipfs"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Return each kind of store that this machine has."""
    if request.param == "folder":
        folder = tmp_path / "store"
        return Backend(
            lambda **options: FolderStore(folder, **options),
            lambda: sum(file.is_file() for file in folder.rglob("*")),
        )
    url: str = request.getfixturevalue("ipfs")
    return Backend(lambda **options: IpfsStore(url, timeout=1.0, **options), lambda: _pinned_on_node(url))


@pytest.fixture
def store(backend: Backend) -> Store:
    """Return an open store of each kind."""
    return backend.open()
