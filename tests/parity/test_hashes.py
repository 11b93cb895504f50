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


def _with_lowest_bit(word: bytes, bit: int) -> bytes:
    return word[:31] + bytes([word[31] & 0xFE | bit])


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
    assert refusal.arguments["commitment"] == _with_lowest_bit(expected, 0)


@settings(max_examples=60)
@given(WORDS, st.binary(max_size=40))
def test_a_payload_hashes_alike_on_chain(federation: Federation, content_digest: bytes, report: bytes) -> None:
    refusal = _refusal(federation, "publish_report", 1, federation.addresses[0], content_digest, report)
    assert refusal.name == "PayloadMismatch"
    assert refusal.arguments["hash"] == _with_lowest_bit(payload_hash(content_digest, report), 1)


def test_a_revealed_submission_is_the_payload_hash_with_its_lowest_bit_set(federation: Federation) -> None:
    wallet, report = federation.wallets[0], federation.reports()[federation.addresses[0]]
    opening = federation.reveal_of(wallet, 1, report)
    expected = payload_hash(opening.content_digest, report)
    assert federation.task.submission(1, wallet.address) == _with_lowest_bit(expected, 1)
    assert federation.task.submission(2, wallet.address) == _with_lowest_bit(
        federation.commitment(wallet, 2, report), 0
    )
