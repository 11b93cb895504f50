"""Who had which role in a round, drawn again from the seed of the round before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flwr_chainfl.audit.audited_run import AuditedRun, Entry
from flwr_chainfl.audit.difference import Difference, differ
from flwr_chainfl.audit.settled_round import SettledRound, seed_without_word
from flwr_chainfl.roles import Rotation


def compare_roles(run: AuditedRun, number: int, entry: Entry, rounds: Mapping[int, SettledRound]) -> Iterator[Difference]:
    """Draw the roles of a round again, from the seed of the round before."""
    settled = rounds[number]
    where = f"round {number}"
    recorded = {participant: role.name.lower() for participant, role in settled.roles.items()}
    yield from differ(f"{where}, roles", entry.get("roles", {}), recorded)
    workers, validators, miners = run.settings.workers, run.settings.validators, run.settings.miners
    if not run.settings.has_roles:
        return
    before = rounds.get(number - 1)
    salts = {p: revealed["salt"] for p, revealed in before.reveals.items()} if before is not None else {}
    seed = before.seed if before is not None and not before.is_void else seed_without_word(run, number - 1, salts)
    rotation = Rotation(workers=workers, validators=validators, miners=miners)
    drawn = rotation.draw(settled.active, seed)
    yield from differ(f"{where}, roles on the ledger", sorted(settled.roles.items()), sorted(drawn.items()))
