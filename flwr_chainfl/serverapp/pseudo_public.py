"""Pseudo-public inputs: drawn from decoders that the clients train on their own data, in one phase before round 1."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import ConfigRecord, Message, RecordDict

from flwr_chainfl.config import require
from flwr_chainfl.crypto import Domain, Signature, decoder_statement, keccak256
from flwr_chainfl.errors import ChainFLError, ParticipationError, ReportError, SignatureError
from flwr_chainfl.messages import REPLY_RECORD, TYPE_DECODER, DecoderTerms, pack_array, write_terms
from flwr_chainfl.record import write_sheet
from flwr_chainfl.serverapp.contribution import check_signed, read_field
from flwr_chainfl.serverapp.exchange import Refusal, Surroundings
from flwr_chainfl.serverapp.phases import ask
from flwr_chainfl.storage import address, digest

if TYPE_CHECKING:
    from flwr_chainfl.distillation import Decoder, Drawn

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

    drawn: inputs, the classes they were drawn for and whose decoder each is of, by its place in the provenance;
    provenance: what anybody needs to draw them again, and who signed for what, for the task's terms; refused: whose decoder
    was not used
    """

    drawn: Drawn
    provenance: dict[str, Any]
    refused: list[Refusal]


@dataclass(frozen=True)
class _Received:
    """A client's decoder as it came; address: checksummed, of who signed for it and for the histogram."""

    decoder: Decoder
    data: bytes
    histogram: list[int]
    address: str
    signature: Signature

    @property
    def cid(self) -> str:
        return address(self.data)


def generate(settings: PseudoPublic, surroundings: Surroundings) -> Generated:
    """Ask all connected clients for a decoder, draw the inputs, and store both.

    The draw has a secret seed, that of the run where it has one. A sheet of samples goes into the run directory, as
    public-set.png.

    Raises ParticipationError when no client sent a usable decoder.
    """
    nodes = sorted(surroundings.grid.get_node_ids())
    seed, domain = surroundings.seed, surroundings.domain
    assert domain.contract is not None
    terms = DecoderTerms(
        chain_id=domain.chain_id,
        task=domain.contract,
        simulated=surroundings.simulated,
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
    found: dict[int, _Received] = {}
    refused: dict[int, str] = {}
    for reply in ask(surroundings.grid, messages, timeout=surroundings.timeout):
        node = reply.metadata.src_node_id
        try:
            received = _read(reply, settings.classes, domain)
            _check_beside(received, found)
        except ChainFLError as error:
            log.warning("Node %d sent no usable decoder: %s", node, error)
            refused[node] = f"{type(error).__name__}: {error}"
            continue
        found[node] = received
        surroundings.store.put(received.data)
        log.info("Decoder %d of %d is here (%d samples)", len(found), len(nodes), sum(received.histogram))
    if not found:
        raise ParticipationError(
            f"none of {len(nodes)} clients sent a usable decoder; pass ChainClientApp(private_data=…) on the clients, or real "
            f"public inputs to the strategy"
        )
    for node in nodes:
        if node not in found and node not in refused:
            refused[node] = f"no decoder within {surroundings.timeout:g} s"
    return _draw(
        settings,
        [found[node] for node in sorted(found)],
        [Refusal("unusable-decoder", node, detail) for node, detail in sorted(refused.items())],
        surroundings,
    )


def _draw(
    settings: PseudoPublic, received: list[_Received], refused: list[Refusal], surroundings: Surroundings
) -> Generated:
    from flwr_chainfl import distillation

    seed, directory = surroundings.seed, surroundings.directory
    secret = secrets.token_bytes(32) if seed is None else hashlib.sha256(f"public set {seed}".encode()).digest()
    drawn = distillation.generate_public_set(
        [one.decoder for one in received],
        np.array([one.histogram for one in received], dtype=np.int64),
        count=settings.inputs,
        seed=int.from_bytes(secret, "big"),
    )
    (directory / "public-set-seed.txt").write_text(secret.hex() + "\n")
    inputs = drawn.inputs
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3):
        sheet = write_sheet(inputs, drawn.labels, directory / "public-set.png", classes=settings.classes)
        log.info("Drew %d public inputs; some of them are in %s", len(inputs), sheet)
    else:
        log.info("Drew %d public inputs of shape %s, which are no pictures to show", len(inputs), inputs.shape[1:])
    provenance = {
        **asdict(settings),
        "sha256": hashlib.sha256(pack_array(inputs)).hexdigest(),
        "seed-commitment": keccak256(secret).hex(),
        "decoders": [one.cid for one in received],
        "histograms": [one.histogram for one in received],
        "signers": [one.address for one in received],
        "signatures": [one.signature.to_bytes().hex() for one in received],
    }
    return Generated(drawn, provenance, refused)


def _read(reply: Message, classes: int, domain: Domain) -> _Received:
    """Read a decoder and its histogram out of a reply, and check who signed for them.

    Raises ReportError when they are not there or out of range, SignatureError when they are not signed by their participant
    for this task.
    """
    from flwr_chainfl import distillation

    if reply.has_error():
        raise ReportError(reply.error.reason or "no reason given")
    record = reply.content.config_records.get(REPLY_RECORD)
    decoder = record.get("decoder") if record is not None else None
    histogram = record.get("histogram") if record is not None else None
    if record is None or not isinstance(decoder, bytes) or not isinstance(histogram, list):
        raise ReportError("the reply carries no decoder and histogram; use ChainClientApp on the client")
    counts = [int(count) for count in histogram if isinstance(count, int)]
    if len(counts) != classes or min(counts) < 0 or max(counts) > _LARGEST_COUNT:
        raise ReportError(f"a class histogram of {len(counts)} counts; {classes} from 0 to {_LARGEST_COUNT} are needed")
    if "signature" not in record:
        raise SignatureError(
            "the decoder is not signed; participants sign for their decoders: use ChainClientApp of this flwr-chainfl version"
        )
    participant = read_field(record, "address", str)
    signature = Signature.from_bytes(read_field(record, "signature", bytes))
    check_signed(
        decoder_statement(domain, participant=participant, decoder=digest(address(decoder)), histogram=counts),
        signature,
        participant,
    )
    return _Received(distillation.unpack_decoder(decoder), decoder, counts, participant, signature)


def _check_beside(received: _Received, found: Mapping[int, _Received]) -> None:
    """Check a decoder against those that came before; raises ReportError, or SignatureError for a second of one account."""
    decoder, classes = received.decoder, len(received.histogram)
    for node, other in found.items():
        if other.address == received.address:
            raise SignatureError(f"{received.address} sent a decoder from node {node} already; give each node a key of its own")
    shapes = {other.decoder.shape for other in found.values()}
    if decoder.classes != classes or shapes - {decoder.shape}:
        raise ReportError(
            f"a decoder of {decoder.classes} classes and inputs of shape {decoder.shape}; the others' are of "
            f"{classes} classes and shape {next(iter(shapes), 'any')}"
        )
