"""What travels between ServerApp and ClientApp: record keys, actions, and how each statement is packed.

Down, protocol fields are extra keys of the ConfigRecord that a strategy sends anyway (some Flower mods insist on
exactly one). Up, they are one extra ConfigRecord of the reply.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from flwr.app import Array, ConfigRecord, MetricRecord, RecordDict
from numpy.typing import NDArray

from flwr_chainfl.errors import PublicSetError, ReportError

PREFIX = "chainfl."
"""Begins every protocol key in a downstream ConfigRecord."""

REPLY_RECORD = "chainfl"
"""Name of the ConfigRecord that a reply carries for the protocol."""

STATE_RECORD = "chainfl"
"""Name of the ConfigRecord in `context.state`."""

WEIGHTS_RECORD = "chainfl.weights"
"""Name of the ArrayRecord in `context.state` that holds a client's own model."""

TYPE_REVEAL = "query.reveal"
"""Message type that asks for the opening of a commitment."""

TYPE_JOIN = "query.join"
"""Message type that asks for a new signature of the wish to join."""

TYPE_DECODER = "query.decoder"
"""Message type that asks for a decoder trained on the client's data, and for its class histogram."""

TYPE_KEY = "query.key"
"""Message type that asks for the public key that contents are to be sealed for."""

TYPE_REVIEW = "evaluate.review"
"""Message type that asks a worker to judge the others' contributions on its own data."""

TYPE_VOTE = "evaluate.vote"
"""Message type that asks a validator to judge the workers' contributions on its own data."""

TYPE_SEAL = "query.seal"
"""Message type that asks a miner to compute what the round comes to and to attest its hash."""

LABELS_ARRAY = "labels"
"""Name of the array with a report's labels, uint8, in the ArrayRecord that an assessor is sent of it."""

ONCE_RECORD = "chainfl.once"
"""Begins the names of the ConfigRecords in `context.state` with what was signed and must not be signed differently."""

RESIDUAL_RECORD = "chainfl.residual"
"""Name of the ConfigRecord in `context.state` with what a client's last update lost when it was rounded."""

NUM_EXAMPLES = "num-examples"
"""The metric that Flower weights by."""

REFERENCE_NONE = ""
REFERENCE_REPORT = "report"
REFERENCE_CONSENSUS = "consensus"
"""What a revealed content is coded against: nothing, the client's last accepted report, the round's consensus."""

SOFT_LABELS = "soft-labels"
WEIGHTS = "weights"


@dataclass(frozen=True, kw_only=True)
class RoundTerms:
    """What a client needs to take part in a round; sent with every train and evaluate message.

    exchange: ``soft-labels`` or ``weights``; round_number: the ledger's round; task, token: checksummed addresses;
    stake: token units (text, since it can exceed 64 bits); deadline: of the join signatures, seconds since 1970;
    nonce: of the token's permit; seed: −1 where runs need not repeat; simulated: whether throw-away accounts are
    allowed; clipped: whether the reveal must carry the weights again; arrays_key: name of the ArrayRecord that
    the user's functions expect; member: the address that this node takes part with as a member of the task, so that
    its reply need not ask to join, empty where it is none yet; signal_tasks, signal_levels: of the report of a weight update, 0 where the report is
    the number of samples; key_scheme: of the throw-away keys of simulated participants; role: ``worker``, ``validator`` or
    ``miner``, empty where roles are not drawn or this node is no member; packed: whether the train reply opens its own
    commitment, which saves an exchange and lets the server see contributions before all have committed
    """

    exchange: str
    round_number: int
    chain_id: int
    task: str
    token: str
    token_name: str
    token_version: str
    stake: str
    deadline: int
    nonce: int
    seed: int
    simulated: bool
    clipped: bool
    arrays_key: str
    member: str = ""
    signal_tasks: int = 0
    signal_levels: int = 0
    key_scheme: str = "x25519"
    role: str = ""
    packed: bool = False


@dataclass(frozen=True, kw_only=True)
class ConsensusTerms:
    """What a client needs of the soft-label exchange.

    public_set: CID of the public inputs; public_data: the inputs as .npy bytes, empty where the client has them;
    public_bytes: whether the inputs are bytes that stand for values from 0 to 1;
    classes: K; consensus_round: the round the consensus is of, 0 for none; consensus: its travelling form, empty where
    the client has it; consensus_base: the round of the consensus that it is coded against, 0 for none;
    consensus_bits, report_bits: of the two label formats; report_base: the round of the client's own report that the
    server has, 0 for none; correction: of the report; epochs, learning_rate, batch_size, temperature: of distilling
    the consensus; weight: of the consensus term
    """

    public_set: str
    public_data: bytes
    public_bytes: bool
    classes: int
    consensus_round: int
    consensus: bytes
    consensus_base: int
    consensus_bits: int
    report_bits: int
    report_base: int
    correction: str
    epochs: int
    learning_rate: float
    batch_size: int
    temperature: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class UpdateTerms:
    """How a weight update becomes the vector that a report commits to.

    update_step: what an integer of 1 stands for; update_bits: of a parameter; update_unit: bytes of a unit of the vector's tree; update_names: of the
    arrays that count, a line each, empty for all; update_projection: lanes of a sketch, 0 for none; update_seed: of the sketch;
    update_feedback: whether a client makes up for what rounding took away; update_carry: int8, what the last average lost, one a
    parameter, in multiples of update_carry_step; empty for nothing
    """

    update_step: float
    update_bits: int
    update_unit: int
    update_names: str
    update_projection: int
    update_seed: int
    update_feedback: bool
    update_carry: bytes
    update_carry_step: float


@dataclass(frozen=True, kw_only=True)
class DecoderTerms:
    """How a client is to train its conditional VAE, before the first round, and for which task it signs the decoder.

    chain_id, task: of the ledger and the task, a checksummed address; simulated: whether throw-away accounts are allowed
    classes: K; latent: size of the latent vector; epochs, learning_rate, batch_size: of training; epsilon: of the
    histogram's noise, 0 for none; seed: −1 where runs need not repeat
    """

    chain_id: int
    task: str
    simulated: bool
    classes: int
    latent: int
    epochs: int
    learning_rate: float
    batch_size: int
    epsilon: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class AssessmentTerms:
    """What an assessor is to judge, in a message with its subjects' contributions.

    subjects: checksummed addresses, ascending; the task's own stands for the reference that the round began with;
    envelopes: of each that is sealed, empty bytes where an ArrayRecord of its address carries it; names: of the model's
    arrays in their order, where something is sealed; metric: the evaluation metric that is the mark, from 0 to 1;
    calibration: items, for assessors of labels; retrained: whether the reference is what the assessor's own training makes
    of it
    """

    subjects: list[str]
    envelopes: list[bytes]
    names: list[str]
    metric: str
    calibration: bytes = b""
    retrained: bool = False


@dataclass(frozen=True, kw_only=True)
class EnvelopeTerms:
    """Whom a client is to seal its content for, and where keys are registered.

    registry: address of the KeyRegistry; readers: checksummed addresses; keys, signatures: the public key of each, and its
    signature of ``Key``; none in a message that asks for a key
    """

    registry: str
    readers: list[str]
    keys: list[bytes]
    signatures: list[bytes]


@dataclass(frozen=True, kw_only=True)
class SealTerms:
    """What a miner needs to find what a round comes to.

    rule: the exchange's part of the task's terms, JSON; threshold: δ of the votes, WAD; before: what the round started
    from, in the sealed form
    workers: whose contributions came, ascending by address; of each, samples: declared when it joined; commitments: 32
    bytes, commit_signatures, salts: what was committed to and how it opens; contents, reports: what was; reputations: WAD,
    empty where none are kept
    known_items: the round's calibration
    validators: that gave marks; of each, judged, marks: subjects and scores as they were signed, JSON; mark_signatures
    """

    rule: str
    threshold: int
    before: bytes
    workers: list[str]
    samples: list[int]
    commitments: list[bytes]
    commit_signatures: list[bytes]
    salts: list[bytes]
    contents: list[bytes]
    reports: list[bytes]
    reputations: list[int]
    known_items: bytes
    validators: list[str]
    judged: str
    marks: str
    mark_signatures: list[bytes]


Terms = TypeVar("Terms", RoundTerms, ConsensusTerms, DecoderTerms, AssessmentTerms, SealTerms, EnvelopeTerms, UpdateTerms)


def write_terms(
    config: ConfigRecord,
    *terms: RoundTerms | ConsensusTerms | DecoderTerms | AssessmentTerms | SealTerms | EnvelopeTerms | UpdateTerms,
) -> ConfigRecord:
    """Return a copy of a ConfigRecord with the terms' fields added."""
    merged = ConfigRecord(dict(config.items()))
    for part in terms:
        for field in fields(part):
            merged[PREFIX + field.name.replace("_", "-")] = getattr(part, field.name)
    return merged


def read_terms(kind: type[Terms], config: Mapping[str, Any]) -> Terms | None:
    """Return the terms in a ConfigRecord, or None where it carries none.

    Raises ReportError when only some of the fields are there.
    """
    keys = {field.name: PREFIX + field.name.replace("_", "-") for field in fields(kind)}
    missing = [key for key in keys.values() if key not in config]
    if len(missing) == len(keys):
        return None
    if missing:
        raise ReportError(
            f"the server's message lacks {', '.join(missing)}; server and clients need the same flwr-chainfl version"
        )
    return kind(**{name: config[key] for name, key in keys.items()})


def without_terms(config: ConfigRecord) -> ConfigRecord:
    """Return a copy of a ConfigRecord without the protocol's keys, as the user's functions expect it."""
    return ConfigRecord({key: value for key, value in config.items() if not key.startswith(PREFIX)})


def pack_array(array: NDArray[Any]) -> bytes:
    """Return an array as .npy bytes, the same for the same array everywhere."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def unpack_array(data: bytes) -> NDArray[Any]:
    """Return the array of .npy bytes; raises PublicSetError when they are none."""
    try:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise PublicSetError(f"{len(data)} bytes are no .npy array ({error}); send the public inputs again") from error
    return array


def as_inputs(array: NDArray[Any], *, are_bytes: bool) -> NDArray[Any]:
    """Return public inputs as models take them: bytes that stand for values from 0 to 1 as float32."""
    return array.astype(np.float32) / np.float32(255) if are_bytes else array


def payload_bytes(content: RecordDict) -> int:
    """Return the bytes of what a message carries, without Flower's framing: arrays, texts and bytes in full, 8 a number."""
    total = 0
    for record in content.values():
        for key, value in record.items():
            total += len(key)
            if isinstance(value, Array):
                total += len(value.data)
            elif isinstance(value, (bytes, str)):
                total += len(value)
            elif isinstance(value, list):
                total += sum(len(item) if isinstance(item, (bytes, str)) else 8 for item in value)
            else:
                total += 8
    return total


def only_metrics(content: RecordDict, *, key: str = NUM_EXAMPLES, finite: bool = True) -> MetricRecord:
    """Return the one MetricRecord of a reply, with a usable number of examples.

    finite: whether the other metrics have to be finite

    Raises ReportError when there is not exactly one, or its weight is missing, not finite or negative.
    """
    records = list(content.metric_records.values())
    if len(records) != 1:
        raise ReportError(f"the reply has {len(records)} MetricRecords; Flower's aggregation needs exactly 1")
    weight = records[0].get(key)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not np.isfinite(weight) or weight < 0:
        raise ReportError(f"the reply's metric {key!r} is {weight!r}; a number of examples, 0 or more, is needed")
    for name, value in records[0].items() if finite else ():
        if not np.all(np.isfinite(value)):
            raise ReportError(f"the reply's metric {name!r} is {value!r}; metrics must be finite")
    return records[0]
