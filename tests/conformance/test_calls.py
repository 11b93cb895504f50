import json

import pytest

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Ledger
from tests.federation import Federation, guest


def _federation(ledger: Ledger) -> Federation:
    federation = Federation(ledger, participants=3)
    federation.open(rounds=1)
    return federation


def test_many_calls_give_what_each_gives_in_their_order(ledger: Ledger) -> None:
    federation = _federation(ledger)
    federation.task.join_for(federation.join_request(wallet) for wallet in federation.wallets)
    strangers = [Wallet.derived(5, f"stranger {i}").address for i in range(201)]
    asked = [strangers[0], *federation.addresses, *strangers[1:]]
    found = federation.task.memberships(asked)
    assert list(found) == asked
    assert [found[address].position for address in asked[:5]] == [0, 1, 2, 3, 0]
    assert all(found[address] == federation.task.member(address) for address in asked[:5])
    assert not any(found[address].position for address in strangers)


def test_many_calls_to_a_node_are_few_requests(anvil_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    federation = _federation(anvil_ledger)
    session = anvil_ledger.chain.web3.provider._request_session_manager
    requests: list[int] = []
    post = session.make_post_request

    def counted(url, data, **options):
        asked = json.loads(data)
        requests.append(len(asked) if isinstance(asked, list) else 1)
        return post(url, data, **options)

    monkeypatch.setattr(session, "make_post_request", counted)
    federation.task.memberships([Wallet.derived(6, f"stranger {i}").address for i in range(201)])
    assert requests == [100, 100, 1]


def test_a_node_that_takes_no_batches_is_asked_one_by_one_from_then_on(
    anvil_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="flwr")
    federation = _federation(anvil_ledger)
    monkeypatch.setattr(anvil_ledger.chain, "_takes_batches", True)
    session = anvil_ledger.chain.web3.provider._request_session_manager
    post, batches = session.make_post_request, []

    def without_batches(url, data, **options):
        if isinstance(json.loads(data), list):
            batches.append(data)
            return b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "batches are off"}}'
        return post(url, data, **options)

    monkeypatch.setattr(session, "make_post_request", without_batches)
    for _ in range(2):
        assert [member.position for member in federation.task.memberships(federation.addresses).values()] == [0, 0, 0]
    assert len(batches) == 1
    assert "takes no batches of requests" in caplog.text


def test_a_refusal_among_many_calls_is_named(ledger: Ledger) -> None:
    contract = _federation(ledger).task._contract
    with pytest.raises(ContractError, match="FederatedTask refused startTask: TooFewMembers"):
        contract.views("startTask", [(), ()])


def test_a_call_after_a_transaction_sees_what_it_changed(ledger: Ledger) -> None:
    federation = _federation(ledger)
    (first, *_), task = federation.addresses, federation.task
    assert [task.member(first).position for _ in range(2)] == [0, 0]
    task.join_for([federation.join_request(federation.wallets[0])])
    assert task.member(first).position == 1


def test_what_was_called_before_is_not_asked_again_until_the_embedded_chain_changes(
    embedded: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation, chain = _federation(embedded), embedded.chain
    (first, *_), task = federation.addresses, federation.task
    asked: list[str] = []
    call = chain._tester.call
    monkeypatch.setattr(chain._tester, "call", lambda request, block: asked.append(block) or call(request, block))
    block = chain.height()
    for _ in range(3):
        task.member(first)
        task._contract.view("memberOf", first, block=block)
    assert asked == ["latest"]
    chain.advance_past(chain.now() + 5)
    assert task.member(first).position == 0
    assert asked == ["latest", "latest"]
    task.join_for([federation.join_request(federation.wallets[0])])
    asked.clear()
    assert task.member(first).position == 1
    assert task._contract.view("memberOf", first, block=block)[0][0] == 0
    assert asked == ["latest", block]
    with pytest.raises(ContractError, match="NotRequester"):
        guest(embedded, federation.wallets[0]).task(task.address)._contract.view("startTask")
    task._contract.view("startTask")
