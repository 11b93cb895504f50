"""Commitments, typed signatures and wallets."""

from flwr_chainfl.crypto.commitment import calibration_commitment, commitment, keccak256, payload_hash
from flwr_chainfl.crypto.randomness import round_seed, salts_entropy
from flwr_chainfl.crypto.typed_data import Domain, Signature, TypedData, recover
from flwr_chainfl.crypto.wallet import PASSWORD_VARIABLE, Wallet

__all__ = [
    "PASSWORD_VARIABLE",
    "Domain",
    "Signature",
    "TypedData",
    "Wallet",
    "calibration_commitment",
    "commitment",
    "keccak256",
    "payload_hash",
    "recover",
    "round_seed",
    "salts_entropy",
]
