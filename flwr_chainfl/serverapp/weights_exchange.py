"""The exchange of model weights: any Flower strategy aggregates what was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flwr.app import ArrayRecord, Message, RecordDict
from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl.consensus import Standing
from flwr_chainfl.errors import CommitmentError, ConfigError, ReportShapeError
from flwr_chainfl.exact_mean import ExactMean, in_units
from flwr_chainfl.labels import MICRO
from flwr_chainfl.messages import NUM_EXAMPLES, REPLY_RECORD, WEIGHTS, ConsensusTerms, UpdateTerms
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.envelopes import Envelopes
from flwr_chainfl.serverapp.exchange import Aggregate, Refusal, Surroundings
from flwr_chainfl.signals import Signals
from flwr_chainfl.storage import Store, address
from flwr_chainfl.weights import in_order, is_scaled_update, pack_weights, same_shapes, unpack_weights


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
    keep_content : bool, optional
        Whether the clients' weights are stored. An audit of pay by sample count does not need them. Default: with signals.
    envelopes : Envelopes, optional
        Seals each client's weights for the other clients and the server, so that stores and onlookers do not see them.
        Default: they travel in the open.
    by_samples : bool
        Whether the inner strategy weights by what clients say their number of examples is. Default: yes; no: all alike.
    exact : ExactMean, optional
        Averages in whole numbers instead, which miners can seal; `inner` samples the nodes and averages the metrics. Only
        a strategy that aggregates as FedAvg does can be an inner one then: what is not linear in the models (a median, Krum,
        a server optimizer with state) has no exact form that all would find alike.
    signals : Signals, optional
        Reports quantised changes of parameters, for scorers of labels; they are revealed once all have committed. Default:
        reports the number of samples.
    """

    name = WEIGHTS
    known_labels = None
    mismatch_hint = "; if a wrapper of the strategy clips the replies, say so with Weights(clipped=True)"

    def __init__(
        self,
        inner: Strategy | None = None,
        *,
        clipped: bool = False,
        keep_content: bool | None = None,
        envelopes: Envelopes | None = None,
        by_samples: bool = True,
        exact: ExactMean | None = None,
        signals: Signals | None = None,
    ) -> None:
        if envelopes is not None and clipped:
            raise ConfigError("a wrapper cannot clip weights that are sealed; leave clipped or envelopes out")
        self.flower = inner if inner is not None else FedAvg()
        if exact is not None and type(self.flower).aggregate_train is not FedAvg.aggregate_train:
            raise ConfigError(
                f"{type(self.flower).__name__} aggregates in its own way, which miners cannot repeat to the last bit; name an "
                f"inner strategy that averages as FedAvg does, such as FedAvg or FedProx, or leave the roles out"
            )
        if exact is not None and clipped:
            raise ConfigError("clipped replies are not what the miners see; leave the wrapper, or the roles, out")
        if exact is not None and envelopes is not None:
            raise ConfigError("miners average models that they can read; leave the envelopes, or the roles, out")
        if exact is not None and signals is not None and not exact.uniform:
            raise ConfigError("a report of signals holds no sample count to weight by; take ExactMean(uniform=True)")
        self.exact = exact
        self._pending: ArrayRecord | None = None
        self._sealed: bytes | None = None
        self.clipped = clipped
        self.signals = signals
        self.envelopes = envelopes
        self._by_samples = by_samples
        self._keep_content = (
            keep_content if keep_content is not None else any(part is not None for part in (signals, envelopes, exact))
        )
        self._store: Store | None = None
        self._global = ArrayRecord()

    @property
    def report_kind(self) -> str:
        """A report is a sample count, or a label for each parameter that is looked at."""
        return "samples" if self.signals is None else "labels"

    @property
    def classes(self) -> int | None:
        """Levels of a signal; None without signals."""
        return None if self.signals is None else self.signals.levels

    @property
    def tasks(self) -> int | None:
        """Parameters that a report is of; None without signals."""
        return None if self.signals is None else self.signals.tasks

    def terms(self) -> dict[str, Any]:
        """Return the exchange's part of the task's terms."""
        return {
            "exchange": self.name,
            "inner": type(self.flower).__name__,
            "clipped": self.clipped,
            "by-samples": self._by_samples,
            "envelopes": None if self.envelopes is None else self.envelopes.keys.address,
            "exact": None if self.exact is None else asdict(self.exact),
            "kept": self._keep_content,
            "signals": None if self.signals is None else asdict(self.signals),
        }

    def open(self, surroundings: Surroundings) -> list[Refusal]:
        """Take the store."""
        self._store = surroundings.store
        return []

    def begin_round(self, arrays: ArrayRecord) -> None:
        """Take the global model that the round starts from.

        Raises ConfigError when it is not the one that was sealed.
        """
        if self._sealed is not None and pack_weights(arrays) != self._sealed:
            raise ConfigError(
                "the round does not start from the model that the miners sealed: a wrapper of the strategy changed it; leave "
                "the wrapper, or the roles, out"
            )
        self._global, self._pending = arrays, None

    def train_arrays(self, arrays: ArrayRecord) -> ArrayRecord:
        """Send the global model."""
        return arrays

    def consensus_terms(self, node: int) -> ConsensusTerms | None:
        """Weights have no consensus."""
        return None

    def update_terms(self) -> UpdateTerms | None:
        """Return None: reports are no vectors."""
        return None

    def forget(self, node: int) -> None:
        """Every train message carries the global model, so there is nothing to lose."""

    def confirm(self, node: int) -> None:
        """Every train message carries the global model, so there is nothing to remember."""

    def check_reply(self, contribution: Contribution) -> None:
        """Take the weights out of the reply and check them against the global model; sealed ones come with the reveal."""
        if self.envelopes is not None:
            if contribution.reply.content.array_records:
                raise ReportShapeError("the reply carries weights in the open; use the same flwr-chainfl version")
            contribution.report = contribution.samples.to_bytes(8, "big")
            return
        arrays = only_weights(contribution.reply)
        same_shapes(arrays, self._global)
        if self.exact is not None:
            for name, array in arrays.items():
                in_units(name, array.numpy())
        if self.signals is None:
            contribution.report = contribution.samples.to_bytes(8, "big")
        elif not self.clipped:
            contribution.report = self.signals.report(arrays, self._global)
        if not self.clipped:
            contribution.content = pack_weights(arrays)
            contribution.cid = address(contribution.content)

    def check_reveal(self, contribution: Contribution) -> None:
        """Where replies are clipped, check that this one is the committed update, shrunk; open what is sealed."""
        if not self.clipped and self.envelopes is None:
            return
        contribution.content = contribution.sent
        contribution.cid = address(contribution.content)
        if self.envelopes is not None:
            opened = in_order(self.envelopes.unseal(contribution), self._global)
            same_shapes(opened, self._global)
            if self.signals is not None:
                contribution.report = self.signals.report(opened, self._global)
            contribution.reply.content["arrays"] = opened
            return
        committed = unpack_weights(contribution.content)
        same_shapes(committed, self._global)
        if self.signals is not None:
            contribution.report = self.signals.report(committed, self._global)
        if not is_scaled_update(only_weights(contribution.reply), committed, self._global):
            raise CommitmentError(
                f"the weights of {contribution.address} are not the committed update, clipped; send what is committed"
            )

    def keep(self, contribution: Contribution, store: Store) -> None:
        """Store the weights where that was asked for."""
        if self._keep_content:
            store.put(contribution.content)
        contribution.sent = contribution.content = b""

    def judged(self, contribution: Contribution, store: Store) -> ArrayRecord | bytes:
        """Show assessors the weights, or the envelope as the store has it."""
        if self.envelopes is not None:
            return store.get(contribution.cid)
        return only_weights(contribution.reply)

    @property
    def reference(self) -> ArrayRecord:
        """The global model that the round began with."""
        return self._global

    @property
    def trains_everybody(self) -> bool:
        """Only workers train: the global model is everybody's."""
        return False

    @property
    def is_exact(self) -> bool:
        """Whether models are averaged in whole numbers."""
        return self.exact is not None

    def stored(self, contribution: Contribution, store: Store) -> bytes:
        """Return the weights as safetensors bytes."""
        return pack_weights(only_weights(contribution.reply))

    def before(self) -> bytes:
        """Return the global model as safetensors bytes."""
        return pack_weights(self._global)

    def found(self, accepted: Sequence[Contribution], standing: Standing, store: Store) -> bytes:
        """Return the exact mean as safetensors bytes."""
        assert self.exact is not None
        models = (only_weights(contribution.reply) for contribution in accepted)
        samples = [int.from_bytes(contribution.report, "big") for contribution in accepted]
        self._pending = self.exact.mean(models, samples, self._global)
        return pack_weights(self._pending)

    def aggregate(self, server_round: int, accepted: Sequence[Contribution], standing: Standing) -> Aggregate:
        """Let the inner strategy aggregate the accepted replies, or take over what was found exactly."""
        if self.exact is not None:
            return self._adopt(accepted)
        counted = {c.address: standing.contributions.get(c.address, 0) for c in accepted} if standing.contributions else {}
        replies = [without_protocol(contribution.reply) for contribution in accepted]
        key = str(getattr(self.flower, "weighted_by_key", NUM_EXAMPLES))
        for contribution, reply in zip(accepted, replies, strict=True):
            if not self._by_samples:
                _weigh(reply, key, 1)
            if counted:
                _scale(reply, key, counted[contribution.address])
        arrays, metrics = self.flower.aggregate_train(server_round, replies)
        reference = None
        if self.signals is not None and self._keep_content:
            assert self._store is not None
            reference = self._store.put(pack_weights(self._global))
        return Aggregate(arrays, metrics, counted, reference=reference)


    def _adopt(self, accepted: Sequence[Contribution]) -> Aggregate:
        """Take over the exact mean, and let the inner strategy average the metrics."""
        assert self._pending is not None
        assert isinstance(self.flower, FedAvg)
        self._sealed = pack_weights(self._pending)
        replies = [without_protocol(contribution.reply).content for contribution in accepted]
        metrics = self.flower.train_metrics_aggr_fn(replies, self.flower.weighted_by_key) if replies else None
        return Aggregate(self._pending, metrics)


def only_weights(reply: Message) -> ArrayRecord:
    """Return the one ArrayRecord of a reply; raises ReportShapeError when there is not exactly one."""
    records = list(reply.content.array_records.values())
    if len(records) != 1:
        raise ReportShapeError(f"the reply has {len(records)} ArrayRecords; Flower's aggregation needs exactly 1")
    return records[0]


def _scale(reply: Message, key: str, weight: int) -> None:
    """Scale the metric that the inner strategy weights by; weight: MICRO."""
    for record in reply.content.metric_records.values():
        value = record[key]
        assert isinstance(value, (int, float))
        record[key] = value * weight / MICRO


def _weigh(reply: Message, key: str, value: int) -> None:
    """Set the metric that the inner strategy weights by."""
    for record in reply.content.metric_records.values():
        record[key] = value


def without_protocol(reply: Message) -> Message:
    """Take the protocol's record out of a reply, as the inner strategy expects it."""
    reply.content = RecordDict({key: record for key, record in reply.content.items() if key != REPLY_RECORD})
    return reply
