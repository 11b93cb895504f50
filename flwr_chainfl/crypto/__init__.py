"""Commitments, typed signatures, wallets, and envelopes that only named recipients open."""

from flwr_chainfl.crypto.commitment import calibration_commitment, commitment, keccak256, payload_hash
from flwr_chainfl.crypto.domains import address_order, key_domain, task_domain
from flwr_chainfl.crypto.encryption_key import SCHEMES, EncryptionKey, PublicKey
from flwr_chainfl.crypto.envelope import (
    EnvelopeContext,
    envelope_readers,
    seal,
    seal_bytes,
    unseal,
    unseal_bytes,
)
from flwr_chainfl.crypto.key_file import PASSWORD_VARIABLE
from flwr_chainfl.crypto.randomness import round_seed, salts_entropy
from flwr_chainfl.crypto.typed_data import Domain, Signature, TypedData, decoder_statement, recover
from flwr_chainfl.crypto.vector_tree import VectorTree, unit_chain, vector_root
from flwr_chainfl.crypto.wallet import Wallet

__all__ = [
    "PASSWORD_VARIABLE",
    "SCHEMES",
    "Domain",
    "EncryptionKey",
    "EnvelopeContext",
    "PublicKey",
    "Signature",
    "TypedData",
    "VectorTree",
    "Wallet",
    "address_order",
    "calibration_commitment",
    "commitment",
    "decoder_statement",
    "envelope_readers",
    "keccak256",
    "key_domain",
    "payload_hash",
    "recover",
    "round_seed",
    "salts_entropy",
    "seal",
    "seal_bytes",
    "task_domain",
    "unit_chain",
    "unseal",
    "unseal_bytes",
    "vector_root",
]
