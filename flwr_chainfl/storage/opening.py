"""Opening a store by what a user writes into a configuration."""

from __future__ import annotations

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.storage.folder import FolderStore
from flwr_chainfl.storage.ipfs import IpfsStore
from flwr_chainfl.storage.store import MAX_BYTES, Store


def open_store(location: str, *, max_bytes: int = MAX_BYTES) -> Store:
    """Open a store.

    location: ``folder:PATH``, or ``ipfs:http://HOST:5001`` for the RPC of an IPFS node
    max_bytes: largest content taken or given

    Raises ConfigError, StorageError, StoreUnreachableError.
    """
    kind, _, where = location.partition(":")
    if kind == "folder" and where:
        return FolderStore(where, max_bytes=max_bytes)
    if kind == "ipfs" and where:
        return IpfsStore(where, max_bytes=max_bytes)
    raise ConfigError(f"store {location!r} is no store; use 'folder:PATH' or 'ipfs:http://HOST:5001'")
