from dataclasses import replace

import pytest

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ParticipationError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Ledger, RoundStatus, TaskStatus
from flwr_chainfl.rewards import split
from tests.federation import BOND, POOL, SAMPLES, STAKE, Federation, approve, guest


def test_a_deployed_task_is_the_requester_s_and_empty(ledger: Ledger) -> None:
    federation = Federation(ledger)
    task = ledger.task(federation.task.address)
    assert task.requester == ledger.chain.wallet.address
    assert task.token == federation.token
    assert (task.status, task.pool, task.round_number, task.members()) == (TaskStatus.CREATED, 0, 0, [])


def test_a_round_runs_from_signed_requests_to_tokens_in_wallets(ledger: Ledger) -> None:
    federation = Federation(ledger).run(rounds=2)
    task, reports = federation.task, federation.reports()
    assert (task.status, task.round_number, task.pool) == (TaskStatus.RUNNING, 1, POOL // 2)
    assert task.members() == federation.addresses
    assert task.member(federation.addresses[0]).stake == STAKE
    assert task.member(federation.addresses[0]).samples == SAMPLES

    federation.commit(1, reports)
    federation.reveal(1, reports)
    opened = task.round(1)
    assert (opened.selected, opened.committed, opened.revealed) == (4, 4, 4)
    assert (opened.budget, opened.status) == (POOL // 2, RoundStatus.OPEN)

    scores = federation.pay(1, reports)
    assert scores[-1] == -WAD < 0 < min(scores[:3])
    slashed = WAD  # 1 token for each 1.0 of negative score
    expected = split(POOL // 2 + slashed, [max(score, 0) for score in scores])
    assert [task.balance(address) for address in federation.addresses] == expected
    assert task.member(federation.addresses[-1]).stake == STAKE - slashed
    assert (task.round(1).status, task.final_rounds) == (RoundStatus.PAID, 1)

    task.complete()
    task.withdraw([*federation.addresses, federation.requester])
    stakes = [STAKE, STAKE, STAKE, STAKE - slashed]
    assert federation.tokens(federation.addresses) == [a + b for a, b in zip(expected, stakes, strict=True)]
    assert task.status == TaskStatus.COMPLETED
    assert federation.tokens([federation.requester, task.address]) == [POOL // 2 + 10 * BOND, 0]


def test_nothing_vanishes_at_any_step(ledger: Ledger) -> None:
    federation = Federation(ledger)
    reports = federation.reports()
    task = federation.task
    left_out = {address: report for address, report in reports.items() if address != federation.addresses[0]}
    steps = [
        lambda: federation.run(rounds=3),
        lambda: federation.commit(1, reports),
        lambda: federation.reveal(1, left_out),
        lambda: federation.pass_deadline(1, "reveal"),
        lambda: task.slash_missing(1, federation.addresses),
        lambda: federation.pay(1, left_out),  # the bond comes from an allowance
        lambda: task.withdraw(federation.addresses),
        lambda: task.next_round([2, 3, 4]),
        lambda: federation.commit(2, left_out),
        lambda: federation.reveal(2, left_out),
        lambda: federation.pay(2, left_out),  # the bond comes from a balance
        lambda: task.extend(rounds=1, pool=BOND),
        lambda: task.next_round(),
        lambda: federation.pass_deadline(3, "settle"),
        lambda: task.void_round(3),
        lambda: task.complete(),
        lambda: task.withdraw([*federation.addresses, federation.requester]),
        lambda: task.withdraw([*federation.addresses, federation.requester]),
    ]
    for step in steps:
        step()
        assert federation.conservation().dust == 0
    totals = federation.conservation()
    assert totals.deposited == POOL + 4 * STAKE + 2 * BOND
    assert (totals.locked, totals.slashed) == (0, STAKE // 10 + 2 * WAD)  # two contrary reports
    assert totals.withdrawn == sum(federation.tokens(federation.addresses))


def test_two_withdrawals_pay_once(ledger: Ledger) -> None:
    federation = Federation(ledger).open()
    federation.task.join_for(federation.join_request(wallet) for wallet in federation.wallets)
    federation.task.complete()
    federation.task.withdraw(federation.addresses * 2)
    federation.task.withdraw(federation.addresses)
    assert federation.tokens(federation.addresses) == [STAKE] * 4


def test_members_join_commit_and_leave_by_themselves(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=1)
    alone = guest(ledger, Wallet.derived(7, "alone"))
    mine = alone.chain.wallet
    ledger.mint(federation.token, [mine.address], STAKE)
    task = alone.task(federation.task.address)
    approve(alone, federation.token, task.address, STAKE)
    federation.open()
    task.join(stake=STAKE, samples=3)
    federation.task.start()
    federation.task.next_round()
    report = federation.reports()[federation.addresses[0]]
    task.commit(1, federation.commitment(mine, 1, report))
    opening = federation.reveal_of(mine, 1, report)
    task.reveal_report(1, mine.address, opening.content_digest, report, opening.salt)
    federation.pay(1, {mine.address: report})
    task.leave()
    task.withdraw([mine.address])
    assert federation.tokens([mine.address]) == [STAKE]
    assert federation.conservation().dust == 0


def test_a_round_is_for_the_selected_positions(ledger: Ledger) -> None:
    federation = Federation(ledger).open()
    federation.task.join_for(federation.join_request(wallet) for wallet in federation.wallets)
    federation.task.start()
    for wrong, named in (([0, 1], "position 0"), ([], "no position")):
        with pytest.raises(ParticipationError, match=named):
            federation.task.next_round(wrong)
    federation.task.next_round([1, 3])
    assert federation.task.round(1).selected == 2


def test_events_tell_the_history_in_order(ledger: Ledger) -> None:
    federation = Federation(ledger, participants=3).run(rounds=1)
    reports = federation.reports()
    federation.commit(1, reports)
    federation.reveal(1, reports)
    scores = federation.pay(1, reports)
    events = federation.task.events()
    names = [name for name, _ in events]
    assert names == [
        "TaskInitialized", *["ParticipantJoined"] * 3, "TaskStarted", "RoundOpened", *["Committed"] * 3, *["Revealed"] * 3,
        "ScoresPosted", "BondDeposited", *["Receipt"] * 3, "RoundPaid",
    ]
    posted = dict(events)["ScoresPosted"]
    assert posted["participants"] == tuple(federation.addresses)
    assert posted["scores"] == tuple(scores)
    receipts = [arguments for name, arguments in events if name == "Receipt"]
    assert [receipt["participant"] for receipt in receipts] == federation.addresses
    assert receipts[0]["formula"].rstrip(b"\0") == b"PeerTruthSerum/1"
    wallet = federation.wallets[0]
    assert receipts[0]["commitment"] == federation.commitment(wallet, 1, reports[wallet.address])


def test_a_receipt_carries_the_events_of_its_transaction_only(ledger: Ledger) -> None:
    federation = Federation(ledger).open()
    receipt = federation.task.join_for([federation.join_request(federation.wallets[1], samples=9)])
    assert federation.task.events_of(receipt) == [
        ("ParticipantJoined", {"participant": federation.addresses[1], "stake": STAKE, "samples": 9})
    ]
    assert receipt.gas_used > 21_000


def test_the_digest_changes_with_every_event_and_with_nothing_else(ledger: Ledger) -> None:
    federation = Federation(ledger)
    digests = [federation.task.digest()]
    federation.open()
    digests.append(federation.task.digest())
    federation.task.join_for([federation.join_request(federation.wallets[0])])
    digests.append(federation.task.digest())
    assert len(set(digests)) == 3
    federation.task.withdraw([federation.addresses[0]])  # nothing to send, no event
    assert ledger.task(federation.task.address, from_block=federation.task.from_block).digest() == digests[-1]


def test_a_relay_may_send_what_is_there_already(ledger: Ledger) -> None:
    federation = Federation(ledger).run()
    reports = federation.reports()
    federation.task.join_for([replace(federation.join_request(federation.wallets[0]), stake=0)])
    federation.commit(1, reports)
    federation.commit(1, reports)
    federation.reveal(1, reports)
    federation.reveal(1, reports)
    assert (federation.task.round(1).committed, federation.task.round(1).revealed) == (4, 4)
    assert federation.task.member(federation.addresses[0]).stake == STAKE


def test_the_ledger_tells_the_time_of_its_next_block(ledger: Ledger) -> None:
    before = ledger.chain.now()
    ledger.chain.advance_past(before)
    assert ledger.chain.now() > before
