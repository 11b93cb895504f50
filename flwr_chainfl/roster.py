"""Who is an active member of a task, in the order of positions, as the ledger's events tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Roster:
    """The members by position; newcomers take the newest vacant one, as in the contract."""

    def __init__(self) -> None:
        self._seats: list[str] = []
        self._vacant: list[int] = []
        self._active: set[str] = set()

    def take(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Move with an event."""
        if name == "ParticipantJoined":
            self._active.add(arguments["participant"])
            if self._vacant:
                self._seats[self._vacant.pop()] = arguments["participant"]
            else:
                self._seats.append(arguments["participant"])
        elif name == "ParticipantLeft":
            self._active.discard(arguments["participant"])
            self._vacant.append(self._seats.index(arguments["participant"]))
            self._seats[self._vacant[-1]] = ""
        elif name == "MemberExcluded":
            self._active.discard(arguments["participant"])

    @property
    def excluded(self) -> set[str]:
        """The members that have a seat and take part no more."""
        return {member for member in self._seats if member} - self._active

    @property
    def active(self) -> list[str]:
        """The active members, ascending by position."""
        return [member for member in self._seats if member in self._active]
