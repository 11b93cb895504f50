"""The typed client of a Reputation contract: what is remembered of participants after a task."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger.abi import explained, load
from flwr_chainfl.ledger.chain import Chain, Receipt

_REMEDIES = {"NotOwner": "run with the account that deployed the registry, or leave reputation's registry out for a new one"}


class Registry:
    """A Reputation contract at an address; its owner decides which tasks' scores count."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)
        self._abi = load("Reputation")

    def authorise(self, task: str) -> Receipt:
        """Let a task enter what its participants did; the owner only."""
        try:
            return self.chain.send(self.address, self._abi.encode_call("authorise", (task,)))
        except ContractError as error:
            raise explained("Reputation refused authorise", error, self._abi, remedies=_REMEDIES) from error

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
        changes: list[tuple[int, str, int]] = []
        for event in self.chain.events(self.address, from_block=0):
            decoded = self._abi.decode_event(list(event.topics), event.data)
            if decoded is not None and decoded[0] == "ReputationUpdated":
                changes.append(
                    (event.block, to_checksum_address(decoded[1]["participant"]), int(decoded[1]["reputation"]))
                )
        return changes

    def _view(self, function: str, *arguments: Any, block: int | None = None) -> tuple[Any, ...]:
        data = self.chain.call(self.address, self._abi.encode_call(function, arguments), block=block)
        return self._abi.decode_result(function, data)
