"""What a client contributed, as the server received and checked it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from flwr.app import ConfigRecord, Message

from flwr_chainfl.crypto import (
    Signature,
    TypedData,
    commitment,
    keccak256,
    payload_hash,
    recover,
    task_domain,
)
from flwr_chainfl.errors import CommitmentError, ReportError, SignatureError
from flwr_chainfl.ledger import CommitRequest, JoinRequest, Reveal
from flwr_chainfl.messages import NUM_EXAMPLES, REFERENCE_NONE, REPLY_RECORD, RoundTerms, only_metrics
from flwr_chainfl.storage import digest

Kind = TypeVar("Kind", str, bytes, int)

_LONGEST_INVITATION = 1024  # a proof of 32 siblings, for a list of 2^32; the relay pays for each byte


@dataclass(kw_only=True)
class Contribution:
    """One client's contribution to a round.

    node: Flower node id; round_number: the ledger's; address: checksummed; samples: local examples; join: the wish to
    join, None of a member; salt: 32 bytes, empty until revealed; sent, reference: what the reveal brought, and what it is coded against; content, cid, report: what was exchanged in
    the stored form, its address and its scored part, empty until known; evidence: what a report that is a hash is of; notes:
    what the run record should tell, kind and text
    """

    node: int
    round_number: int
    address: str
    samples: int
    commit: CommitRequest
    join: JoinRequest | None
    reply: Message
    salt: bytes = b""
    sent: bytes = b""
    reference: str = REFERENCE_NONE
    content: bytes = b""
    cid: str = ""
    report: bytes = b""
    evidence: bytes = b""
    notes: list[tuple[str, str]] = field(default_factory=list)

    def opening(self, terms: RoundTerms) -> Reveal:
        """Return the reveal for the ledger.

        Raises CommitmentError when what was revealed is not what was committed.
        """
        content_digest = digest(self.cid)
        expected = commitment(
            chain_id=terms.chain_id,
            task=terms.task,
            round_number=terms.round_number,
            participant=self.address,
            payload=payload_hash(content_digest, self.report),
            salt=self.salt,
        )
        if expected != self.commit.commitment:
            raise CommitmentError(
                f"{self.address} committed to 0x{self.commit.commitment.hex()} and revealed what hashes to "
                f"0x{expected.hex()}; reveal exactly what was committed"
            )
        return Reveal(
            participant=self.address,
            content_digest=content_digest,
            report_hash=keccak256(self.report),
            salt=self.salt,
        )


def read_contribution(reply: Message, terms: RoundTerms, *, run_id: int, member: str) -> Contribution:
    """Read a train reply and check its signatures.

    member: the address that the node is bound to as a member, empty for none; any other asks to join

    Raises ReportError for a missing or mistyped field, SignatureError when another key signed.
    """
    record = reply.content.config_records.get(REPLY_RECORD)
    if record is None:
        raise ReportError(
            f"the reply carries no {REPLY_RECORD!r} record; use ChainClientApp in place of ClientApp on the client"
        )
    samples = only_metrics(reply.content)[NUM_EXAMPLES]
    assert isinstance(samples, (int, float))
    if samples >= 2**63:
        raise ReportError(f"the reply's metric {NUM_EXAMPLES!r} is {samples}; it must be below 2^63")
    node = reply.metadata.src_node_id
    address = read_field(record, "address", str)
    domain = task_domain(terms.chain_id, terms.task)
    committed = read_field(record, "commitment", bytes)
    if len(committed) != 32:
        raise ReportError(f"the reply's commitment has {len(committed)} bytes; 32 are needed")
    commit = CommitRequest(
        participant=address,
        commitment=committed,
        signature=Signature.from_bytes(read_field(record, "signature", bytes)),
    )
    statement = {"participant": address, "round": terms.round_number, "commitment": committed}
    check_signed(TypedData(domain=domain, primary="Commit", message=statement), commit.signature, address)
    if address != member:
        binding = {"participant": address, "node": node % 2**64, "run": run_id % 2**64}
        check_signed(
            TypedData(domain=domain, primary="NodeBinding", message=binding),
            Signature.from_bytes(read_field(record, "node-signature", bytes)),
            address,
        )
    salt, sent, reference = record.get("salt"), record.get("content"), record.get("reference")
    return Contribution(
        node=node,
        round_number=terms.round_number,
        address=address,
        samples=int(samples),
        commit=commit,
        join=read_join(reply, terms, address) if address != member else None,
        reply=reply,
        salt=salt if isinstance(salt, bytes) else b"",
        sent=sent if isinstance(sent, bytes) else b"",
        reference=reference if isinstance(reference, str) else REFERENCE_NONE,
    )


def read_join(reply: Message, terms: RoundTerms, address: str) -> JoinRequest:
    """Read the wish to join out of a reply and check its signature.

    Raises ReportError for a missing or mistyped field, SignatureError when another key signed.
    """
    record = reply.content.config_records.get(REPLY_RECORD, ConfigRecord())
    stake = read_field(record, "stake", str)
    if not stake.isdecimal() or int(stake) >= 2**96:
        raise ReportError(f"the reply's stake is {stake!r}; a number of token units below 2^96 is needed")
    samples = read_field(record, "samples", int)
    if samples < 0:
        raise ReportError(f"the reply declares {samples} samples; 0 or more are needed")
    invitation = read_field(record, "invitation", bytes)
    if len(invitation) > _LONGEST_INVITATION:
        raise ReportError(f"the reply's invitation has {len(invitation)} bytes; {_LONGEST_INVITATION} or fewer are possible")
    join = JoinRequest(
        participant=address,
        stake=int(stake),
        samples=samples,
        deadline=terms.deadline,
        signature=Signature.from_bytes(read_field(record, "join-signature", bytes)),
        permit=Signature.from_bytes(read_field(record, "permit-signature", bytes)),
        proof=invitation,
    )
    wish = {
        "participant": address,
        "stake": join.stake,
        "samples": samples,
        "departures": 0,
        "deadline": terms.deadline,
    }
    check_signed(TypedData(domain=task_domain(terms.chain_id, terms.task), primary="Join", message=wish), join.signature, address)
    return join


def read_reveal(reply: Message, contribution: Contribution, terms: RoundTerms) -> None:
    """Add the salt and what a reveal reply brings to its contribution.

    Raises ReportError for a missing or mistyped field, or a reveal of another round.
    """
    record = reply.content.config_records.get(REPLY_RECORD)
    if record is None:
        raise ReportError(f"the reveal carries no {REPLY_RECORD!r} record; use ChainClientApp on the client")
    if read_field(record, "round", int) != terms.round_number:
        raise ReportError(f"the reveal is of round {record['round']!r}, not {terms.round_number}; the client missed a round")
    contribution.salt = read_field(record, "salt", bytes)
    if len(contribution.salt) != 32:
        raise ReportError(f"the reveal's salt has {len(contribution.salt)} bytes; 32 are needed")
    contribution.sent = read_field(record, "content", bytes)
    contribution.reference = read_field(record, "reference", str)


def check_signed(statement: TypedData, signature: Signature, address: str) -> None:
    """Check who signed a statement; raises SignatureError when it was not `address`."""
    signer = recover(statement, signature)
    if signer != address:
        raise SignatureError(
            f"the {statement.primary} statement of {address} is signed by {signer}; sign with the participant's own key"
        )


def read_record(reply: Message) -> ConfigRecord:
    """Return what a reply says besides Flower's own; raises ReportError when it says nothing."""
    record = reply.content.config_records.get(REPLY_RECORD)
    if record is None:
        raise ReportError(f"the reply carries no {REPLY_RECORD!r} record; use ChainClientApp on the client")
    return record


def read_field(record: ConfigRecord, key: str, kind: type[Kind]) -> Kind:
    """Return a field of a reply; raises ReportError when it is missing or mistyped."""
    value = record.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ReportError(f"the reply's field {key!r} is {type(value).__name__}; {kind.__name__} is needed")
    return value
