"""Seal a content for those that are to read it, and hand out the key that others seal for."""

from __future__ import annotations

import time

from flwr.app import ConfigRecord, RecordDict

from flwr_chainfl.crypto import (
    EncryptionKey,
    EnvelopeContext,
    PublicKey,
    Signature,
    TypedData,
    Wallet,
    key_domain,
    recover,
    seal_bytes,
)
from flwr_chainfl.errors import SignatureError
from flwr_chainfl.messages import REPLY_RECORD, EnvelopeTerms, RoundTerms


def offer_key(wallet: Wallet, key: EncryptionKey, terms: RoundTerms, envelopes: EnvelopeTerms) -> RecordDict:
    """Return the public key, signed for the registry that it is to be entered in."""
    statement = {"participant": wallet.address, "keyId": key.public.key_id}
    domain = key_domain(terms.chain_id, envelopes.registry)
    record = ConfigRecord(
        {
            "address": wallet.address,
            "key": key.public.to_bytes(),
            "signature": wallet.sign(TypedData(domain=domain, primary="Key", message=statement)).to_bytes(),
        }
    )
    return RecordDict({REPLY_RECORD: record})


def seal_for_readers(content: bytes, owner: str, terms: RoundTerms, envelopes: EnvelopeTerms) -> tuple[bytes, float]:
    """Return the envelope of a content for the readers that the server names, and the seconds that it took.

    A key that its owner has not signed for is refused, so that the server cannot put one of its own in a reader's place.
    Who the readers are is the server's word; it is in the envelope for everybody to see, and what an audit checks.

    Raises SignatureError, EncryptionKeyError, ConfigError.
    """
    began = time.perf_counter()
    domain = key_domain(terms.chain_id, envelopes.registry)
    recipients = []
    for reader, encoded, signature in zip(envelopes.readers, envelopes.keys, envelopes.signatures, strict=True):
        key = PublicKey.from_bytes(encoded)
        statement = TypedData(domain=domain, primary="Key", message={"participant": reader, "keyId": key.key_id})
        signer = recover(statement, Signature.from_bytes(signature))
        if signer != reader:
            raise SignatureError(f"the key of {reader} is signed by {signer}; the server has to hand on what {reader} signed")
        recipients.append(key)
    context = EnvelopeContext(chain_id=terms.chain_id, task=terms.task, round_number=terms.round_number, owner=owner)
    return seal_bytes(content, context=context, recipients=recipients), time.perf_counter() - began
