"""The typed client of a Reputation contract: what is remembered of participants after a task."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from flwr_chainfl.ledger.chain import Chain, Receipt
from flwr_chainfl.ledger.contract import Contract

_REMEDIES = {"NotOwner": "run with the account that deployed the registry, or leave reputation's registry out for a new one"}


class Registry:
    """A Reputation contract at an address; its owner decides which tasks' scores count."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)
        self._contract = Contract(chain, self.address, "Reputation", remedies=_REMEDIES)

    def authorise(self, task: str) -> Receipt:
        """Let a task enter what its participants did; the owner only."""
        return self._contract.send("authorise", task)

    def is_recorder(self, task: str) -> bool:
        """Say whether a task may enter what its participants did."""
        return bool(self._view("isRecorder", task)[0])

    def reputation(self, participant: str, *, block: int | None = None) -> int:
        """Return a participant's reputation, WAD; 0.35 for one that nothing is known of.

        block: as of which block; the newest when left out
        """
        return int(self._view("reputationOf", participant, block=block)[0])

    def rounds_known(self, participant: str) -> int:
        """Return of how many rounds a participant's qualities are known, up to 5."""
        return int(self._view("opinionOf", participant)[0][-1])

    def updates(self) -> list[tuple[int, str, int]]:
        """Return all changes in order: block, participant, new reputation (WAD)."""
        return [
            (event.block, to_checksum_address(a["participant"]), int(a["reputation"]))
            for event, name, a in self._contract.decoded(self.chain.events(self.address, from_block=0))
            if name == "ReputationUpdated"
        ]

    def _view(self, function: str, *arguments: Any, block: int | None = None) -> tuple[Any, ...]:
        data = self.chain.call(self.address, self._contract.abi.encode_call(function, arguments), block=block)
        return self._contract.abi.decode_result(function, data)
