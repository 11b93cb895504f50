"""The run that is audited: its record, its contents, its ledger, and the terms that it was made under."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flwr_chainfl.labels import LabelFormat
from flwr_chainfl.ledger import NOBODY, Ledger, Registry, Settings, Task
from flwr_chainfl.reputation import reputation
from flwr_chainfl.rewards import Schedule, schedule_of
from flwr_chainfl.scoring import Scorer, Weighting, scorer_of, weighting_of
from flwr_chainfl.storage import Store

Entry = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class AuditedRun:
    """What an audit reads.

    record: run.json; events: all of the task's, in their order; terms_cid, terms: as the task was initialized with;
    updates: block, participant and reputation (WAD) of each entry in the registry, None where none is kept
    """

    record: Entry
    store: Store
    ledger: Ledger
    task: Task
    events: list[tuple[str, Entry]]
    terms_cid: str
    terms: Entry
    scorer: Scorer
    weighting: Weighting | None
    schedule: Schedule
    settings: Settings
    updates: list[tuple[int, str, int]] | None

    @classmethod
    def read(cls, record: Entry, store: Store, ledger: Ledger, task: Task) -> AuditedRun:
        """Read the task's events, terms and settings, and the registry of reputations."""
        events = task.events()
        terms_cid = next(str(a["termsCid"]) for name, a in events if name == "TaskInitialized")
        terms: Entry = json.loads(store.get(terms_cid))
        scorer = scorer_of(**terms["scorer"])
        weighting = weighting_of(terms["weighting"])
        schedule = schedule_of(**terms["schedule"])
        settings = task.settings()
        registry = None if settings.reputation == NOBODY else Registry(ledger.chain, settings.reputation)
        updates = registry.updates() if registry is not None else None
        return cls(
            record=record,
            store=store,
            ledger=ledger,
            task=task,
            events=events,
            terms_cid=terms_cid,
            terms=terms,
            scorer=scorer,
            weighting=weighting,
            schedule=schedule,
            settings=settings,
            updates=updates,
        )

    def form(self, bits: str) -> LabelFormat:
        """Return the stored form of soft labels; bits: the term that says of how many bits."""
        return LabelFormat(self.terms["tasks"], self.terms["classes"], self.terms[bits])

    def reputation(self, participant: str, block: int) -> str | None:
        """Return a participant's reputation as of a block; None where none are kept."""
        if self.updates is None:
            return None
        values = [v for b, p, v in self.updates if p == participant and b <= block]
        return str(values[-1] if values else reputation(None))
