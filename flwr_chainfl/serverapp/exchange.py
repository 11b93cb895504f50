"""What travels between clients and server, behind one seam: a part of ChainStrategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from flwr.app import ArrayRecord, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import Domain
from flwr_chainfl.messages import ConsensusTerms, UpdateTerms
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.envelopes import Envelopes
from flwr_chainfl.signals import Signals
from flwr_chainfl.storage import Store


@dataclass(frozen=True)
class Aggregate:
    """What a round's contributions add up to.

    arrays: the next global model; metrics: the clients' train metrics, averaged; weights: what each counted, in the
    exchange's own integer unit, by address; consensus: its CID, None where there is none; reference: CID of the model
    that the reports compare with, None where they compare with none
    """

    arrays: ArrayRecord | None
    metrics: MetricRecord | None
    weights: dict[str, int] = field(default_factory=dict)
    consensus: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Surroundings:
    """What an exchange may use to get ready.

    grid: to talk to the clients that are connected; directory: the run's; seed: None where a run need not repeat;
    timeout: seconds that a phase may take; domain: of what participants sign for the task; simulated: whether throw-away
    accounts are allowed
    """

    grid: Grid
    store: Store
    directory: Path
    seed: int | None
    timeout: float
    domain: Domain
    simulated: bool


@dataclass(frozen=True)
class Refusal:
    """Something a client sent before the first round that was not used.

    kind: of the event in the run record; node: Flower's id; detail: why
    """

    kind: str
    node: int
    detail: str


class Exchange(Protocol):
    """What clients contribute, how it is checked, and what it adds up to."""

    @property
    def name(self) -> str:
        """``weights`` or ``soft-labels``."""

    @property
    def report_kind(self) -> str:
        """What a report holds; a scorer of the same kind reads it."""

    @property
    def flower(self) -> Strategy:
        """The Flower strategy that samples nodes and averages metrics."""

    @property
    def clipped(self) -> bool:
        """Whether a wrapper shrinks the replies' updates before the strategy sees them."""

    @property
    def signals(self) -> Signals | None:
        """How a weight update becomes a report; None where a report is something else."""

    @property
    def envelopes(self) -> Envelopes | None:
        """For whom contents are sealed; None where they travel in the open."""

    @property
    def mismatch_hint(self) -> str:
        """What to look at when nobody's contribution is what it committed to; may be empty."""

    @property
    def known_labels(self) -> NDArray[np.uint8] | None:
        """Labels of public inputs that the server knows, 255 where it does not; None where it knows none."""

    def terms(self) -> dict[str, Any]:
        """Return the exchange's part of the task's terms, for the ledger and the run record."""

    def open(self, surroundings: Surroundings) -> list[Refusal]:
        """Get ready, when the task is deployed and not yet funded; return what clients sent that was not used."""

    def begin_round(self, arrays: ArrayRecord) -> None:
        """Take the global model that the round starts from, which a wrapper may have changed."""

    def train_arrays(self, arrays: ArrayRecord) -> ArrayRecord:
        """Return what goes down in place of the global model; an empty record for nothing."""

    def consensus_terms(self, node: int) -> ConsensusTerms | None:
        """Return what a node needs of the consensus, None where the exchange has none."""

    def update_terms(self) -> UpdateTerms | None:
        """Return how a weight update becomes the vector that a report commits to; None where a report is something else."""

    def forget(self, node: int) -> None:
        """Assume that a node that failed has lost what it was sent before."""

    def confirm(self, node: int) -> None:
        """Note that a node has what the last message brought it."""

    def check_reply(self, contribution: Contribution) -> None:
        """Complete and check a contribution when its reply came; raises ReportError."""

    def check_reveal(self, contribution: Contribution) -> None:
        """Complete and check a contribution when it was revealed; raises ReportError or CommitmentError."""

    def keep(self, contribution: Contribution, store: Store) -> None:
        """Store what an audit and the aggregation need of a contribution, and let go of the rest."""

    def judged(self, contribution: Contribution, store: Store) -> ArrayRecord | bytes:
        """Return what assessors are brought of an accepted contribution: the model, or an envelope that they open."""

    @property
    def reference(self) -> ArrayRecord:
        """The model that the round began with, which assessors may have to judge, too."""

    @property
    def trains_everybody(self) -> bool:
        """Whether validators and miners train as well, to keep models of their own alive."""

    @property
    def is_exact(self) -> bool:
        """Whether what a round comes to is found in whole numbers, so that miners can attest it."""

    def stored(self, contribution: Contribution, store: Store) -> bytes:
        """Return an accepted contribution's content in the stored form."""

    def before(self) -> bytes:
        """Return what the round started from, in the form that is sealed."""

    def found(self, accepted: Sequence[Contribution], standing: Standing, store: Store) -> bytes:
        """Return what the round comes to, in the form that is sealed; `aggregate` takes it over."""

    def aggregate(self, server_round: int, accepted: Sequence[Contribution], standing: Standing) -> Aggregate:
        """Aggregate the accepted contributions, ascending by address."""
