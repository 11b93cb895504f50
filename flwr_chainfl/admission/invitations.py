"""Admission by signed invitation."""

from __future__ import annotations

from pathlib import Path

from eth_abi.abi import encode
from eth_utils.address import is_address, to_checksum_address

from flwr_chainfl.crypto import Domain, TypedData, Wallet
from flwr_chainfl.errors import ConfigError

ANY_TASK = "0x" + 40 * "0"
"""Stands for every task of an invitation's purpose."""


class Invitations:
    """Admit whoever brings an invitation that the inviter signed.

    The inviter need not be the requester, and its key need not be where the server is: invitations are made before
    the run, one a device, and each device brings its own.

    Parameters
    ----------
    inviter : str
        Address whose signature admits.
    purpose : str
        What the invitations are for. An inviter gives each task, or each group of tasks that may have the same
        participants, a purpose of its own.

    Raises
    ------
    ConfigError
        When the inviter is no address, or the purpose is empty.
    """

    contract = "Invitations"

    def __init__(self, inviter: str, *, purpose: str) -> None:
        if not is_address(inviter) or to_checksum_address(inviter) == ANY_TASK:
            raise ConfigError(f"inviter {inviter!r} is no address of an account; 0x and 40 hexadecimal digits are needed")
        if not purpose:
            raise ConfigError("the invitations' purpose is empty; name what they are for, such as 'ward study 2026'")
        self.inviter = to_checksum_address(inviter)
        self.purpose = purpose

    @property
    def arguments(self) -> tuple[str, str]:
        """The contract's constructor arguments."""
        return (self.inviter, self.purpose)

    def proof(self, participant: str) -> bytes:
        """Return nothing: each device brings its own invitation."""
        return b""

    def document(self) -> bytes:
        """Return nothing: there is no list."""
        return b""

    def invite(
        self,
        wallet: Wallet,
        participant: str,
        *,
        chain_id: int,
        deadline: int,
        task: str = ANY_TASK,
        departures: int = 0,
    ) -> bytes:
        """Sign an invitation.

        wallet: the inviter's; participant: checksummed address; deadline: of joining, seconds since 1970;
        task: the only task it is for; departures: how often the participant has left the task; an invitation is for one
        stay
        returns: 128 bytes, what the contract takes as proof

        Raises ConfigError when another account than the inviter's would sign.
        """
        if wallet.address != self.inviter:
            raise ConfigError(f"{wallet.address} is not the inviter {self.inviter}; sign with the inviter's wallet")
        message = {
            "purpose": self.purpose,
            "task": task,
            "participant": participant,
            "departures": departures,
            "deadline": deadline,
        }
        domain = Domain(name="Invitations", version="1", chain_id=chain_id)
        signature = wallet.sign(TypedData(domain=domain, primary="Invitation", message=message))
        return encode(["address", "uint256"], [task, deadline]) + signature.to_bytes()


def read_invitation(value: object) -> bytes:
    """Return the invitation that a node-config names: hexadecimal digits after 0x, or the path of a file with them.

    Raises ConfigError when it is neither.
    """
    text = value if isinstance(value, str) else ""
    try:
        if not text.startswith("0x"):
            text = Path(text).expanduser().read_text().strip()
        return bytes.fromhex(text.removeprefix("0x"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"invitation {value!r} cannot be read ({error}); give the hexadecimal digits after 0x, or the path of a "
            f"file that holds them"
        ) from error
