"""Judge others' contributions with the user's own evaluate function, and sign the marks."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict

from flwr_chainfl.crypto import EncryptionKey, EnvelopeContext, TypedData, Wallet, task_domain, unseal_bytes
from flwr_chainfl.errors import ChainFLError, ReportError
from flwr_chainfl.fixedpoint import to_wad
from flwr_chainfl.messages import REPLY_RECORD, AssessmentTerms, RoundTerms, only_metrics
from flwr_chainfl.weights import in_order, unpack_weights

log = logging.getLogger("flwr")

Call = Callable[[Message, Context], Message]


def assess(
    call: Call,
    message: Message,
    context: Context,
    wallet: Wallet,
    terms: RoundTerms,
    wanted: AssessmentTerms,
    key: Callable[[], EncryptionKey],
) -> RecordDict:
    """Evaluate each subject's contribution in place of the usual arrays, and return the signed marks.

    What cannot be opened or evaluated gets no mark: it may be its owner's fault or this assessor's.

    call: the user's functions; message: brings one ArrayRecord a subject, under its address, or an envelope each;
    key: what envelopes are opened with, asked for where there are any

    Raises ReportError when nothing could be judged, or the metric is missing or above 1.
    """
    (name, config), *_ = message.content.config_records.items()
    marks: dict[str, int] = {}
    failure: Exception | None = None
    began = time.perf_counter()
    contributions = dict(_contributions(message.content, terms, wanted, key))
    opening = time.perf_counter() - began
    asked = message.metadata.message_type
    for subject, arrays in contributions.items():
        if isinstance(arrays, Exception):
            failure = arrays
            continue
        if wanted.retrained and subject == terms.task:
            trained = _retrained(call, message, context, arrays, terms, name)
            if trained is None:
                failure = ReportError("the train function failed on the reference")
                continue
            arrays = trained
        message.metadata.message_type = "evaluate"
        message.content = RecordDict({terms.arrays_key: arrays, name: ConfigRecord(dict(config.items()))})
        try:
            reply = call(message, context)
        except Exception as error:  # noqa: BLE001 - whatever the user's function makes of a stranger's model
            log.warning("The contribution of %s cannot be evaluated: %s", subject, error)
            failure = error
            continue
        if reply.has_error():
            failure = ReportError(reply.error.reason)
            continue
        marks[subject] = _mark(reply, wanted.metric)
    message.metadata.message_type = asked
    if not marks:
        raise ReportError(f"none of {len(wanted.subjects)} contributions could be judged; the last error: {failure}")
    return signed_marks(wallet, terms, marks, opening_seconds=opening if any(wanted.envelopes) else 0.0)


def signed_marks(
    wallet: Wallet, terms: RoundTerms, marks: Mapping[str, int], *, opening_seconds: float = 0.0
) -> RecordDict:
    """Return marks with a signature over all of them.

    marks: WAD by subject, ascending by address; opening_seconds: what opening envelopes took
    """
    statement = {
        "participant": wallet.address,
        "round": terms.round_number,
        "subjects": list(marks),
        "scores": list(marks.values()),
    }
    domain = task_domain(terms.chain_id, terms.task)
    signature = wallet.sign(TypedData(domain=domain, primary="Score", message=statement))
    record = ConfigRecord(
        {
            "address": wallet.address,
            "round": terms.round_number,
            "subjects": list(marks),
            "scores": list(marks.values()),
            "signature": signature.to_bytes(),
            "opening-seconds": opening_seconds,
        }
    )
    return RecordDict({REPLY_RECORD: record})


def _retrained(
    call: Call, message: Message, context: Context, arrays: ArrayRecord, terms: RoundTerms, name: str
) -> ArrayRecord | None:
    """Return what the user's train function makes of a model; None where it fails."""
    config = message.content.config_records[name]
    message.metadata.message_type = "train"
    message.content = RecordDict({terms.arrays_key: arrays, name: ConfigRecord(dict(config.items()))})
    reply = call(message, context)
    if reply.has_error() or len(reply.content.array_records) != 1:
        return None
    return next(iter(reply.content.array_records.values()))


def _contributions(
    content: RecordDict, terms: RoundTerms, wanted: AssessmentTerms, key: Callable[[], EncryptionKey]
) -> Iterator[tuple[str, ArrayRecord | Exception]]:
    """Give each subject with its model, or with why there is none."""
    for subject, envelope in zip(wanted.subjects, wanted.envelopes, strict=True):
        arrays = content.array_records.get(subject)
        if arrays is not None:
            yield subject, arrays
            continue
        if not envelope:
            yield subject, ReportError(f"the server's message brings nothing of {subject}")
            continue
        try:
            opened = unseal_bytes(
                envelope,
                context=EnvelopeContext(
                    chain_id=terms.chain_id, task=terms.task, round_number=terms.round_number, owner=subject
                ),
                key=key(),
            )
            yield subject, in_order(unpack_weights(opened), wanted.names)
        except ChainFLError as error:
            log.warning("The contribution of %s cannot be opened: %s", subject, error)
            yield subject, error


def _mark(reply: Message, metric: str) -> int:
    """Return an evaluation's mark, WAD; what is no number, or below 0, is worth nothing."""
    metrics = only_metrics(reply.content, finite=False)
    value = metrics.get(metric)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ReportError(
            f"the evaluate function reports {sorted(metrics)}, not {metric!r}; report it, or name another metric with the "
            f"strategy's assessment"
        )
    if not math.isfinite(value) or value < 0:
        return 0
    if value > 1:
        raise ReportError(f"the metric {metric!r} is {value}; a mark is from 0 to 1, so choose a metric that is a share")
    return to_wad(float(value))


__all__ = ["assess", "signed_marks"]
