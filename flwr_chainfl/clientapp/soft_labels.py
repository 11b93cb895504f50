"""The client's side of the soft-label exchange: own weights, distilled consensus, predictions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, PublicSetError, ReportError
from flwr_chainfl.labels import hard_labels, validate_soft_labels
from flwr_chainfl.messages import (
    WEIGHTS_RECORD,
    ConsensusTerms,
    RoundTerms,
    pack_array,
    pack_soft_labels,
    unpack_array,
    unpack_soft_labels,
)
from flwr_chainfl.storage import address

if TYPE_CHECKING:
    from torch import nn

_PUBLIC_STATE = "chainfl.public"
_DISTILLED_STATE = "chainfl.distilled"

Call = Callable[[Message, Context], Message]


class SoftLabelClient:
    """Wraps the user's train and evaluate functions for the soft-label exchange.

    The weights stay in `context.state`; neither direction carries them.
    """

    def __init__(
        self,
        model: Callable[[], nn.Module] | None,
        public_set: NDArray[Any] | None,
        predict: Callable[[nn.Module, NDArray[Any], Context], NDArray[np.float32]] | None,
    ) -> None:
        self._model = model
        self._public_set = public_set
        self._predict = predict

    def train(
        self, call: Call, message: Message, context: Context, terms: RoundTerms, consensus: ConsensusTerms
    ) -> tuple[Message, bytes, bytes]:
        """Distil the consensus, call the user's train function, and predict.

        returns: the reply without arrays, the soft labels' bytes, the hard labels' bytes
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
            return reply, b"", b""
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
        return reply, pack_soft_labels(report), hard_labels(report).tobytes()

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

    def _own_model(self, context: Context) -> nn.Module:
        from flwr_chainfl import distillation

        if self._model is None:
            raise ConfigError("the soft-label exchange needs the client's model: ChainClientApp(model=Net)")
        model = self._model()
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
        soft_labels = unpack_soft_labels(consensus.consensus, tasks=len(public), classes=consensus.classes)
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
            return unpack_array(kept)
        found = address(data)
        if found != consensus.public_set:
            raise PublicSetError(
                f"{source} have the address {found}, the task's have {consensus.public_set}; use the task's inputs"
            )
        if self._public_set is None:
            context.state[_PUBLIC_STATE] = ConfigRecord({"data": data})
        return unpack_array(data)


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
