"""Where a task's money is, from its events: nothing may appear or vanish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Conservation:
    """A task's money, in token units.

    deposited: pool, stakes and bonds paid in; paid: rewards credited to participants; withdrawn: sent to
    participants and challengers; refunded: sent back to the requester; slashed: taken from stakes;
    locked: what the contract holds now; dust: deposited − withdrawn − refunded − locked, 0 unless money vanished
    """

    deposited: int
    paid: int
    withdrawn: int
    refunded: int
    slashed: int
    locked: int

    @property
    def dust(self) -> int:
        """What cannot be accounted for."""
        return self.deposited - self.withdrawn - self.refunded - self.locked


def conservation(
    events: Iterable[tuple[str, dict[str, Any]]], *, requester: str, locked: int
) -> Conservation:
    """Add up a task's events.

    events: names and arguments, as `Task.events` gives them; requester: checksummed address;
    locked: the contract's token balance
    """
    deposited = paid = withdrawn = refunded = slashed = 0
    for name, arguments in events:
        if name in ("TaskInitialized", "TaskExtended"):
            deposited += arguments["pool"]
        elif name == "ParticipantJoined":
            deposited += arguments["stake"]
        elif name == "BondDeposited":
            deposited += arguments["amount"]
        elif name == "Receipt":
            paid += arguments["payout"]
            slashed += arguments["slashed"]
        elif name in ("MissingRevealSlashed", "EquivocationSlashed"):
            slashed += arguments["amount"]
        elif name == "Withdrawn" and arguments["owner"] == requester:
            refunded += arguments["amount"]
        elif name == "Withdrawn":
            withdrawn += arguments["amount"]
    return Conservation(deposited, paid, withdrawn, refunded, slashed, locked)
