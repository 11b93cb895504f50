"""The exchange of soft labels on public inputs: no weights travel, and a student learns the consensus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import FedAvg
from numpy.typing import ArrayLike, NDArray

from flwr_chainfl import labels
from flwr_chainfl.config import require
from flwr_chainfl.errors import ConfigError, ModelError, PublicSetError
from flwr_chainfl.messages import (
    SOFT_LABELS,
    ConsensusTerms,
    pack_array,
    pack_soft_labels,
    unpack_soft_labels,
)
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.exchange import Aggregate
from flwr_chainfl.storage import Store, address

if TYPE_CHECKING:
    from torch import nn


class SoftLabels:
    """Clients send class probabilities on public inputs; their consensus teaches everyone's next model.

    Parameters
    ----------
    public_set : array
        Unlabelled inputs, (inputs, …), in the form that the models take.
    student : torch.nn.Module
        The server's own model, taught the consensus every round. Its state is the strategy's `arrays`.
    consensus : str
        ``mean`` of the soft labels, or ``majority`` of the hard labels, one-hot.
    sampling : FedAvg, optional
        Samples the nodes and averages the metrics.
    epochs, student_epochs : int
        Passes over the public inputs when a client, and when the server's student, learns a consensus.
    learning_rate : float
        Of Adam, for distilling.
    batch_size : int
        Public inputs a step, in distilling and in the consensus term.
    temperature : float
        Softens consensus and predictions.
    weight : float
        λ of the consensus term in local training.
    send_public_set : bool
        Whether the server sends the inputs; otherwise each client has its own copy.

    Raises PublicSetError, ModelError or ConfigError when these do not fit together.
    """

    name = SOFT_LABELS
    report_kind = "labels"
    clipped = False
    mismatch_hint = ""

    def __init__(
        self,
        public_set: ArrayLike,
        student: nn.Module,
        *,
        consensus: str = "mean",
        sampling: FedAvg | None = None,
        epochs: int = 10,
        student_epochs: int = 30,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        temperature: float = 1.0,
        weight: float = 1.0,
        send_public_set: bool = True,
    ) -> None:
        from flwr_chainfl import distillation

        if consensus not in ("mean", "majority"):
            raise ConfigError(f"consensus is {consensus!r}; 'mean' and 'majority' are possible")
        require("epochs", epochs, minimum=0)
        require("student_epochs", student_epochs, minimum=1)
        require("learning_rate", learning_rate, above=0)
        require("batch_size", batch_size, minimum=1)
        require("temperature", temperature, above=0)
        require("weight", weight, minimum=0)
        self.public_set = _checked(public_set)
        self.student = student.to(distillation.best_device())
        self.classes = distillation.class_count(student, self.public_set)
        if not 2 <= self.classes <= 255:
            raise ModelError(f"the student tells {self.classes} classes apart; between 2 and 255 are possible")
        self.tasks = len(self.public_set)
        self.flower = sampling if sampling is not None else FedAvg(min_available_nodes=3, min_train_nodes=3)
        self._consensus_kind = consensus
        self._epochs = epochs
        self._student_epochs = student_epochs
        self._learning_rate = learning_rate
        self._batch_size = batch_size
        self._temperature = temperature
        self._weight = weight
        self._public_data = pack_array(self.public_set)
        self._public_cid = address(self._public_data)
        self._send_public_set = send_public_set
        self._have_public: set[int] = set()
        self._consensus = b""
        self._consensus_round = 0
        self._store: Store | None = None

    def terms(self) -> dict[str, Any]:
        """Return the exchange's part of the task's terms."""
        return {
            "exchange": self.name,
            "public-set": self._public_cid,
            "tasks": self.tasks,
            "classes": self.classes,
            "consensus": self._consensus_kind,
            "epochs": self._epochs,
            "student-epochs": self._student_epochs,
            "learning-rate": self._learning_rate,
            "batch-size": self._batch_size,
            "temperature": self._temperature,
            "weight": self._weight,
        }

    def open(self, store: Store, arrays: ArrayRecord) -> None:
        """Store the public inputs and let the student start from the initial model."""
        self._store = store
        store.put(self._public_data)

    def begin_round(self, arrays: ArrayRecord) -> None:
        """Take the student's state, which a wrapper may have changed."""
        from flwr_chainfl import distillation

        distillation.load_arrays(self.student, {name: array.numpy() for name, array in arrays.items()})

    def train_arrays(self, arrays: ArrayRecord) -> ArrayRecord:
        """No weights go down."""
        return ArrayRecord()

    def consensus_terms(self, node: int) -> ConsensusTerms | None:
        """Return the newest consensus and how to learn it; the public inputs only for a node that lacks them."""
        send = self._send_public_set and node not in self._have_public
        return ConsensusTerms(
            public_set=self._public_cid,
            public_data=self._public_data if send else b"",
            classes=self.classes,
            consensus_round=self._consensus_round,
            consensus=self._consensus,
            epochs=self._epochs,
            learning_rate=self._learning_rate,
            batch_size=self._batch_size,
            temperature=self._temperature,
            weight=self._weight,
        )

    def forget(self, node: int) -> None:
        """Send the public inputs again to a node that failed."""
        self._have_public.discard(node)

    def check_reply(self, contribution: Contribution) -> None:
        """Remember that the client has the public inputs; its labels come with the reveal."""
        self._have_public.add(contribution.node)

    def check_reveal(self, contribution: Contribution) -> None:
        """Check the soft labels and take the hard labels out of them."""
        soft_labels = self._soft_labels(contribution)
        labels.validate_soft_labels(soft_labels, tasks=self.tasks, classes=self.classes)
        contribution.report = labels.hard_labels(soft_labels).tobytes()
        contribution.cid = address(contribution.content)

    def keep(self, contribution: Contribution, store: Store) -> None:
        """Store the soft labels."""
        store.put(contribution.content)

    def aggregate(self, server_round: int, accepted: Sequence[Contribution]) -> Aggregate:
        """Form the consensus, teach it to the student, and rate each report by its agreement with the majority."""
        from flwr_chainfl import distillation

        metrics = self.flower.train_metrics_aggr_fn(
            [contribution.reply.content for contribution in accepted], self.flower.weighted_by_key
        )
        reports = np.stack([np.frombuffer(contribution.report, dtype=np.uint8) for contribution in accepted])
        majority = labels.majority_vote(reports, classes=self.classes)
        consensus = form_consensus(
            self._consensus_kind, [self._soft_labels(contribution) for contribution in accepted], majority
        )
        self._consensus = pack_soft_labels(consensus)
        self._consensus_round = server_round
        assert self._store is not None
        cid = self._store.put(self._consensus)
        distillation.distill(
            self.student,
            self.public_set,
            consensus,
            epochs=self._student_epochs,
            learning_rate=self._learning_rate,
            batch_size=self._batch_size,
            temperature=self._temperature,
        )
        arrays = ArrayRecord(
            {name: Array(value) for name, value in distillation.state_arrays(self.student).items()}
        )
        agreement = (reports == majority).mean(axis=1)
        qualities = {c.address: float(a) for c, a in zip(accepted, agreement, strict=True)}
        return Aggregate(arrays, metrics, qualities, cid)

    def _soft_labels(self, contribution: Contribution) -> NDArray[np.float32]:
        return unpack_soft_labels(contribution.content, tasks=self.tasks, classes=self.classes)


def form_consensus(
    kind: str, soft_labels: Sequence[NDArray[np.float32]], majority: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return the consensus soft labels, float32 (tasks, classes).

    kind: ``mean`` or ``majority``; soft_labels: in ascending order of address; majority: uint8 (tasks,)
    """
    if kind == "mean":
        return labels.mean_soft_labels(soft_labels)
    return np.eye(soft_labels[0].shape[1], dtype=np.float32)[majority]


def _checked(public_set: ArrayLike) -> NDArray[Any]:
    array = np.asarray(public_set)
    if array.ndim < 2 or len(array) == 0:
        raise PublicSetError(
            f"the public set has shape {array.shape}; (inputs, …) with 1 input or more is needed: pass unlabelled inputs"
        )
    if array.dtype.kind not in "fiu":
        raise PublicSetError(f"the public set is of type {array.dtype}; numbers are needed")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise PublicSetError("the public set holds values that are not finite; clean the inputs")
    return array
