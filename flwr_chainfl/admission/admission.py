"""What decides who may join a task."""

from __future__ import annotations

from typing import Any, Protocol


class Admission(Protocol):
    """A rule on who may join, which a contract enforces (contracts/interfaces/IAdmission.sol)."""

    @property
    def contract(self) -> str:
        """Name of the contract's artifact."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The contract's constructor arguments."""

    def proof(self, participant: str) -> bytes:
        """Return what the server can bring for a participant that brings nothing; empty for nothing."""

    def document(self) -> bytes:
        """Return what is stored with the task's terms for everybody to check, empty for nothing."""
