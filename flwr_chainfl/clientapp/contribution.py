"""Commit to a contribution in the train reply; open the commitment when asked."""

from __future__ import annotations

from dataclasses import dataclass

from flwr.app import ConfigRecord, Context, RecordDict

from flwr_chainfl.crypto import Domain, TypedData, Wallet, commitment, payload_hash, task_domain
from flwr_chainfl.errors import CommitmentError
from flwr_chainfl.messages import REFERENCE_NONE, REPLY_RECORD, STATE_RECORD, RoundTerms
from flwr_chainfl.storage import digest


@dataclass(frozen=True)
class Contribution:
    """What a client contributes in a round.

    cid: address of what is exchanged, in the form that is stored; report: the part that is scored;
    samples: local examples behind it; sent: what travels of it with the reveal, empty where the reply carries it
    already; reference: what `sent` is coded against; sealing_seconds: that sealing took
    """

    cid: str
    report: bytes
    samples: int
    sent: bytes
    reference: str = REFERENCE_NONE
    sealing_seconds: float = 0.0


def contribute(
    reply: RecordDict,
    context: Context,
    wallet: Wallet,
    terms: RoundTerms,
    contribution: Contribution,
    *,
    node_id: int,
    stake: int | None,
    invitation: bytes,
    reveal_now: bool,
) -> None:
    """Add commitment and signature to a train reply, for a newcomer also what joining needs; keep what the reveal needs.

    reveal_now: whether the reply carries salt and content, and so opens its own commitment
    """
    participant = wallet.address
    salt = wallet.salt(chain_id=terms.chain_id, task=terms.task, round_number=terms.round_number)
    committed = commitment(
        chain_id=terms.chain_id,
        task=terms.task,
        round_number=terms.round_number,
        participant=participant,
        payload=payload_hash(digest(contribution.cid), contribution.report),
        salt=salt,
    )
    domain = task_domain(terms.chain_id, terms.task)
    statement = {"participant": participant, "round": terms.round_number, "commitment": committed}
    record = ConfigRecord()
    if terms.member != participant:
        record = request_to_join(wallet, terms, samples=contribution.samples, stake=stake, invitation=invitation)
        binding = {"participant": participant, "node": node_id % 2**64, "run": context.run_id % 2**64}
        record["node-signature"] = wallet.sign(
            TypedData(domain=domain, primary="NodeBinding", message=binding)
        ).to_bytes()
    record["address"] = participant
    record["commitment"] = committed
    record["signature"] = wallet.sign(TypedData(domain=domain, primary="Commit", message=statement)).to_bytes()
    record["sealing-seconds"] = contribution.sealing_seconds
    if reveal_now:
        record["salt"] = salt
        if contribution.sent:
            record["content"], record["reference"] = contribution.sent, contribution.reference
    reply[REPLY_RECORD] = record
    context.state[STATE_RECORD] = ConfigRecord(
        {
            "round": terms.round_number,
            "content": contribution.sent,
            "reference": contribution.reference,
            "salt": salt,
            "samples": contribution.samples,
        }
    )


def reveal(context: Context) -> RecordDict:
    """Return the opening of the last commitment.

    Raises CommitmentError when there is none.
    """
    state = context.state.config_records.get(STATE_RECORD)
    if state is None:
        raise CommitmentError("asked to reveal before any commitment; the client was restarted within the round")
    return RecordDict({REPLY_RECORD: ConfigRecord({key: state[key] for key in ("round", "content", "reference", "salt")})})


def request_to_join(
    wallet: Wallet, terms: RoundTerms, *, samples: int, stake: int | None, invitation: bytes
) -> ConfigRecord:
    """Sign the wish to join, and the permit for the stake; the relay uses them while this is no member yet.

    samples: declared local examples; stake: token units, None for the task's minimum;
    invitation: what the task's admission asks for, empty where this participant has nothing to show
    """
    domain = task_domain(terms.chain_id, terms.task)
    amount = int(terms.stake) if stake is None else stake
    join = {
        "participant": wallet.address,
        "stake": amount,
        "samples": samples,
        "departures": 0,
        "deadline": terms.deadline,
    }
    permit = {
        "owner": wallet.address,
        "spender": terms.task,
        "value": amount,
        "nonce": terms.nonce,
        "deadline": terms.deadline,
    }
    token = Domain(
        name=terms.token_name, version=terms.token_version, chain_id=terms.chain_id, contract=terms.token
    )
    return ConfigRecord(
        {
            "stake": str(amount),
            "samples": samples,
            "invitation": invitation,
            "join-signature": wallet.sign(TypedData(domain=domain, primary="Join", message=join)).to_bytes(),
            "permit-signature": wallet.sign(TypedData(domain=token, primary="Permit", message=permit)).to_bytes(),
        }
    )
