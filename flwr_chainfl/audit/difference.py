"""One thing that is recorded otherwise than it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be.

    where: e.g. ``round 3, 0x…, paid``; recorded: what the record or the ledger says; recomputed: what it should say
    """

    where: str
    recorded: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.where}: {self.recorded} is recorded, {self.recomputed} is right"


def differ(where: str, recorded: object, recomputed: object) -> Iterator[Difference]:
    """Yield the difference where there is one."""
    if recorded != recomputed:
        yield Difference(where, str(recorded), str(recomputed))
