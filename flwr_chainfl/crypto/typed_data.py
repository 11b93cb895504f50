"""What participants sign: EIP-712 typed data, and the permit of ERC-2612."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data

from flwr_chainfl.errors import SignatureError

_TYPES: dict[str, list[dict[str, str]]] = {
    "Join": [
        {"name": "participant", "type": "address"},
        {"name": "stake", "type": "uint256"},
        {"name": "samples", "type": "uint64"},
        {"name": "departures", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ],
    "Commit": [
        {"name": "participant", "type": "address"},
        {"name": "round", "type": "uint32"},
        {"name": "commitment", "type": "bytes32"},
    ],
    "Score": [
        {"name": "participant", "type": "address"},
        {"name": "round", "type": "uint32"},
        {"name": "subjects", "type": "address[]"},
        {"name": "scores", "type": "uint256[]"},
    ],
    "Seal": [
        {"name": "participant", "type": "address"},
        {"name": "round", "type": "uint32"},
        {"name": "aggregate", "type": "bytes32"},
    ],
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ],
    "Invitation": [
        {"name": "purpose", "type": "string"},
        {"name": "task", "type": "address"},
        {"name": "participant", "type": "address"},
        {"name": "departures", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ],
    "Key": [
        {"name": "participant", "type": "address"},
        {"name": "keyId", "type": "bytes32"},
    ],
    "Decoder": [
        {"name": "participant", "type": "address"},
        {"name": "decoder", "type": "bytes32"},
        {"name": "histogram", "type": "uint256[]"},
    ],
    "NodeBinding": [
        {"name": "participant", "type": "address"},
        {"name": "node", "type": "uint64"},
        {"name": "run", "type": "uint64"},
    ],
}


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The contract that a signature is for; a signature for one contract and chain holds nowhere else.

    contract: checksummed address; None for a statement that is made before its contract is deployed
    """

    name: str
    version: str
    chain_id: int
    contract: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the EIP-712 domain."""
        domain: dict[str, Any] = {"name": self.name, "version": self.version, "chainId": self.chain_id}
        if self.contract is not None:
            domain["verifyingContract"] = self.contract
        return domain


@dataclass(frozen=True, kw_only=True)
class TypedData:
    """One statement that can be signed.

    primary: ``Join``, ``Commit``, ``Score``, ``Seal``, ``Key``, ``Permit``, ``Invitation``, ``Decoder`` or ``NodeBinding``
    """

    domain: Domain
    primary: str
    message: Mapping[str, Any]

    def signable(self) -> SignableMessage:
        """Return the statement in the form that eth-account signs."""
        return encode_typed_data(
            self.domain.as_dict(), {self.primary: _TYPES[self.primary]}, dict(self.message)
        )


def decoder_statement(domain: Domain, *, participant: str, decoder: bytes, histogram: Sequence[int]) -> TypedData:
    """Return what a participant signs of the decoder that it publishes: that it and the histogram are its own.

    domain: of the task; participant: checksummed address; decoder: 32 bytes, the digest in its content address; histogram:
    samples of each class, 0 or more

    Source: docs/protocols/soft-label.md, "Public set".
    """
    message = {"participant": participant, "decoder": decoder, "histogram": list(histogram)}
    return TypedData(domain=domain, primary="Decoder", message=message)


@dataclass(frozen=True)
class Signature:
    """A signature in its 64-byte form (EIP-2098): r, and s with the parity in its highest bit."""

    r: bytes
    vs: bytes

    @classmethod
    def from_parts(cls, r: int, s: int, v: int) -> Signature:
        """Build from the three numbers of a signature, v being 27 or 28."""
        return cls(r.to_bytes(32, "big"), (s | (v - 27) << 255).to_bytes(32, "big"))

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        """Build from 64 bytes; raises SignatureError for another length."""
        if len(data) != 64:
            raise SignatureError(f"signature has {len(data)} bytes; the compact form of EIP-2098 has 64")
        return cls(data[:32], data[32:])

    def to_bytes(self) -> bytes:
        """Return the 64 bytes."""
        return self.r + self.vs

    def vrs(self) -> tuple[int, int, int]:
        """Return v (27 or 28), r and s."""
        vs = int.from_bytes(self.vs, "big")
        return 27 + (vs >> 255), int.from_bytes(self.r, "big"), vs & ((1 << 255) - 1)


def recover(statement: TypedData, signature: Signature) -> str:
    """Return the checksummed address that signed a statement.

    Raises SignatureError when the bytes are no signature at all.
    """
    try:
        return str(Account.recover_message(statement.signable(), vrs=signature.vrs()))
    except Exception as error:  # eth-account's backends raise types of their own
        raise SignatureError(
            f"the {statement.primary} signature is malformed ({error}); sign it again"
        ) from error
