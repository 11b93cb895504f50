"""The exchange of model weights: any Flower strategy aggregates what was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flwr.app import ArrayRecord, Message, RecordDict
from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl.errors import CommitmentError, ReportShapeError
from flwr_chainfl.messages import REPLY_RECORD, WEIGHTS, ConsensusTerms
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.exchange import Aggregate, Standing, Surroundings
from flwr_chainfl.storage import Store, address
from flwr_chainfl.weights import is_scaled_update, pack_weights, same_shapes, unpack_weights


class Weights:
    """Clients send weights, signed and committed to; `inner` aggregates them.

    Parameters
    ----------
    inner : Strategy, optional
        Any Flower strategy. It samples the nodes and aggregates the accepted replies. Default: ``FedAvg()``.
    clipped : bool
        Whether a wrapper around the ChainStrategy clips the replies' updates before the strategy sees them, as
        `DifferentialPrivacyServerSideFixedClipping` does. Then clients send the weights a second time with the
        reveal, and a reply must be the committed update, shrunk. Default: a reply must be what was committed.
    keep_content : bool
        Whether the clients' weights are stored. An audit of pay by sample count does not need them.
    """

    name = WEIGHTS
    report_kind = "samples"
    known_labels = None
    mismatch_hint = "; if a wrapper of the strategy clips the replies, say so with Weights(clipped=True)"

    def __init__(
        self, inner: Strategy | None = None, *, clipped: bool = False, keep_content: bool = False
    ) -> None:
        self.flower = inner if inner is not None else FedAvg()
        self.clipped = clipped
        self._keep_content = keep_content
        self._global = ArrayRecord()

    def terms(self) -> dict[str, Any]:
        """Return the exchange's part of the task's terms."""
        return {"exchange": self.name, "inner": type(self.flower).__name__, "clipped": self.clipped}

    def open(self, surroundings: Surroundings) -> None:
        """Nothing to get ready."""

    def begin_round(self, arrays: ArrayRecord) -> None:
        """Take the global model that the round starts from."""
        self._global = arrays

    def train_arrays(self, arrays: ArrayRecord) -> ArrayRecord:
        """Send the global model."""
        return arrays

    def consensus_terms(self, node: int) -> ConsensusTerms | None:
        """Weights have no consensus."""
        return None

    def forget(self, node: int) -> None:
        """Every train message carries the global model, so there is nothing to lose."""

    def confirm(self, node: int) -> None:
        """Every train message carries the global model, so there is nothing to remember."""

    def check_reply(self, contribution: Contribution) -> None:
        """Take the weights out of the reply and check them against the global model."""
        arrays = _weights(contribution.reply)
        same_shapes(arrays, self._global)
        contribution.report = contribution.samples.to_bytes(8, "big")
        if not self.clipped:
            contribution.content = pack_weights(arrays)
            contribution.cid = address(contribution.content)

    def check_reveal(self, contribution: Contribution) -> None:
        """Where replies are clipped, check that this one is the committed update, shrunk."""
        if not self.clipped:
            return
        contribution.content = contribution.sent
        contribution.cid = address(contribution.content)
        committed = unpack_weights(contribution.content)
        same_shapes(committed, self._global)
        if not is_scaled_update(_weights(contribution.reply), committed, self._global):
            raise CommitmentError(
                f"the weights of {contribution.address} are not the committed update, clipped; send what is committed"
            )

    def keep(self, contribution: Contribution, store: Store) -> None:
        """Store the weights where that was asked for."""
        if self._keep_content:
            store.put(contribution.content)
        contribution.sent = contribution.content = b""

    def aggregate(self, server_round: int, accepted: Sequence[Contribution], standing: Standing) -> Aggregate:
        """Let the inner strategy aggregate the accepted replies."""
        replies = [_plain(contribution.reply) for contribution in accepted]
        arrays, metrics = self.flower.aggregate_train(server_round, replies)
        return Aggregate(arrays, metrics)


def _weights(reply: Message) -> ArrayRecord:
    records = list(reply.content.array_records.values())
    if len(records) != 1:
        raise ReportShapeError(f"the reply has {len(records)} ArrayRecords; Flower's aggregation needs exactly 1")
    return records[0]


def _plain(reply: Message) -> Message:
    """Take the protocol's record out of a reply, as the inner strategy expects it."""
    reply.content = RecordDict({key: record for key, record in reply.content.items() if key != REPLY_RECORD})
    return reply
