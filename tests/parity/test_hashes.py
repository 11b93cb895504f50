from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.crypto import commitment, keccak256, payload_hash
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Ledger, Reveal
from tests.federation import Federation

WORDS = st.binary(min_size=32, max_size=32)


@pytest.fixture(scope="module")
def federation(ledger: Ledger) -> Federation:
    """Round 1 is challenged, so that reports can be published; all have committed in round 2 and not revealed."""
    federation = Federation(ledger, participants=3).run()
    reports = federation.reports()
    federation.commit(1, reports)
    federation.reveal(1, reports)
    federation.task.post_scores(1, federation.result(reports))
    federation.task.challenge(1)
    federation.task.next_round()
    federation.commit(2, reports)
    return federation


def _refusal(federation: Federation, method: str, *arguments: Any) -> ContractError:
    with pytest.raises(ContractError) as refusal:
        getattr(federation.task, method)(*arguments)
    return refusal.value


@settings(max_examples=60)
@given(st.integers(0, 2), WORDS, st.binary(max_size=40), WORDS)
def test_a_commitment_hashes_alike_on_chain(
    federation: Federation, index: int, content_digest: bytes, report: bytes, salt: bytes
) -> None:
    participant = federation.addresses[index]
    opening = Reveal(
        participant=participant, content_digest=content_digest, report_hash=keccak256(report), salt=salt
    )
    refusal = _refusal(federation, "reveal", 2, [opening])
    expected = commitment(
        chain_id=federation.ledger.chain.chain_id, task=federation.task.address, round_number=2,
        participant=participant, payload=payload_hash(content_digest, report), salt=salt,
    )
    assert refusal.name == "CommitmentMismatch"
    assert refusal.arguments["commitment"] == expected


@settings(max_examples=60)
@given(WORDS, st.binary(max_size=40), WORDS)
def test_a_published_report_hashes_alike_on_chain(
    federation: Federation, content_digest: bytes, report: bytes, salt: bytes
) -> None:
    participant = federation.addresses[0]
    refusal = _refusal(federation, "publish_report", 1, participant, content_digest, report, salt)
    assert refusal.name == "CommitmentMismatch"
    assert refusal.arguments["commitment"] == commitment(
        chain_id=federation.ledger.chain.chain_id, task=federation.task.address, round_number=1,
        participant=participant, payload=payload_hash(content_digest, report), salt=salt,
    )
