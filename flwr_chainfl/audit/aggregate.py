"""What a round's contributions add up to: its consensus, or what its miners sealed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flwr_chainfl.audit.audited_run import AuditedRun, Entry
from flwr_chainfl.audit.difference import Difference, differ
from flwr_chainfl.audit.settled_round import SettledRound
from flwr_chainfl.consensus import Memory, Standing, rule_of
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.messages import SOFT_LABELS
from flwr_chainfl.sealing import Entered, next_state
from flwr_chainfl.storage import address, digest


class AggregateAudit:
    """Recomputes what each round comes to, in the order of the rounds, since a round may rest on the one before."""

    def __init__(self, run: AuditedRun) -> None:
        self._run = run
        self._memory = Memory()
        self._sealed: str | None = None  # CID of what the newest sealed round came to

    def compare_seal(
        self, where: str, entry: Entry, recorded: dict[str, Entry], settled: SettledRound, entered: Sequence[str]
    ) -> Iterator[Difference]:
        """Compute what the round came to again, and compare it with what the miners sealed."""
        sealed = entry["seal"]
        yield from differ(
            f"{where}, seal", None if sealed is None else digest(sealed).hex(), settled.aggregate.hex() or None
        )
        if sealed is None:
            return
        if self._sealed is not None:
            yield from differ(f"{where}, reference", entry["reference"], self._sealed)
        self._sealed = sealed
        if self._run.terms["exchange"] != SOFT_LABELS and not self._run.terms["kept"]:
            return
        standing = Standing(
            reputations={p: int(recorded[p]["reputation"]) for p in entered if recorded[p]["reputation"] is not None},
            calibration=settled.calibration,
        )
        try:
            before = self._run.store.get(entry["reference"]) if entry["reference"] is not None else b""
            found = next_state(
                self._run.terms,
                [Entered(p, self._run.store.get(recorded[p]["content"]), bytes.fromhex(recorded[p]["report"])) for p in entered],
                before=before,
                standing=standing,
            )
        except ChainFLError as error:
            yield Difference(f"{where}, seal", str(error), "contents that add up to it")
            return
        yield from differ(f"{where}, seal on the ledger", settled.aggregate.hex(), digest(address(found)).hex())

    def compare_consensus(
        self,
        where: str,
        entry: Entry,
        recorded: dict[str, Entry],
        contents: dict[str, bytes],
        settled: SettledRound,
        counted: dict[str, int],
    ) -> Iterator[Difference]:
        """Recompute the consensus, and what each participant counted in it."""
        form = self._run.form("report-bits")
        standing = Standing(
            reputations={p: int(recorded[p]["reputation"]) for p in contents if recorded[p]["reputation"] is not None},
            calibration=settled.calibration,
            contributions=counted,
        )
        formed = rule_of(self._run.terms).form(
            [(p, bytes.fromhex(recorded[p]["report"])) for p in contents],
            (form.unpack(content) for content in contents.values()),
            standing,
            self._memory,
        )
        self._memory = formed.memory
        stored = self._run.form("consensus-bits").pack(formed.soft_labels)
        yield from differ(f"{where}, consensus", entry["consensus"], address(stored))
        for participant, weight in formed.weights.items():
            yield from differ(f"{where}, {participant}, weight", recorded[participant]["weight"], weight)
