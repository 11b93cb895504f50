"""What participants hand to the relay, as the contract takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flwr_chainfl.crypto import Signature


@dataclass(frozen=True, kw_only=True)
class JoinRequest:
    """A signed wish to join.

    participant: checksummed address; stake: token units; samples: local samples declared;
    deadline: seconds since 1970; signature: of ``Join`` (by one that has not left this task before);
    permit: of the token's ``Permit``; proof: what the task's admission asks for
    """

    participant: str
    stake: int
    samples: int
    deadline: int
    signature: Signature
    permit: Signature
    proof: bytes = b""

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the contract's struct."""
        return (
            self.participant,
            self.stake,
            self.samples,
            self.deadline,
            (self.signature.r, self.signature.vs),
            (self.permit.r, self.permit.vs),
            self.proof,
        )


@dataclass(frozen=True, kw_only=True)
class CommitRequest:
    """A signed commitment.

    participant: checksummed address; commitment: 32 bytes; signature: of ``Commit``
    """

    participant: str
    commitment: bytes
    signature: Signature

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the contract's struct."""
        return (self.participant, self.commitment, (self.signature.r, self.signature.vs))


@dataclass(frozen=True, kw_only=True)
class KeyRequest:
    """A participant's key for sealed contents, as it signed for it.

    participant: checksummed address; key_id: 32 bytes; signature: of ``Key``
    """

    participant: str
    key_id: bytes
    signature: Signature

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the contract's struct."""
        return (self.participant, self.key_id, (self.signature.r, self.signature.vs))


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """What a participant says of a round's contributions.

    participant: checksummed address; subjects: checksummed, ascending, without the participant; the task's own address for
    what the round began with; scores: WAD, 0 to 1, one each; signature: of ``Score``
    """

    participant: str
    subjects: tuple[str, ...]
    scores: tuple[int, ...]
    signature: Signature

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the contract's struct."""
        return (self.participant, list(self.subjects), list(self.scores), (self.signature.r, self.signature.vs))


@dataclass(frozen=True, kw_only=True)
class SealRequest:
    """What a participant attests a round's contributions to add up to.

    participant: checksummed address; aggregate: 32 bytes; signature: of ``Seal``
    """

    participant: str
    aggregate: bytes
    signature: Signature

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the contract's struct."""
        return (self.participant, self.aggregate, (self.signature.r, self.signature.vs))


@dataclass(frozen=True, kw_only=True)
class Reveal:
    """The preimage of a commitment.

    participant: checksummed address; content_digest, report_hash, salt: 32 bytes each
    """

    participant: str
    content_digest: bytes
    report_hash: bytes
    salt: bytes

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the contract's struct."""
        return (self.participant, self.content_digest, self.report_hash, self.salt)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a round came to, as it is posted, challenged, computed and paid.

    participants: checksummed, ascending; scores: WAD; qualities: WAD, 0 to 1, one each;
    calibration: the items that the scores were computed with, empty for none
    """

    participants: tuple[str, ...]
    scores: tuple[int, ...]
    qualities: tuple[int, ...]
    calibration: bytes = b""

    def as_arguments(self) -> tuple[Any, ...]:
        """Return the contract's arguments, the calibration last."""
        return (list(self.participants), list(self.scores), list(self.qualities), self.calibration)
