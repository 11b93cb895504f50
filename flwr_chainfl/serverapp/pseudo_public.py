"""Pseudo-public inputs: drawn from decoders that the clients train on their own data, in one phase before round 1."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from flwr_chainfl.config import require
from flwr_chainfl.crypto import keccak256
from flwr_chainfl.errors import ChainFLError, ParticipationError, ReportError
from flwr_chainfl.messages import REPLY_RECORD, TYPE_DECODER, DecoderTerms, pack_array, write_terms
from flwr_chainfl.record import write_sheet
from flwr_chainfl.serverapp.phases import ask
from flwr_chainfl.storage import Store

if TYPE_CHECKING:
    from flwr_chainfl.distillation import Decoder

log = logging.getLogger("flwr")

_LARGEST_COUNT = 2**40


@dataclass(frozen=True, kw_only=True)
class PseudoPublic:
    """Public inputs that nobody has to own: each client trains a conditional VAE and publishes its decoder.

    Parameters
    ----------
    classes : int
        K.
    inputs : int
        How many are drawn.
    latent, epochs, learning_rate, batch_size
        Of the conditional VAEs.
    epsilon : float, optional
        Noise on each count of the class histograms, for ε-differential privacy of the histogram alone; the decoder
        has no such protection. The noise never comes from the run's seed, so that such a run does not repeat.
        Default: no noise.

    Source: docs/protocols/soft-label.md, "Public set".
    """

    classes: int
    inputs: int = 5000
    latent: int = 10
    epochs: int = 15
    learning_rate: float = 1e-3
    batch_size: int = 32
    epsilon: float | None = None

    def __post_init__(self) -> None:
        require("classes", self.classes, minimum=2, maximum=255)
        require("public inputs", self.inputs, minimum=1)
        require("latent", self.latent, minimum=1)
        require("epochs", self.epochs, minimum=1)
        require("learning_rate", self.learning_rate, above=0)
        require("batch_size", self.batch_size, minimum=1)
        if self.epsilon is not None:
            require("epsilon", self.epsilon, above=0)


@dataclass(frozen=True)
class Generated:
    """A pseudo-public set.

    inputs: uint8 (inputs, …), bytes for values from 0 to 1; labels: uint8 (inputs,), the classes they were drawn for;
    provenance: what anybody needs to draw them again, for the task's terms
    """

    inputs: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    provenance: dict[str, Any]


def generate(
    settings: PseudoPublic, grid: Grid, store: Store, *, seed: int | None, timeout: float, directory: Path
) -> Generated:
    """Ask all connected clients for a decoder, draw the inputs, and store both.

    seed: of the draw, None for one that nobody can foretell; timeout: seconds; directory: where the sheet of samples
    goes, as public-set.png

    Raises ParticipationError when no client sent a usable decoder.
    """
    from flwr_chainfl import distillation

    nodes = sorted(grid.get_node_ids())
    terms = DecoderTerms(
        classes=settings.classes,
        latent=settings.latent,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        epsilon=settings.epsilon or 0.0,
        seed=seed if seed is not None else -1,
    )
    messages = [
        Message(RecordDict({"config": write_terms(ConfigRecord(), terms)}), dst_node_id=node, message_type=TYPE_DECODER)
        for node in nodes
    ]
    log.info("Asking %d clients for decoders to draw public inputs from", len(nodes))
    found: dict[int, tuple[Decoder, list[int], str]] = {}
    shapes: set[tuple[int, ...]] = set()
    for reply in ask(grid, messages, timeout=timeout):
        node = reply.metadata.src_node_id
        try:
            if reply.has_error():
                raise ReportError(reply.error.reason or "no reason given")
            data, histogram = _read(reply, settings.classes)
            decoder = distillation.unpack_decoder(data)
            if decoder.classes != settings.classes or shapes - {decoder.shape}:
                raise ReportError(
                    f"a decoder of {decoder.classes} classes and inputs of shape {decoder.shape}; the others' are of "
                    f"{settings.classes} classes and shape {next(iter(shapes), 'any')}"
                )
        except ChainFLError as error:
            log.warning("Node %d sent no usable decoder: %s", node, error)
            continue
        shapes.add(decoder.shape)
        found[node] = (decoder, histogram, store.put(data))
        log.info("Decoder %d of %d is here (%d samples)", len(found), len(nodes), sum(histogram))
    if not found:
        raise ParticipationError(
            f"none of {len(nodes)} clients sent a usable decoder; pass ChainClientApp(private_data=…) on the clients, or real "
            f"public inputs to the strategy"
        )
    return _draw(settings, found, seed=seed, directory=directory)


def _draw(
    settings: PseudoPublic, found: dict[int, tuple[Decoder, list[int], str]], *, seed: int | None, directory: Path
) -> Generated:
    from flwr_chainfl import distillation

    ordered = [found[node] for node in sorted(found)]
    secret = secrets.token_bytes(32) if seed is None else hashlib.sha256(f"public set {seed}".encode()).digest()
    inputs, labels = distillation.generate_public_set(
        [decoder for decoder, _, _ in ordered],
        np.array([histogram for _, histogram, _ in ordered], dtype=np.int64),
        count=settings.inputs,
        seed=int.from_bytes(secret, "big"),
    )
    (directory / "public-set-seed.txt").write_text(secret.hex() + "\n")
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3):
        sheet = write_sheet(inputs, labels, directory / "public-set.png", classes=settings.classes)
        log.info("Drew %d public inputs; some of them are in %s", len(inputs), sheet)
    else:
        log.info("Drew %d public inputs of shape %s, which are no pictures to show", len(inputs), inputs.shape[1:])
    provenance = {
        **asdict(settings),
        "sha256": hashlib.sha256(pack_array(inputs)).hexdigest(),
        "seed-commitment": keccak256(secret).hex(),
        "decoders": [cid for _, _, cid in ordered],
        "histograms": [histogram for _, histogram, _ in ordered],
    }
    return Generated(inputs, labels, provenance)


def _read(reply: Message, classes: int) -> tuple[bytes, list[int]]:
    """Return a reply's decoder bytes and histogram; raises ReportError when they are not there or out of range."""
    record = reply.content.config_records.get(REPLY_RECORD)
    decoder = record.get("decoder") if record is not None else None
    histogram = record.get("histogram") if record is not None else None
    if not isinstance(decoder, bytes) or not isinstance(histogram, list):
        raise ReportError("the reply carries no decoder and histogram; use ChainClientApp on the client")
    counts = [int(count) for count in histogram if isinstance(count, int)]
    if len(counts) != classes or min(counts) < 0 or max(counts) > _LARGEST_COUNT:
        raise ReportError(f"a class histogram of {len(counts)} counts; {classes} from 0 to {_LARGEST_COUNT} are needed")
    return decoder, counts
