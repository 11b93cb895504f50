"""The client's side of the soft-label exchange: own weights, distilled consensus, predictions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, PublicSetError, ReportError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.labels import LabelFormat, corrected, hard_labels, proxy_agreement, validate_soft_labels
from flwr_chainfl.messages import (
    LABELS_ARRAY,
    REFERENCE_CONSENSUS,
    REFERENCE_NONE,
    REFERENCE_REPORT,
    WEIGHTS_RECORD,
    AssessmentTerms,
    ConsensusTerms,
    RoundTerms,
    as_inputs,
    pack_array,
    unpack_array,
)
from flwr_chainfl.storage import address

if TYPE_CHECKING:
    from torch import nn

_PUBLIC_STATE = "chainfl.public"
_CONSENSUS_STATE = "chainfl.consensus"
_REPORT_STATE = "chainfl.report"
_DISTILLED_STATE = "chainfl.distilled"

Call = Callable[[Message, Context], Message]


@dataclass(frozen=True)
class Labelled:
    """What a client says of the public inputs.

    stored: soft labels in the stored form; report: hard labels, one byte an input; sent: the travelling form;
    reference: what that is coded against
    """

    stored: bytes
    report: bytes
    sent: bytes
    reference: str


class SoftLabelClient:
    """Wraps the user's train and evaluate functions for the soft-label exchange.

    The weights stay in `context.state`; neither direction carries them.
    """

    def __init__(
        self,
        model: Callable[..., nn.Module] | None,
        public_set: NDArray[Any] | None,
        predict: Callable[[nn.Module, NDArray[Any], Context], NDArray[np.float32]] | None,
    ) -> None:
        self._model = model
        self._public_set = public_set
        self._predict = predict

    def train(
        self, call: Call, message: Message, context: Context, terms: RoundTerms, consensus: ConsensusTerms
    ) -> tuple[Message, Labelled | None]:
        """Distil the consensus, call the user's train function, and predict.

        returns: the reply without arrays, and what the client says of the public inputs; None where training failed
        """
        from flwr_chainfl import distillation

        _seed(context, terms, "train")
        public = self._public_inputs(context, consensus)
        model = self._own_model(context)
        soft_labels = self._distil_newest(model, public, context, consensus)
        message.content[terms.arrays_key] = _arrays(model)
        active = (
            distillation.active_consensus(
                public,
                soft_labels,
                weight=consensus.weight,
                temperature=consensus.temperature,
                batch_size=consensus.batch_size,
            )
            if soft_labels is not None
            else nullcontext()
        )
        with active:
            reply = call(message, context)
        if reply.has_error():
            return reply, None
        trained = list(reply.content.array_records.items())
        if len(trained) != 1:
            raise ReportError(f"the train function replied with {len(trained)} ArrayRecords; exactly 1 is needed")
        context.state[WEIGHTS_RECORD] = trained[0][1]
        del reply.content[trained[0][0]]
        distillation.load_arrays(model, {name: array.numpy() for name, array in trained[0][1].items()})
        report = (
            distillation.predict(model, public)
            if self._predict is None
            else self._predict(model, public, context).astype(np.float32)
        )
        validate_soft_labels(report, tasks=len(public), classes=consensus.classes)
        return reply, self._label(report, soft_labels, context, terms, consensus)

    def evaluate(
        self, call: Call, message: Message, context: Context, terms: RoundTerms, consensus: ConsensusTerms
    ) -> Message:
        """Distil the newest consensus and call the user's evaluate function with the client's own weights."""
        _seed(context, terms, "evaluate")
        public = self._public_inputs(context, consensus)
        model = self._own_model(context)
        self._distil_newest(model, public, context, consensus)
        message.content[terms.arrays_key] = _arrays(model)
        return call(message, context)

    def judge(
        self, message: Message, context: Context, wanted: AssessmentTerms, consensus: ConsensusTerms
    ) -> dict[str, int]:
        """Return how far each subject's labels go with those of the client's own model, WAD.

        The reference of a round without consensus is what a guesser reaches.
        """
        from flwr_chainfl import distillation

        public = self._public_inputs(context, consensus)
        predicted = distillation.predict(self._own_model(context), public)
        own = corrected(predicted, correction=consensus.correction)
        marks: dict[str, int] = {}
        for subject in wanted.subjects:
            arrays = message.content.array_records.get(subject)
            if arrays is None or LABELS_ARRAY not in arrays:
                continue
            reported = arrays[LABELS_ARRAY].numpy()
            marks[subject] = (
                proxy_agreement(own, reported, calibration=wanted.calibration)
                if len(reported)
                else WAD // consensus.classes
            )
        if not marks:
            raise ReportError(f"none of {len(wanted.subjects)} reports came with its labels; nothing can be judged")
        return marks

    def _label(
        self,
        predicted: NDArray[np.float32],
        known: NDArray[np.float32] | None,
        context: Context,
        terms: RoundTerms,
        consensus: ConsensusTerms,
    ) -> Labelled:
        """Correct and write down the predictions, coded against what the server has: the shortest of the ways there are.

        known: the round's consensus
        """
        form = LabelFormat(len(predicted), consensus.classes, consensus.report_bits)
        stored = form.pack(corrected(predicted, correction=consensus.correction))
        ways: list[tuple[str, bytes | None]] = [(REFERENCE_NONE, None)]
        if form.bits and known is not None:
            ways.append((REFERENCE_CONSENSUS, form.pack(known)))
        last = context.state.config_records.get(_REPORT_STATE)
        if form.bits and last is not None and last["round"] == consensus.report_base:
            before = _bytes(last["report"])
            ways.append((REFERENCE_REPORT, before))
        sent = {reference: form.compress(stored, data) for reference, data in ways}
        shortest = min(sent, key=lambda reference: len(sent[reference]))
        if form.bits:
            context.state[_REPORT_STATE] = ConfigRecord({"round": terms.round_number, "report": stored})
        return Labelled(stored, hard_labels(form.unpack(stored)).tobytes(), sent[shortest], shortest)

    def _own_model(self, context: Context) -> nn.Module:
        from flwr_chainfl import distillation

        if self._model is None:
            raise ConfigError("the soft-label exchange needs the client's model: ChainClientApp(model=Net)")
        model = self._model(context) if needs_argument(self._model) else self._model()
        own = context.state.array_records.get(WEIGHTS_RECORD)
        if own is not None:
            distillation.load_arrays(model, {name: array.numpy() for name, array in own.items()})
        return model.to(distillation.best_device())

    def _distil_newest(
        self, model: nn.Module, public: NDArray[Any], context: Context, consensus: ConsensusTerms
    ) -> NDArray[np.float32] | None:
        """Teach the model the consensus that it has not learnt yet, and return the consensus."""
        from flwr_chainfl import distillation

        if consensus.consensus_round == 0:
            return None
        form = LabelFormat(len(public), consensus.classes, consensus.consensus_bits)
        soft_labels = form.unpack(self._newest_consensus(form, context, consensus))
        state = context.state.config_records.get(_DISTILLED_STATE)
        if state is None or state["round"] != consensus.consensus_round:
            distillation.distill(
                model,
                public,
                soft_labels,
                epochs=consensus.epochs,
                learning_rate=consensus.learning_rate,
                batch_size=consensus.batch_size,
                temperature=consensus.temperature,
            )
            context.state[WEIGHTS_RECORD] = _arrays(model)
            context.state[_DISTILLED_STATE] = ConfigRecord({"round": consensus.consensus_round})
        return soft_labels

    def _newest_consensus(self, form: LabelFormat, context: Context, consensus: ConsensusTerms) -> bytes:
        """Return the consensus in the stored form, from the server's message or the state."""
        state = context.state.config_records.get(_CONSENSUS_STATE)
        has = int(str(state["round"])) if state is not None else 0
        needed = consensus.consensus_base if consensus.consensus else consensus.consensus_round
        if needed and has != needed:
            raise ReportError(
                f"this client lacks the consensus of round {needed} (it has that of round {has}); it was restarted, and the "
                f"server will send it in full next time"
            )
        before = _bytes(state["consensus"]) if state is not None and needed else None
        if not consensus.consensus:
            assert before is not None
            return before
        newest = form.expand(consensus.consensus, before)
        context.state[_CONSENSUS_STATE] = ConfigRecord({"round": consensus.consensus_round, "consensus": newest})
        return newest

    def _public_inputs(self, context: Context, consensus: ConsensusTerms) -> NDArray[Any]:
        """Return the public inputs, from the app, the server's message or the state, checked against their address."""
        if self._public_set is not None:
            data = pack_array(self._public_set)
            source = "the client's own public inputs"
        elif consensus.public_data:
            data = consensus.public_data
            source = "the public inputs that the server sent"
        else:
            state = context.state.config_records.get(_PUBLIC_STATE)
            if state is None:
                raise PublicSetError(
                    "this client has no public inputs: let the server send them, or pass ChainClientApp(public_set=…)"
                )
            kept = state["data"]
            assert isinstance(kept, bytes)
            return as_inputs(unpack_array(kept), are_bytes=consensus.public_bytes)
        found = address(data)
        if found != consensus.public_set:
            raise PublicSetError(
                f"{source} have the address {found}, the task's have {consensus.public_set}; use the task's inputs"
            )
        if self._public_set is None:
            context.state[_PUBLIC_STATE] = ConfigRecord({"data": data})
        return as_inputs(unpack_array(data), are_bytes=consensus.public_bytes)


def _bytes(value: object) -> bytes:
    """Return what the state holds as bytes; it holds nothing else there."""
    assert isinstance(value, bytes)
    return value


def needs_argument(function: Callable[..., Any]) -> bool:
    """Say whether a function has a positional parameter without a default.

    >>> needs_argument(lambda: 1), needs_argument(lambda a=2: a), needs_argument(lambda context: context)
    (False, False, True)
    """
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in positional and p.default is p.empty for p in signature(function).parameters.values())


def _arrays(model: nn.Module) -> ArrayRecord:
    from flwr_chainfl import distillation

    return ArrayRecord({name: Array(value) for name, value in distillation.state_arrays(model).items()})


def _seed(context: Context, terms: RoundTerms, phase: str) -> None:
    """Seed torch for this client, round and phase, where the run is to repeat."""
    from flwr_chainfl import distillation

    if terms.seed >= 0:
        name = context.node_config.get("partition-id", context.node_id)
        hashed = sha256(f"{terms.seed} {name} {terms.round_number} {phase}".encode()).digest()
        distillation.seed_torch(int.from_bytes(hashed[:8], "big"))
