"""What travels between clients and server, behind one seam: a part of ChainStrategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flwr.app import ArrayRecord, MetricRecord
from flwr.serverapp.strategy import Strategy

from flwr_chainfl.messages import ConsensusTerms
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.storage import Store


@dataclass(frozen=True)
class Aggregate:
    """What a round's contributions add up to.

    arrays: the next global model; metrics: the clients' train metrics, averaged; qualities: by address, 0 to 1;
    consensus: CID of the consensus, None where there is none
    """

    arrays: ArrayRecord | None
    metrics: MetricRecord | None
    qualities: dict[str, float] = field(default_factory=dict)
    consensus: str | None = None


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
    def mismatch_hint(self) -> str:
        """What to look at when nobody's contribution is what it committed to; may be empty."""

    def terms(self) -> dict[str, Any]:
        """Return the exchange's part of the task's terms, for the ledger and the run record."""

    def open(self, store: Store, arrays: ArrayRecord) -> None:
        """Get ready, before the first round. arrays: the initial global model."""

    def begin_round(self, arrays: ArrayRecord) -> None:
        """Take the global model that the round starts from, which a wrapper may have changed."""

    def train_arrays(self, arrays: ArrayRecord) -> ArrayRecord:
        """Return what goes down in place of the global model; an empty record for nothing."""

    def consensus_terms(self, node: int) -> ConsensusTerms | None:
        """Return what a node needs of the consensus, None where the exchange has none."""

    def forget(self, node: int) -> None:
        """Assume that a node that failed has lost what it was sent before."""

    def check_reply(self, contribution: Contribution) -> None:
        """Complete and check a contribution when its reply came; raises ReportError."""

    def check_reveal(self, contribution: Contribution) -> None:
        """Complete and check a contribution when it was revealed; raises ReportError or CommitmentError."""

    def keep(self, contribution: Contribution, store: Store) -> None:
        """Store what an audit needs of a contribution that was accepted."""

    def aggregate(self, server_round: int, accepted: Sequence[Contribution]) -> Aggregate:
        """Aggregate the accepted contributions, ascending by address."""
