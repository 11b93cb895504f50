"""Content-addressed storage: what is stored is found, and checked, by the hash of its bytes."""

from flwr_chainfl.storage.cid import AddressBuilder, address, address_of_digest, digest
from flwr_chainfl.storage.folder import FolderStore
from flwr_chainfl.storage.ipfs import IpfsStore
from flwr_chainfl.storage.key_directory import KeyDirectory
from flwr_chainfl.storage.opening import open_store
from flwr_chainfl.storage.retention import RoundStore
from flwr_chainfl.storage.store import Store

__all__ = ["AddressBuilder", "FolderStore", "IpfsStore", "KeyDirectory", "RoundStore", "Store", "address", "address_of_digest", "digest", "open_store"]
