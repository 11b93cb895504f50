"""Content-addressed storage: what is stored is found, and checked, by the hash of its bytes."""

from flwr_chainfl.storage.cid import address, digest
from flwr_chainfl.storage.folder import FolderStore
from flwr_chainfl.storage.store import Store

__all__ = ["FolderStore", "Store", "address", "digest"]
