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
from flwr_chainfl.consensus import ConsensusRule, Formed, Memory, Standing
from flwr_chainfl.errors import ConfigError, ModelError, PublicSetError, ReportError
from flwr_chainfl.messages import (
    LABELS_ARRAY,
    REFERENCE_CONSENSUS,
    REFERENCE_NONE,
    REFERENCE_REPORT,
    SOFT_LABELS,
    ConsensusTerms,
    UpdateTerms,
    as_inputs,
    pack_array,
)
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.exchange import Aggregate, Refusal, Surroundings
from flwr_chainfl.serverapp.known_labels import Owners, checked_labels, with_known
from flwr_chainfl.serverapp.pseudo_public import PseudoPublic, generate
from flwr_chainfl.storage import Store, address

if TYPE_CHECKING:
    from torch import nn

_DRAWN_WEIGHT = 0.5
"""docs/benchmarks.md, "Drawn public inputs", compares others."""


class SoftLabels:
    """Clients send class probabilities on public inputs; their consensus teaches everyone's next model.

    Parameters
    ----------
    public_set : array or PseudoPublic
        Unlabelled inputs, (inputs, …), in the form that the models take; or how to draw some from decoders that the
        clients train.
    known_labels : array, optional
        uint8 (inputs,): labels of public inputs that the server knows, 255 where it does not: calibration items are
        drawn from them. Drawn inputs have theirs.
    student : torch.nn.Module
        The server's own model, taught the consensus every round. Its state is the strategy's `arrays`.
    consensus : str
        How the reports become one; the names are those of `ConsensusRule`.
    entropy_temperature : float
        Sharpens what the clients learn below 1; 1 leaves it as it is. On strongly skewed data a mean is flat, and clients
        that learn flat labels are soon drawn back to their own classes. The student learns the consensus unsharpened.
    correction : str
        ``own-mean`` takes each report's own class prior out of it before it is committed to; ``none``.
    report_bits, consensus_bits : int
        Of a class's probability, up and down: 1 to 8, or 0 for float32.
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
    known_weight : float, optional
        Share of an input's known label in what the student learns of it, from 0 to 1. Default: 0.5 where inputs are drawn,
        else 0. Of drawn inputs it is less where the consensus agrees with a decoder's classes less than half as often as
        with all of them, and 0 where it never does. Clients are never told known labels: whoever knew them could report
        them without a look at the input.
    exact : bool
        Whether the consensus is formed in whole numbers, which miners can seal. It needs a ``consensus`` that remembers
        nothing, no sharpening, and 1 or more ``consensus_bits``.
    send_public_set : bool
        Whether the server sends the inputs; otherwise each client has its own copy.

    Raises PublicSetError, ModelError or ConfigError when these do not fit together.
    """

    name = SOFT_LABELS
    report_kind = "labels"
    clipped = False
    signals = None
    envelopes = None
    mismatch_hint = ""

    def __init__(
        self,
        public_set: ArrayLike | PseudoPublic,
        student: nn.Module,
        *,
        known_labels: ArrayLike | None = None,
        consensus: str = "confusion",
        entropy_temperature: float = 0.5,
        correction: str = "own-mean",
        report_bits: int = 8,
        consensus_bits: int = 8,
        sampling: FedAvg | None = None,
        epochs: int = 10,
        student_epochs: int = 30,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        temperature: float = 1.0,
        weight: float = 1.0,
        known_weight: float | None = None,
        send_public_set: bool = True,
        exact: bool = False,
    ) -> None:
        from flwr_chainfl import distillation

        require("epochs", epochs, minimum=0)
        require("student_epochs", student_epochs, minimum=1)
        require("learning_rate", learning_rate, above=0)
        require("batch_size", batch_size, minimum=1)
        require("temperature", temperature, above=0)
        require("weight", weight, minimum=0)
        if known_weight is None:
            known_weight = _DRAWN_WEIGHT if isinstance(public_set, PseudoPublic) else 0.0
        require("known_weight", known_weight, minimum=0, maximum=1)
        if known_weight > 0 and known_labels is None and not isinstance(public_set, PseudoPublic):
            raise ConfigError(
                f"known_weight is {known_weight} and no labels are known; pass known_labels, or leave known_weight out"
            )
        if correction not in labels.CORRECTIONS:
            raise ConfigError(f"correction is {correction!r}; {' and '.join(map(repr, labels.CORRECTIONS))} are possible")
        self.student = student.to(distillation.best_device())
        self.flower = sampling if sampling is not None else FedAvg(min_available_nodes=3, min_train_nodes=3)
        self.known_labels: NDArray[np.uint8] | None = None
        self._to_draw = public_set if isinstance(public_set, PseudoPublic) else None
        self._provenance: dict[str, Any] | None = None
        self._owners: Owners | None = None
        if isinstance(public_set, PseudoPublic):
            self.tasks, self.classes = public_set.inputs, public_set.classes
        else:
            self._take(_checked(public_set))
            self.tasks, self.classes = len(self.public_set), distillation.class_count(student, self.public_set)
            self.known_labels = checked_labels(known_labels, self.tasks, self.classes)
        if not 2 <= self.classes <= 255:
            raise ModelError(f"the student tells {self.classes} classes apart; between 2 and 255 are possible")
        self._rule = ConsensusRule(kind=consensus, classes=self.classes, entropy_temperature=entropy_temperature, exact=exact)
        if exact and consensus_bits == 0:
            raise ConfigError("consensus_bits is 0; a consensus that miners seal is of whole numbers: 1 to 8")
        self._report_form = labels.LabelFormat(self.tasks, self.classes, report_bits)
        self._consensus_form = labels.LabelFormat(self.tasks, self.classes, consensus_bits)
        self._correction = correction
        self._epochs = epochs
        self._student_epochs = student_epochs
        self._learning_rate = learning_rate
        self._batch_size = batch_size
        self._temperature = temperature
        self._weight = weight
        self._known_weight = known_weight
        self._send_public_set = send_public_set
        self._have_public: set[int] = set()
        self._consensus: dict[int, bytes] = {}  # the newest two, by round, in the stored form
        self._consensus_round = 0
        self._coded: dict[int, bytes] = {}  # the newest in its travelling form, by the round it is coded against
        self._have_consensus: dict[int, int] = {}  # round, by node
        self._reports: dict[int, tuple[int, str]] = {}  # ledger round and CID of the last accepted, by node
        self._memory = Memory()
        self._store: Store | None = None

    def terms(self) -> dict[str, Any]:
        """Return the exchange's part of the task's terms."""
        return {
            "exchange": self.name,
            "public-set": self._public_cid,
            "pseudo-public": self._provenance,
            "tasks": self.tasks,
            "classes": self.classes,
            "consensus": self._rule.as_dict(),
            "correction": self._correction,
            "report-bits": self._report_form.bits,
            "consensus-bits": self._consensus_form.bits,
            "epochs": self._epochs,
            "student-epochs": self._student_epochs,
            "learning-rate": self._learning_rate,
            "batch-size": self._batch_size,
            "temperature": self._temperature,
            "weight": self._weight,
            "known-weight": self._known_weight,
        }

    def open(self, surroundings: Surroundings) -> list[Refusal]:
        """Store the public inputs, drawing them first where that was asked for."""
        from flwr_chainfl import distillation

        self._store = surroundings.store
        refused: list[Refusal] = []
        if self._to_draw is not None:
            generated = generate(self._to_draw, surroundings)
            refused = generated.refused
            self._take(generated.drawn.inputs, are_bytes=True)
            self.known_labels, self._provenance = generated.drawn.labels, generated.provenance
            self._owners = Owners(of_input=generated.drawn.owners, signers=generated.provenance["signers"])
            if (found := distillation.class_count(self.student, self.public_set)) != self.classes:
                raise ModelError(f"the student tells {found} classes apart, the public inputs are of {self.classes}")
        surroundings.store.put(self._public_data)
        return refused

    def _take(self, array: NDArray[Any], *, are_bytes: bool = False) -> None:
        """Take public inputs; are_bytes: bytes that stand for values from 0 to 1."""
        self.public_set = as_inputs(array, are_bytes=are_bytes)
        self._public_bytes = are_bytes
        self._public_data = pack_array(array)
        self._public_cid = address(self._public_data)

    def begin_round(self, arrays: ArrayRecord) -> None:
        """Take the student's state, which a wrapper may have changed."""
        from flwr_chainfl import distillation

        distillation.load_arrays(self.student, {name: array.numpy() for name, array in arrays.items()})

    def train_arrays(self, arrays: ArrayRecord) -> ArrayRecord:
        """No weights go down."""
        return ArrayRecord()

    def consensus_terms(self, node: int) -> ConsensusTerms | None:
        """Return how to learn the newest consensus; it and the public inputs only for a node that lacks them."""
        send = self._send_public_set and node not in self._have_public
        has = self._have_consensus.get(node, 0)
        base = has if has in self._consensus else 0
        if node in self._reports and self._store is not None and not self._store.is_pinned(self._reports[node][1]):
            del self._reports[node]  # of a round whose contents were let go
        sent = b""
        if self._consensus_round and has != self._consensus_round:
            if base not in self._coded:
                newest = self._consensus[self._consensus_round]
                self._coded[base] = self._consensus_form.compress(newest, self._consensus.get(base))
            sent = self._coded[base]
        return ConsensusTerms(
            public_set=self._public_cid,
            public_data=self._public_data if send else b"",
            public_bytes=self._public_bytes,
            classes=self.classes,
            consensus_round=self._consensus_round,
            consensus=sent,
            consensus_base=base if sent else 0,
            consensus_bits=self._consensus_form.bits,
            report_bits=self._report_form.bits,
            report_base=self._reports[node][0] if node in self._reports else 0,
            correction=self._correction,
            epochs=self._epochs,
            learning_rate=self._learning_rate,
            batch_size=self._batch_size,
            temperature=self._temperature,
            weight=self._weight,
        )

    def update_terms(self) -> UpdateTerms | None:
        """Return None: no weights travel."""
        return None

    def forget(self, node: int) -> None:
        """Send everything again, in full, to a node that failed."""
        self._have_public.discard(node)
        self._have_consensus.pop(node, None)
        self._reports.pop(node, None)

    def confirm(self, node: int) -> None:
        """Note that a node has the public inputs and the newest consensus."""
        self._have_public.add(node)
        self._have_consensus[node] = self._consensus_round

    def check_reply(self, contribution: Contribution) -> None:
        """Note that the client has what it was sent; its labels come with the reveal."""
        self.confirm(contribution.node)

    def check_reveal(self, contribution: Contribution) -> None:
        """Write out the soft labels, check them, and take the hard labels out of them."""
        contribution.content = self._report_form.expand(contribution.sent, self._reference(contribution))
        soft_labels = self._report_form.unpack(contribution.content)
        contribution.report = labels.hard_labels(soft_labels).tobytes()
        contribution.cid = address(contribution.content)

    def keep(self, contribution: Contribution, store: Store) -> None:
        """Store the soft labels; only their address stays in memory."""
        store.put(contribution.content)
        self._reports[contribution.node] = (contribution.round_number, contribution.cid)
        contribution.sent = contribution.content = b""

    def judged(self, contribution: Contribution, store: Store) -> ArrayRecord | bytes:
        """Show assessors the hard labels."""
        return _labels(np.frombuffer(contribution.report, dtype=np.uint8))

    @property
    def reference(self) -> ArrayRecord:
        """The hard labels of the last consensus; none before there is one."""
        if not self._consensus_round:
            return _labels(np.zeros(0, dtype=np.uint8))
        return _labels(labels.hard_labels(self._consensus_form.unpack(self._consensus[self._consensus_round])))

    @property
    def trains_everybody(self) -> bool:
        """Everybody trains: each has a model of its own."""
        return True

    @property
    def is_exact(self) -> bool:
        """Whether the consensus is formed in whole numbers."""
        return self._rule.exact

    def stored(self, contribution: Contribution, store: Store) -> bytes:
        """Return the soft labels from the store."""
        return store.get(contribution.cid)

    def before(self) -> bytes:
        """Return the last consensus in the stored form, nothing before there is one."""
        return self._consensus.get(self._consensus_round, b"")

    def found(self, accepted: Sequence[Contribution], standing: Standing, store: Store) -> bytes:
        """Return the consensus in the stored form."""
        if not accepted:
            return self.before()
        return self._consensus_form.pack(self._form(accepted, standing, store).soft_labels)

    def _form(self, accepted: Sequence[Contribution], standing: Standing, store: Store) -> Formed:
        return self._rule.form(
            [(c.address, c.report) for c in accepted],
            (self._report_form.unpack(store.get(c.cid)) for c in accepted),
            standing,
            self._memory,
        )

    def aggregate(self, server_round: int, accepted: Sequence[Contribution], standing: Standing) -> Aggregate:
        """Form the consensus and teach it to the student."""
        from flwr_chainfl import distillation

        metrics = self.flower.train_metrics_aggr_fn(
            [contribution.reply.content for contribution in accepted], self.flower.weighted_by_key
        )
        assert self._store is not None
        store = self._store
        formed = self._form(accepted, standing, store)
        self._memory = formed.memory
        stored = self._consensus_form.pack(formed.soft_labels)
        before = {r: data for r, data in self._consensus.items() if r == self._consensus_round}
        self._consensus = {**before, server_round: stored}
        self._consensus_round = server_round
        self._coded.clear()
        cid = store.put(stored)
        distillation.distill(
            self.student,
            self.public_set,
            self._lesson(formed, stored),
            epochs=self._student_epochs,
            learning_rate=self._learning_rate,
            batch_size=self._batch_size,
            temperature=self._temperature,
        )
        arrays = ArrayRecord(
            {name: Array(value) for name, value in distillation.state_arrays(self.student).items()}
        )
        return Aggregate(arrays, metrics, formed.weights, cid)

    def _lesson(self, formed: Formed, stored: bytes) -> NDArray[np.float32]:
        """Return what the student learns, (tasks, classes)."""
        consensus = self._consensus_form.unpack(stored) if self._rule.exact else formed.unsharpened
        if self.known_labels is None or self._known_weight == 0:
            return consensus
        return with_known(consensus, self.known_labels, self._known_weight, self._owners)

    def _reference(self, contribution: Contribution) -> bytes | None:
        """Return the stored labels that a reveal is coded against."""
        if contribution.reference == REFERENCE_NONE:
            return None
        if contribution.reference == REFERENCE_CONSENSUS and self._consensus_round:
            consensus = self._consensus_form.unpack(self._consensus[self._consensus_round])
            return self._report_form.pack(consensus)
        if contribution.reference == REFERENCE_REPORT and contribution.node in self._reports:
            assert self._store is not None
            return self._store.get(self._reports[contribution.node][1])
        raise ReportError(
            f"the reveal is coded against {contribution.reference!r}, which the server does not have; code it against "
            f"nothing, {REFERENCE_CONSENSUS!r} or the last accepted {REFERENCE_REPORT!r}"
        )


def _labels(values: NDArray[np.uint8]) -> ArrayRecord:
    return ArrayRecord({LABELS_ARRAY: Array(values)})


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
