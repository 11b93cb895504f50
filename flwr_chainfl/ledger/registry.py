"""The typed client of a Reputation contract: what is remembered of participants after a task."""

from __future__ import annotations

from collections.abc import Sequence

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
        return bool(self._contract.view("isRecorder", task)[0])

    def reputation(self, participant: str) -> int:
        """Return a participant's reputation, WAD; 0.35 for one that nothing is known of."""
        return self.reputations([participant])[participant]

    def reputations(self, participants: Sequence[str], *, block: int | None = None) -> dict[str, int]:
        """Return participants' reputations by address, as `reputation` does.

        block: as of which block; the newest when left out
        """
        found = self._contract.views("reputationOf", [(one,) for one in participants], block=block)
        return {one: int(values[0]) for one, values in zip(participants, found, strict=True)}

    def rounds_known(self, participants: Sequence[str]) -> dict[str, int]:
        """Return, by address, of how many rounds participants' qualities are known, up to 5."""
        found = self._contract.views("opinionOf", [(one,) for one in participants])
        return {one: int(values[0][-1]) for one, values in zip(participants, found, strict=True)}

    def updates(self) -> list[tuple[int, str, int]]:
        """Return all changes in order: block, participant, new reputation (WAD)."""
        return [
            (event.block, to_checksum_address(a["participant"]), int(a["reputation"]))
            for event, name, a in self._contract.decoded(self.chain.events(self.address, from_block=0))
            if name == "ReputationUpdated"
        ]
