"""The typed client of the contract that decides who may join a task."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger.abi import explained, load
from flwr_chainfl.ledger.chain import Chain


class Gate:
    """An IAdmission contract at an address: AllowList, Invitations, or another one."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)

    def check(self, task: str, participant: str, *, departures: int = 0, proof: bytes = b"") -> None:
        """Return if a participant may join a task.

        departures: how often it has left the task

        Raises ContractError, named NotInvited or InvitationExpired, when it may not.
        """
        self._view("AllowList", "check", task, participant, departures, proof)

    def root(self) -> bytes:
        """Return the root of an AllowList's tree."""
        return bytes(self._view("AllowList", "root")[0])

    def inviter(self) -> str:
        """Return whose invitations an Invitations contract admits with."""
        return to_checksum_address(self._view("Invitations", "inviter")[0])

    def purpose_hash(self) -> bytes:
        """Return the keccak256 of an Invitations contract's purpose."""
        return bytes(self._view("Invitations", "purposeHash")[0])

    def _view(self, contract: str, function: str, *arguments: Any) -> tuple[Any, ...]:
        abi = load(contract)
        try:
            data = self.chain.call(self.address, abi.encode_call(function, arguments))
        except ContractError as error:
            raise explained(f"the admission at {self.address} refused {function}", error, abi) from error
        return abi.decode_result(function, data)
