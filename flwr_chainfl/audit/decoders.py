"""Who signed the decoders that public inputs were drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from flwr_chainfl.audit.audited_run import AuditedRun
from flwr_chainfl.audit.difference import Difference, differ
from flwr_chainfl.crypto import Signature, decoder_statement, recover
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.storage import digest


def compare_decoders(run: AuditedRun) -> Iterator[Difference]:
    """Check that each decoder is there, and signed with its histogram by its participant for this task; one of each."""
    drawn = run.terms.get("pseudo-public")
    if drawn is None:
        return
    cids, signers, signatures = drawn["decoders"], drawn.get("signers", []), drawn.get("signatures", [])
    if not len(cids) == len(signers) == len(signatures) == len(drawn["histograms"]):
        yield Difference("decoders", f"{len(signatures)} signatures", f"one of each of {len(cids)} decoders")
        return
    for signer, count in Counter(signers).items():
        if count > 1:
            yield Difference(f"decoders of {signer}", f"{count} decoders", "one of each participant")
    for cid, histogram, signer, signature in zip(cids, drawn["histograms"], signers, signatures, strict=True):
        where = f"decoder {cid} of {signer}"
        try:
            statement = decoder_statement(run.task.domain, participant=signer, decoder=digest(cid), histogram=histogram)
            found = recover(statement, Signature.from_bytes(bytes.fromhex(signature)))
            yield from differ(f"{where}, signature", signer, found)
        except (ChainFLError, ValueError, TypeError) as error:
            yield Difference(f"{where}, signature", str(error), "the signature of its participant")
        try:
            run.store.get(cid)
        except ChainFLError as error:
            yield Difference(where, str(error), f"the bytes of {cid}")
