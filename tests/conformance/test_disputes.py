from flwr_chainfl.crypto import Wallet
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Ledger, RoundStatus
from flwr_chainfl.rewards import split
from tests.federation import BOND, POOL, STAKE, Federation, approve, guest


def _posted(federation: Federation, scores: list[int]) -> None:
    reports = federation.reports()
    federation.commit(1, reports)
    federation.reveal(1, reports)
    federation.task.post_scores(1, federation.result(reports, scores))


def test_a_false_posting_costs_its_bond_and_changes_nobody_s_pay(ledger: Ledger) -> None:
    federation = Federation(ledger).run(rounds=1)
    reports = federation.reports()
    true = federation.scores(reports)
    false = [0, true[1] * 2, *true[2:]]
    _posted(federation, false)
    challenger = guest(ledger, Wallet.derived(7, "challenger"))
    ledger.mint(federation.token, [challenger.chain.wallet.address], BOND)
    approve(challenger, federation.token, federation.task.address, BOND)
    challenger.task(federation.task.address).challenge(1)
    assert federation.task.round(1).status == RoundStatus.CHALLENGED
    federation.publish(1, reports)
    receipt = federation.task.compute_scores(1, federation.result(reports, false))[-1]

    resolved = dict(federation.task.events_of(receipt))["ChallengeResolved"]
    assert resolved["upheld"] is False
    assert resolved["winner"] == challenger.chain.wallet.address
    assert list(resolved["scores"]) == true
    assert federation.task.balance(challenger.chain.wallet.address) == 2 * BOND
    assert federation.task.balance(federation.requester) == 0
    expected = split(POOL + WAD, [max(score, 0) for score in true])  # with what the contrary report is slashed
    assert [federation.task.balance(address) for address in federation.addresses] == expected
    assert federation.conservation().dust == 0


def test_a_true_posting_wins_the_challenger_s_bond(ledger: Ledger) -> None:
    federation = Federation(ledger).run(rounds=1)
    reports = federation.reports()
    true = federation.scores(reports)
    _posted(federation, true)
    challenger = guest(ledger, Wallet.derived(7, "challenger"))
    ledger.mint(federation.token, [challenger.chain.wallet.address], BOND)
    approve(challenger, federation.token, federation.task.address, BOND)
    challenger.task(federation.task.address).challenge(1)
    federation.publish(1, reports)
    federation.task.compute_scores(1, federation.result(reports, true))
    assert federation.task.balance(federation.requester) == 2 * BOND
    assert federation.task.balance(challenger.chain.wallet.address) == 0
    assert federation.conservation().dust == 0


def test_a_report_that_is_not_published_in_time_scores_0(ledger: Ledger) -> None:
    federation = Federation(ledger).run(rounds=1)
    reports = federation.reports()
    true = federation.scores(reports)
    _posted(federation, true)
    federation.task.challenge(1)
    published = {address: reports[address] for address in federation.addresses[1:]}
    federation.publish(1, published)
    federation.pass_deadline(1, "settle")
    receipt = federation.task.compute_scores(1, federation.result(reports, true))[-1]
    resolved = dict(federation.task.events_of(receipt))["ChallengeResolved"]
    assert list(resolved["scores"]) == [0, *federation.scores(published)]


def test_a_missing_reveal_is_slashed_once_and_the_slash_is_paid_to_the_others(ledger: Ledger) -> None:
    federation = Federation(ledger).run(rounds=1)
    reports = federation.reports()
    missing = federation.addresses[0]
    others = {address: report for address, report in reports.items() if address != missing}
    federation.commit(1, reports)
    federation.reveal(1, others)
    federation.pass_deadline(1, "reveal")
    for _ in range(2):
        federation.task.slash_missing(1, federation.addresses)
    assert federation.task.member(missing).stake == STAKE - STAKE // 10
    assert (federation.task.round(1).budget, federation.task.round(1).forfeits) == (POOL, STAKE // 10)
    federation.pay(1, others)
    assert federation.task.balance(missing) == 0
    assert sum(federation.task.balance(address) for address in others) == POOL + STAKE // 10 + WAD
    assert federation.conservation().dust == 0
    assert federation.conservation().slashed == STAKE // 10 + WAD
