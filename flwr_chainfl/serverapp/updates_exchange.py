"""The exchange of weight updates that the contract averages and scores: weights travel, packed vectors are committed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from flwr.app import ArrayRecord
from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import VectorTree
from flwr_chainfl.errors import ConfigError, VectorError
from flwr_chainfl.messages import UpdateTerms
from flwr_chainfl.packed_vector import pack, unpack
from flwr_chainfl.scoring import Alignment, VectorReport
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.exchange import Aggregate
from flwr_chainfl.serverapp.weights_exchange import Weights, only_weights, without_protocol
from flwr_chainfl.storage import Store
from flwr_chainfl.updates import Updates, first_step, fitting_step
from flwr_chainfl.weights import pack_weights


class AveragedUpdates(Weights):
    """Clients send weights, and commit to their update in fixed point; the vectors' average moves the model.

    Parameters
    ----------
    updates : Updates
        What of an update is averaged and scored.
    scorer : Alignment
        Scores the updates; what it knows of a round's vectors the average is made of.
    inner : Strategy, optional
        Samples the nodes and averages the metrics; with a sketch (`Updates(projection=…)`), it aggregates the weights as
        well. Default: ``FedAvg()``.
    step : float, optional
        What an integer of 1 stands for in the first round. Later it follows the largest change of the last round. Default:
        `first_step`.
    """

    mismatch_hint = "; it may have used another step than the round's, or other samples than it replied"

    def __init__(self, updates: Updates, scorer: Alignment, *, inner: Strategy | None = None, step: float | None = None) -> None:
        super().__init__(inner, keep_content=True)
        step = step if step is not None else first_step(updates.bits)
        if not np.isfinite(step) or step <= 0:
            raise ConfigError(f"the step is {step}; a positive number is needed")
        if updates.averages and type(self.flower).aggregate_train is not FedAvg.aggregate_train:
            raise ConfigError(
                f"{type(self.flower).__name__} aggregates in its own way, but the contract averages; name an inner strategy "
                f"that averages as FedAvg does, or score a sketch: Updates(projection=256)"
            )
        self.updates = updates
        self._scorer = scorer
        self.step = step
        self._carry = b""
        self._carry_step = 0.0

    @property
    def report_kind(self) -> str:
        """A report commits to an update as a packed vector."""
        return "vectors"

    def terms(self) -> dict[str, Any]:
        """Return the exchange's part of the task's terms."""
        return {**super().terms(), "updates": {**asdict(self.updates), "names": list(self.updates.names)}}

    def update_terms(self) -> UpdateTerms:
        """Return how this round's updates become vectors."""
        return UpdateTerms(
            update_step=self.step, update_bits=self.updates.bits, update_unit=self._scorer.unit,
            update_names="\n".join(self.updates.names), update_projection=self.updates.projection,
            update_seed=self.updates.seed, update_feedback=self.updates.feeds_back, update_carry=self._carry,
            update_carry_step=self._carry_step,
        )

    def begin_round(self, arrays: ArrayRecord) -> None:
        """Take the global model that the round starts from.

        Raises ConfigError when its updates have another size than the contract expects.
        """
        super().begin_round(arrays)
        found = self.updates.parameters(arrays)
        if found != self._scorer.parameters:
            raise ConfigError(
                f"an update of this model has {found} parameters, the task is for {self._scorer.parameters}; start with the "
                f"arrays that the strategy was made for"
            )
        self._scorer.forget()

    def check_reply(self, contribution: Contribution) -> None:
        """Find the vector that the reply's weights stand for, and what the client must have committed to."""
        super().check_reply(contribution)
        if contribution.samples < 1:
            raise VectorError("the update is said to come from 0 samples, so it has no weight; leave the client out")
        quantized = self.updates.vector(only_weights(contribution.reply), self._global, step=self.step)
        contribution.evidence = pack(quantized.lanes, bits=self.updates.bits)
        tree = VectorTree(contribution.evidence, self._scorer.unit)
        self._scorer.learn(tree.root, contribution.evidence)
        contribution.report = VectorReport(contribution.samples, self.step, tree.root).pack()
        if quantized.clipped:
            contribution.notes.append((
                "clipped", f"{100 * quantized.clipped:.2f} % of its values are beyond {self.step * 2 ** (self.updates.bits - 1):g}"
            ))

    def candidate(self, contributions: Sequence[Contribution]) -> ArrayRecord:
        """Return the model that these contributions alone would lead to; the global one for none."""
        sums = self._scorer.sums([c.report for c in contributions], [c.samples for c in contributions])
        if sums is None:
            return self._global
        return self.updates.applied(self._global, sums.average, step=self.step)

    def aggregate(self, server_round: int, accepted: Sequence[Contribution], standing: Standing) -> Aggregate:
        """Move the model by the vectors' average; a sketch's model is the inner strategy's."""
        assert self._store is not None
        reference = self._store.put(pack_weights(self._global))
        largest = _usual([self._largest(contribution) for contribution in accepted])
        if not self.updates.averages:
            found = super().aggregate(server_round, accepted, standing)
            self._fit(largest)
            return Aggregate(found.arrays, found.metrics, found.weights, reference=reference)
        if standing.contributions:
            raise ConfigError("the contract averages by samples; leave weighting out")
        moved = self.candidate(accepted)
        if self.updates.feeds_back:
            self._keep_remainder(accepted)
        self._fit(largest)
        flower = self.flower
        assert isinstance(flower, FedAvg)
        replies = [without_protocol(contribution.reply).content for contribution in accepted]
        metrics = flower.train_metrics_aggr_fn(replies, flower.weighted_by_key)
        return Aggregate(moved, metrics, reference=reference)

    def stored(self, contribution: Contribution, store: Store) -> bytes:
        """Return the weights as safetensors bytes."""
        return pack_weights(only_weights(contribution.reply))

    def _largest(self, contribution: Contribution) -> float:
        """Return the largest change of an update, as far as it was in range."""
        lanes = unpack(contribution.evidence, parameters=self._scorer.parameters, bits=self.updates.bits)
        return float(np.abs(lanes).max(initial=0)) * self.step

    def _keep_remainder(self, accepted: Sequence[Contribution]) -> None:
        """Keep what the average lost for the next round's clients, in 256 parts of this round's step."""
        remainder = self._scorer.remainder([c.report for c in accepted], [c.samples for c in accepted])
        if remainder is not None:
            self._carry = np.minimum((remainder + 128) >> 8, 127).astype(np.int8).tobytes()
            self._carry_step = self.step / 256

    def _fit(self, largest: float) -> None:
        """Fit the next round's step to this round's changes; where the range was used up, it grows at once."""
        if self.updates.averages and largest > 0:
            self.step = fitting_step(largest, bits=self.updates.bits)


def _usual(largest: Sequence[float]) -> float:
    """Return the largest change of all, or four times the median of each one's, if that is less.

    Whoever fills the range in every round would otherwise double the step each time, until the others' updates are all zeros.
    """
    return min(max(largest), 4 * float(np.median(largest)))
