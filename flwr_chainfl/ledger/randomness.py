"""The typed client of a VRFRandomness contract: words for rounds' seeds that nobody could choose."""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger.chain import Chain, Receipt
from flwr_chainfl.ledger.contract import Contract

_REMEDIES = {
    "NotOwner": "call from the account that deployed it",
    "NotAuthorised": "let its owner authorise the task",
    "RevealsNotOver": "wait until all have revealed, or for the deadline",
    "NothingToDraw": "only an open round in which somebody revealed has a word",
}


class Randomness:
    """A VRFRandomness contract at an address; its owner decides which tasks' words its subscription pays for."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)
        self._contract = Contract(chain, self.address, "VRFRandomness", remedies=_REMEDIES)

    def authorise(self, task: str) -> Receipt:
        """Let a task's rounds have words; the owner only."""
        return self._contract.send("authorise", task)

    def request(self, task: str, round_number: int) -> Receipt:
        """Ask for the word of a round whose reveals are over; it can be asked for once."""
        return self._contract.send("request", task, round_number)

    def is_requested(self, task: str, round_number: int) -> bool:
        """Say whether a round's word was asked for."""
        return bool(self._contract.view("requestOf", task, round_number)[0])

    def word(self, task: str, round_number: int) -> bytes | None:
        """Return a round's word, 32 bytes, or None while it has none."""
        try:
            return bytes(self._contract.view("wordOf", task, round_number)[0])
        except ContractError as error:
            if error.name != "WordMissing":
                raise
            return None
