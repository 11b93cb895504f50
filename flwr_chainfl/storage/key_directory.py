"""Public keys by their content address: what a participant registers when it joins, and what others look up."""

from __future__ import annotations

from flwr_chainfl.crypto import PublicKey
from flwr_chainfl.crypto.encryption_key import MAX_KEY_BYTES
from flwr_chainfl.storage.store import Store


class KeyDirectory:
    """Publishes and finds public keys in a store.

    The address is all that has to be registered: the store cannot give another key for it. It holds the keys found.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[str, PublicKey] = {}

    def publish(self, key: PublicKey) -> str:
        """Store a public key and return its content address, whose digest is the key's `key_id`.

        Raises StorageError.
        """
        cid = self._store.put(key.to_bytes())
        self._found[cid] = key
        return cid

    def find(self, cid: str) -> PublicKey:
        """Return the public key of an address.

        Raises AddressError, ContentNotFoundError, ContentMismatchError, ContentTooLargeError, and EncryptionKeyError
        when its content is no public key.
        """
        if cid not in self._found:
            self._found[cid] = PublicKey.from_bytes(self._store.get(cid, max_bytes=MAX_KEY_BYTES))
        return self._found[cid]
