"""The typed client of a KeyRegistry contract: which key each participant's contents are to be sealed for."""

from __future__ import annotations

from collections.abc import Iterable

from eth_utils.address import to_checksum_address

from flwr_chainfl.crypto import Domain, key_domain
from flwr_chainfl.ledger.chain import Chain, Receipt
from flwr_chainfl.ledger.contract import Contract
from flwr_chainfl.ledger.requests import KeyRequest

_REMEDIES = {
    "AlreadyRegistered": "keep to the key that is registered, or replace it with the participant's own account",
    "InvalidSignature": "let the participant sign again, for this registry and chain",
}


class Keys:
    """A KeyRegistry contract at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)
        self._contract = Contract(chain, self.address, "KeyRegistry", remedies=_REMEDIES)

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain that participants sign for."""
        return key_domain(self.chain.chain_id, self.address)

    def register(self, key_id: bytes) -> Receipt:
        """Register or replace the key of this chain's own account, by its `key_id`, 32 bytes."""
        return self._contract.send("registerKey", key_id)

    def register_for(self, requests: Iterable[KeyRequest]) -> Receipt:
        """Relay signed keys of participants that have none yet."""
        return self._contract.send("registerKeyFor", [request.as_tuple() for request in requests])

    def key_id(self, participant: str) -> bytes:
        """Return the `key_id` of a participant's key, 32 zero bytes for none."""
        data = self.chain.call(self.address, self._contract.abi.encode_call("keyOf", (participant,)))
        return bytes(self._contract.abi.decode_result("keyOf", data)[0])

    def registered(self) -> dict[bytes, str]:
        """Return who entered each key that ever was, by `key_id`."""
        return {
            bytes(a["keyId"]): to_checksum_address(a["participant"])
            for _, name, a in self._contract.decoded(self.chain.events(self.address, from_block=0))
            if name == "KeyRegistered"
        }
