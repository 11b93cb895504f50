"""What clients do that would rather be paid than work: all of it through the messages that honest clients send too."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Message

from flwr_chainfl import ChainClientApp
from flwr_chainfl.crypto import TypedData, task_domain
from flwr_chainfl.distillation import predict
from flwr_chainfl.labels import LabelFormat
from flwr_chainfl.messages import REPLY_RECORD, TYPE_REVEAL, RoundTerms, read_terms
from peer_prediction.settings import HONEST, read_settings
from peer_prediction.task import load_partition

CLASSES = 10
LEAK_SECONDS = 30.0


def behaviour_of(context: Context) -> str:
    """Return what this client does."""
    return read_settings(context).behaviour(int(context.node_config["partition-id"]))


def report(model: torch.nn.Module, inputs: np.ndarray, context: Context) -> np.ndarray:
    """Return the soft labels that a client reports, float32 (inputs, classes)."""
    behaviour, settings = behaviour_of(context), read_settings(context)
    if behaviour == "constant":
        return _certain(np.full(len(inputs), 3))
    if behaviour == "random":
        return _certain(torch.randint(CLASSES, (len(inputs),)).numpy())
    if behaviour == "prior-sampling":
        own = load_partition(settings, int(context.node_config["partition-id"])).labels
        return _certain(own[torch.randint(len(own), (len(inputs),)).numpy()])
    if behaviour == "colluding":  # the same labels from all that collude, agreed on without a look at the inputs
        return _certain(np.random.default_rng(settings.seed).integers(0, CLASSES, len(inputs)))
    if behaviour == "consensus-copying":
        state = context.state.config_records.get("chainfl.consensus")
        if state is None:
            return _certain(np.full(len(inputs), 3))
        stored = state["consensus"]
        assert isinstance(stored, bytes)
        return LabelFormat(len(inputs), CLASSES, 8).unpack(stored)
    honest = predict(model, inputs)
    return np.roll(honest, 1, axis=1) if behaviour == "relabelling" else honest


def works(context: Context) -> bool:
    """Say whether a client trains."""
    return behaviour_of(context) in (HONEST, "relabelling")


def pretended_weights(arrays: ArrayRecord, context: Context) -> ArrayRecord:
    """Return what a client sends that did not train: the weights that it got, or these with noise."""
    if behaviour_of(context) != "random":
        return arrays
    state = arrays.to_torch_state_dict()
    return ArrayRecord({name: value + 0.01 * torch.randn_like(value) for name, value in state.items()})


class Participant(ChainClientApp):
    """A client, of which some copy another's commitment.

    The commitments of a round are public once they are on the ledger, and then it is too late to copy one. Here the first
    honest client leaks its commitment earlier, through a file, which is the best case for whoever copies.
    """

    def __call__(self, message: Message, context: Context) -> Message:
        """Execute the app; copy a commitment where that is this client's behaviour."""
        configs = list(message.content.config_records.values())
        terms = read_terms(RoundTerms, configs[0]) if len(configs) == 1 else None
        reply = super().__call__(message, context)
        settings = read_settings(context)
        leaks = int(context.node_config["partition-id"]) == len(settings.behaviours.split())
        folder, prefix = Path(tempfile.gettempdir()), f"chainfl-leak-{context.run_id}"
        if message.metadata.message_type == TYPE_REVEAL:  # all have committed
            for old in folder.glob(f"{prefix}-*") if leaks else ():
                old.unlink()
            return reply
        if terms is None or not reply.has_content() or REPLY_RECORD not in reply.content.config_records:
            return reply
        record, leak = reply.content.config_records[REPLY_RECORD], folder / f"{prefix}-{terms.round_number}"
        if leaks:
            own = record["commitment"]
            assert isinstance(own, bytes)
            leak.with_suffix(".part").write_bytes(own)
            leak.with_suffix(".part").rename(leak)
        elif behaviour_of(context) == "commitment-copying":
            wallet = self._wallet(context, terms)
            copied = _wait_for(leak)
            domain = task_domain(terms.chain_id, terms.task)
            statement = {"participant": wallet.address, "round": terms.round_number, "commitment": copied}
            record["commitment"] = copied
            record["signature"] = wallet.sign(TypedData(domain=domain, primary="Commit", message=statement)).to_bytes()
        return reply


def _wait_for(leak: Path) -> bytes:
    """Return the leaked commitment, or one that means nothing when none comes."""
    deadline = time.monotonic() + LEAK_SECONDS
    while time.monotonic() < deadline:
        if leak.exists():
            return leak.read_bytes()
        time.sleep(0.05)
    return b"\1" * 32


def _certain(labels: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[labels]
