"""Admission by a list of addresses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property

from eth_utils.address import is_address, to_checksum_address

from flwr_chainfl.admission.merkle import MerkleTree
from flwr_chainfl.errors import ConfigError


class AllowList:
    """Admit the addresses on a list; the ledger holds the root of its Merkle tree only.

    The list itself is public: it is stored with the task's terms, so that anybody can make a proof from it. The
    server brings the proofs of those that are on the list, and a device needs nothing.

    Parameters
    ----------
    addresses : Iterable[str]
        Who may join, in any order; naming one twice changes nothing.

    Raises
    ------
    ConfigError
        When the list is empty, or something on it is no address.
    """

    contract = "AllowList"

    def __init__(self, addresses: Iterable[str]) -> None:
        listed = list(addresses)
        for address in listed:
            if not is_address(address):
                raise ConfigError(f"{address!r} on the allow-list is no address; 0x and 40 hexadecimal digits are needed")
        if not listed:
            raise ConfigError("the allow-list is empty, so nobody could join; name the participants' addresses")
        self.addresses = tuple(sorted({to_checksum_address(address) for address in listed}))

    @property
    def arguments(self) -> tuple[bytes]:
        """The contract's constructor arguments."""
        return (self._tree.root,)

    def proof(self, participant: str) -> bytes:
        """Return the proof that an address is on the list, empty for one that is not."""
        return self._tree.proof(participant) if participant in self.addresses else b""

    def document(self) -> bytes:
        """Return the list as it is stored."""
        return pack_list(self.addresses)

    @cached_property
    def _tree(self) -> MerkleTree:
        return MerkleTree(self.addresses)


def pack_list(addresses: Sequence[str]) -> bytes:
    """Return addresses as JSON text."""
    return json.dumps(list(addresses)).encode()


def read_list(document: bytes) -> AllowList:
    """Return the list that was stored.

    Raises ConfigError when the bytes are none.
    """
    try:
        addresses = json.loads(document)
    except ValueError as error:
        raise ConfigError(f"{len(document)} bytes are no allow-list ({error}); a JSON list of addresses is needed") from error
    if not isinstance(addresses, list):
        raise ConfigError("the stored allow-list is no JSON list of addresses; fetch what the task's terms name")
    return AllowList(addresses)
