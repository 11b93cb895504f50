from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flwr_chainfl.crypto import Wallet, round_seed, salts_entropy
from flwr_chainfl.errors import ContractError, LedgerError
from flwr_chainfl.ledger import Ledger, Randomness, RoundStatus
from flwr_chainfl.serverapp.relay import Relay
from tests.chainlink import Coordinator
from tests.federation import Federation, guest, pass_deadline


def _refusal(call: Callable[[], Any]) -> ContractError:
    with pytest.raises(ContractError) as refusal:
        call()
    return refusal.value


@pytest.fixture
def coordinator(ledger: Ledger) -> Coordinator:
    return Coordinator(ledger)


def _revealed(ledger: Ledger, source: Randomness) -> Federation:
    """Return a task whose first round waits for its word."""
    federation = Federation(ledger, participants=3, randomness=source.address).run()
    source.authorise(federation.task.address)
    reports = federation.reports()
    federation.commit(1, reports)
    federation.reveal(1, reports)
    return federation


def test_a_round_is_scored_with_salts_and_word_once_the_word_is_there(ledger: Ledger, coordinator: Coordinator) -> None:
    source = coordinator.source()
    federation = _revealed(ledger, source)
    task, result = federation.task, federation.result(federation.reports())
    refusal = _refusal(lambda: task.post_scores(1, result))
    assert (refusal.name, refusal.arguments) == ("WordMissing", {"task": task.address.lower(), "round": 1})
    assert str(refusal).endswith("; ask the source of randomness for the round's word, and wait for it")
    assert _refusal(lambda: task.seed(1)).name == "WordMissing"
    anybody = guest(ledger, Wallet.derived(8, "anybody")).randomness(source.address)
    anybody.request(task.address, 1)
    assert source.is_requested(task.address, 1)
    assert source.word(task.address, 1) is None
    (word,) = coordinator.answer()
    assert source.word(task.address, 1) == word.to_bytes(32, "big")
    entropy = salts_entropy({w.address: federation.salt(w, 1) for w in federation.wallets})
    assert task.seed(1) == round_seed(
        chain_id=ledger.chain.chain_id, task=task.address, round_number=1, entropy=entropy, word=word.to_bytes(32, "big")
    )
    federation.pay(1, federation.reports())
    assert task.round(1).status == RoundStatus.PAID


def test_a_word_is_not_asked_for_while_somebody_can_still_reveal(ledger: Ledger, coordinator: Coordinator) -> None:
    source = coordinator.source()
    federation = Federation(ledger, participants=3, randomness=source.address).run()
    source.authorise(federation.task.address)
    federation.commit(1, federation.reports())
    refusal = _refusal(lambda: source.request(federation.task.address, 1))
    assert refusal.name == "RevealsNotOver"
    assert "wait until all have revealed, or for the deadline" in str(refusal)
    stranger = Federation(ledger, participants=1).run()
    assert _refusal(lambda: source.request(stranger.task.address, 1)).name == "NotAuthorised"
    outsider = guest(ledger, Wallet.derived(8, "outsider")).randomness(source.address)
    assert _refusal(lambda: outsider.authorise(stranger.task.address)).name == "NotOwner"


@pytest.fixture
def answering(ledger: Ledger, coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the coordinator answer between the first and the second time that the relay looks."""
    wait = ledger.chain.wait_for

    def answer_and_wait(ready: Callable[[], bool], *, until: int) -> bool:
        assert not ready()
        coordinator.answer()
        return wait(ready, until=until)

    monkeypatch.setattr(ledger.chain, "wait_for", answer_and_wait)


@pytest.mark.usefixtures("answering")
def test_the_relay_asks_and_goes_on_when_the_word_is_there(ledger: Ledger, coordinator: Coordinator) -> None:
    federation = _revealed(ledger, coordinator.source())
    relay = Relay(ledger, federation.task, token=federation.token)
    assert relay.seed(1) == federation.task.seed(1)
    assert relay.take_gas()["request"] > 0


@pytest.mark.parametrize("is_consumer", [True, False])
def test_a_word_that_never_comes_leaves_the_round_void_and_no_money_behind(
    ledger: Ledger, coordinator: Coordinator, is_consumer: bool
) -> None:
    federation = _revealed(ledger, coordinator.source(is_consumer=is_consumer))
    relay = Relay(ledger, federation.task, token=federation.token)
    if ledger.chain.url != "embedded":
        pass_deadline(ledger, federation.task.round(1).settle_deadline)
    assert relay.seed(1) is None
    relay.void(1)
    assert federation.task.round(1).status == RoundStatus.VOID
    federation.task.complete()
    federation.task.withdraw([*federation.addresses, federation.requester])
    totals = federation.conservation()
    assert (totals.locked, totals.dust) == (0, 0)


def test_the_relay_gives_a_revealed_round_up_as_soon_as_the_contract_allows_it(embedded: Ledger) -> None:
    federation = Federation(embedded, participants=3).run()
    reports = federation.reports()
    federation.commit(1, reports)
    federation.reveal(1, reports)
    Relay(embedded, federation.task, token=federation.token).void(1)
    assert federation.task.round(1).status == RoundStatus.VOID


def test_a_coordinator_that_is_not_there_is_named(ledger: Ledger) -> None:
    nobody = Wallet.derived(8, "nobody").address
    with pytest.raises(LedgerError, match=f"no contract at {nobody}"):
        ledger.deploy_vrf(nobody, key_hash=bytes(32), subscription=1)
