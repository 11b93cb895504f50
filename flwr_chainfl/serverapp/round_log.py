"""What a round leaves in the run record: bytes, seconds by phase, events, contributions."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flwr.app import Message

from flwr_chainfl.messages import only_metrics, payload_bytes

log = logging.getLogger("flwr")

_LONGEST = 1e6


class RoundLog:
    """One round as it goes.

    number: Flower's round; ledger_round: the ledger's, 0 while there is none; marks: WAD by subject, by assessor;
    gas: by operation
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.ledger_round = 0
        self.accuracy: float | None = None
        self.loss: float | None = None
        self.consensus: str | None = None
        self.calibration = ""
        self.seed = ""
        self.reference: str | None = None
        self.roles: dict[str, str] = {}
        self.accepted: list[str] | None = None
        self.seal: str | None = None
        self.weights: dict[str, int] = {}
        self.reputations: dict[str, int] = {}
        self.contributions: list[dict[str, Any]] = []
        self.marks: dict[str, dict[str, str]] = {}
        self.evaluations: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.gas: dict[str, int] = {}
        self._uplink = 0
        self._downlink = 0
        self._seconds: dict[str, float] = {}
        self._running: dict[str, float] = {}

    def sent(self, messages: Iterable[Message]) -> None:
        """Count what goes down."""
        self._downlink += sum(payload_bytes(message.content) for message in messages)

    def received(self, replies: Iterable[Message]) -> None:
        """Count what came up."""
        self._uplink += sum(payload_bytes(reply.content) for reply in replies if reply.has_content())

    def evaluated(self, replies: Iterable[Message]) -> None:
        """Enter each client's own evaluation metrics."""
        self.evaluations = [
            {"node": str(reply.metadata.src_node_id), "metrics": dict(only_metrics(reply.content).items())}
            for reply in replies
        ]

    def begin(self, phase: str) -> None:
        """Start a phase's clock."""
        self._running[phase] = time.perf_counter()

    def end(self, phase: str) -> None:
        """Stop a phase's clock; a phase may run several times."""
        started = self._running.pop(phase, None)
        if started is not None:
            self._seconds[phase] = self._seconds.get(phase, 0.0) + time.perf_counter() - started

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a block as part of a phase."""
        self.begin(name)
        try:
            yield
        finally:
            self.end(name)

    def spent(self, phase: str, seconds: object) -> None:
        """Add what a client says that it spent on something; what is no time is left out."""
        if isinstance(seconds, float) and 0 <= seconds < _LONGEST:
            self._seconds[phase] = self._seconds.get(phase, 0.0) + seconds

    def event(self, kind: str, node: int | None, detail: str, address: str | None = None) -> None:
        """Note something that did not go as it should."""
        self.events.append({"kind": kind, "node": None if node is None else str(node), "address": address, "detail": detail})

    def left(self, node: int | None, address: str) -> None:
        """Note a member that takes no part since the ledger has it as an active member no more."""
        reason = "it left the task by itself, or was excluded; it takes part again once it has joined again on the ledger"
        log.warning("%s is not selected: %s", address, reason)
        self.event("left", node, reason, address)

    def reasons(self) -> set[str]:
        """Return the details of the round's events, each once."""
        return {event["detail"] for event in self.events}

    def as_dict(self) -> dict[str, Any]:
        """Return the round's entry in run.json."""
        return {
            "number": self.number,
            "ledger_round": self.ledger_round or None,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "uplink_bytes": self._uplink,
            "downlink_bytes": self._downlink,
            "gas": self.gas,
            "seconds": {phase: round(seconds, 3) for phase, seconds in self._seconds.items()},
            "events": self.events,
            "consensus": self.consensus,
            "reference": self.reference,
            "calibration": self.calibration or None,
            "seed": self.seed or None,
            "roles": self.roles,
            "accepted": self.accepted,
            "seal": self.seal,
            "evaluations": self.evaluations,
            "contributions": self.contributions,
            "marks": self.marks,
        }
