from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Ledger, RoundStatus
from tests.federation import NO_SIGNATURE, POOL, STAKE, Federation, approve, guest

STRANGER = Wallet.derived(8, "stranger")


def _refusal(call: Callable[[], Any]) -> ContractError:
    with pytest.raises(ContractError) as refusal:
        call()
    return refusal.value


@pytest.fixture
def open_task(ledger: Ledger) -> Federation:
    return Federation(ledger).open()


@pytest.fixture
def running(ledger: Ledger) -> Federation:
    return Federation(ledger).run()


def test_too_small_a_stake_is_refused_with_value_bound_and_remedy(open_task: Federation) -> None:
    wish = open_task.join_request(open_task.wallets[0], stake=STAKE - 1)
    refusal = _refusal(lambda: open_task.task.join_for([wish]))
    assert refusal.name == "StakeTooSmall"
    assert refusal.arguments == {
        "participant": open_task.addresses[0].lower(), "stake": STAKE - 1, "minimum": STAKE
    }
    assert str(refusal).startswith("FederatedTask refused joinTaskFor: StakeTooSmall (participant 0x")
    assert str(refusal).endswith(f"stake {STAKE - 1}, minimum {STAKE}); raise the stake or join another task")


def test_joining_twice_is_refused(ledger: Ledger, open_task: Federation) -> None:
    wallet = Wallet.derived(7, "twice")
    own = guest(ledger, wallet)
    ledger.mint(open_task.token, [wallet.address], 2 * STAKE)
    approve(own, open_task.token, open_task.task.address, 2 * STAKE)
    task = own.task(open_task.task.address)
    task.join(stake=STAKE, samples=1)
    refusal = _refusal(lambda: task.join(stake=STAKE, samples=1))
    assert (refusal.name, refusal.arguments) == ("AlreadyJoined", {"participant": wallet.address.lower()})
    assert "a participant joins a task once" in str(refusal)


def test_the_requester_cannot_join(open_task: Federation) -> None:
    refusal = _refusal(lambda: open_task.task.join(stake=STAKE, samples=1))
    assert refusal.name == "RequesterCannotJoin"


def test_a_forged_wish_to_join_is_refused(open_task: Federation) -> None:
    wish = open_task.join_request(open_task.wallets[0], signer=STRANGER)
    refusal = _refusal(lambda: open_task.task.join_for([wish]))
    assert refusal.name == "InvalidSignature"
    assert refusal.arguments["recovered"] == STRANGER.address.lower()
    assert "let the participant sign again" in str(refusal)


def test_a_changed_stake_or_sample_count_is_refused(open_task: Federation) -> None:
    wish = open_task.join_request(open_task.wallets[0])
    for changed in (replace(wish, stake=STAKE + 1), replace(wish, samples=10**6)):
        assert _refusal(lambda changed=changed: open_task.task.join_for([changed])).name == "InvalidSignature"


def test_a_wish_to_join_another_task_is_refused(ledger: Ledger, open_task: Federation) -> None:
    other = Federation(ledger, token=open_task.token)
    wish = other.join_request(other.wallets[0])
    assert _refusal(lambda: open_task.task.join_for([wish])).name == "InvalidSignature"


def test_an_expired_wish_to_join_is_refused(ledger: Ledger, open_task: Federation) -> None:
    wish = open_task.join_request(open_task.wallets[0], deadline=ledger.chain.now() - 2)
    refusal = _refusal(lambda: open_task.task.join_for([wish]))
    assert refusal.name == "SignatureExpired"
    assert refusal.arguments["deadline"] == wish.deadline


def test_a_stake_without_a_permit_is_the_token_s_refusal(open_task: Federation) -> None:
    wish = open_task.join_request(open_task.wallets[0], permit=NO_SIGNATURE)
    refusal = _refusal(lambda: open_task.task.join_for([wish]))
    assert refusal.name == "ERC20InsufficientAllowance"
    assert "approve the task for more tokens, or sign a permit" in str(refusal)


def test_a_stake_that_nobody_has_is_the_token_s_refusal(open_task: Federation) -> None:
    refusal = _refusal(lambda: open_task.task.join_for([open_task.join_request(STRANGER)]))
    assert refusal.name == "ERC20InsufficientBalance"
    assert refusal.arguments["needed"] == STAKE


def test_a_refused_batch_changes_nothing(open_task: Federation) -> None:
    wishes = [open_task.join_request(open_task.wallets[0]), open_task.join_request(open_task.wallets[1], signer=STRANGER)]
    _refusal(lambda: open_task.task.join_for(wishes))
    assert open_task.task.members() == []
    assert open_task.conservation().deposited == POOL


@pytest.mark.parametrize(("rounds", "pool", "name"), [(0, POOL, "NoRounds"), (1, 0, "EmptyPool")])
def test_a_task_without_rounds_or_money_is_refused(ledger: Ledger, rounds: int, pool: int, name: str) -> None:
    federation = Federation(ledger)
    assert _refusal(lambda: federation.task.initialize("bafy", rounds=rounds, pool=pool)).name == name


def test_a_task_with_too_few_members_does_not_start(ledger: Ledger) -> None:
    federation = Federation(ledger, minimum_members=2).open()
    federation.task.join_for([federation.join_request(federation.wallets[0])])
    refusal = _refusal(federation.task.start)
    assert (refusal.name, refusal.arguments) == ("TooFewMembers", {"members": 1, "minimum": 2})


def test_a_running_task_admits_late_joiners_only_where_it_says_so(ledger: Ledger, running: Federation) -> None:
    late = Wallet.derived(7, "late")
    running.ledger.mint(running.token, [late.address], STAKE)
    refusal = _refusal(lambda: running.task.join_for([running.join_request(late)]))
    assert refusal.name == "WrongTaskStatus"
    admitting = Federation(ledger, late_join=True, token=running.token).run()
    admitting.task.join_for([admitting.join_request(late)])
    assert late.address in admitting.task.members()


def test_a_copied_commitment_cannot_be_revealed(running: Federation) -> None:
    author, copier = running.wallets[:2]
    report = running.reports()[author.address]
    copied = running.commitment(author, 1, report)
    running.task.commit_for(1, [running.commit_request(wallet, 1, copied) for wallet in (author, copier)])
    running.pass_deadline(1, "commit")
    opening = running.reveal_of(author, 1, report)
    running.task.reveal(1, [opening])
    refusal = _refusal(lambda: running.task.reveal(1, [replace(opening, participant=copier.address)]))
    assert refusal.name == "CommitmentMismatch"
    assert refusal.arguments["participant"] == copier.address.lower()
    assert "reveal exactly what was committed" in str(refusal)


def test_another_report_than_the_committed_one_cannot_be_revealed(running: Federation) -> None:
    reports = running.reports()
    running.commit(1, reports)
    swapped = {running.addresses[0]: bytes(running.scorer.tasks)}
    assert _refusal(lambda: running.reveal(1, swapped)).name == "CommitmentMismatch"


def test_a_forged_commitment_is_refused(running: Federation) -> None:
    forged = running.commit_request(running.wallets[0], 1, b"\2" * 32, signer=STRANGER)
    assert _refusal(lambda: running.task.commit_for(1, [forged])).name == "InvalidSignature"


def test_a_commitment_is_made_once(running: Federation) -> None:
    wallet = running.wallets[0]
    running.task.commit_for(1, [running.commit_request(wallet, 1, b"\2" * 32)])
    again = running.commit_request(wallet, 1, b"\4" * 32)
    assert _refusal(lambda: running.task.commit_for(1, [again])).name == "AlreadyCommitted"


def test_a_late_commitment_is_refused_with_the_deadline(running: Federation) -> None:
    deadline = running.task.round(1).commit_deadline
    running.pass_deadline(1, "commit")
    refusal = _refusal(lambda: running.commit(1, running.reports()))
    assert (refusal.name, refusal.arguments) == ("DeadlinePassed", {"deadline": deadline})
    assert "the next round opens with a new deadline" in str(refusal)


def test_a_reveal_before_all_have_committed_is_too_early(running: Federation) -> None:
    first = {running.addresses[0]: running.reports()[running.addresses[0]]}
    running.commit(1, first)
    assert _refusal(lambda: running.reveal(1, first)).name == "CommitPhaseOpen"


def test_a_reveal_after_the_deadline_is_too_late(running: Federation) -> None:
    running.commit(1, running.reports())
    running.pass_deadline(1, "reveal")
    assert _refusal(lambda: running.reveal(1, running.reports())).name == "RevealPhaseClosed"


def test_scores_before_all_have_revealed_are_too_early(running: Federation) -> None:
    reports = running.reports()
    running.commit(1, reports)
    refusal = _refusal(lambda: running.task.post_scores(1, running.result(reports)))
    assert refusal.name == "RevealPhaseOpen"


def test_scores_are_posted_in_ascending_order_of_address(running: Federation) -> None:
    reports = running.reports()
    running.commit(1, reports)
    running.reveal(1, reports)
    backwards = replace(running.result(reports), participants=tuple(running.addresses[::-1]))
    refusal = _refusal(lambda: running.task.post_scores(1, backwards))
    assert refusal.name == "ParticipantsNotAscending"


def test_pay_waits_for_the_challenge_window(running: Federation) -> None:
    reports = running.reports()
    running.commit(1, reports)
    running.reveal(1, reports)
    result = running.result(reports)
    running.task.post_scores(1, result)
    refusal = _refusal(lambda: running.task.distribute_rewards(1, result))
    deadline = running.task.round(1).settle_deadline
    assert (refusal.name, refusal.arguments) == ("DeadlineNotReached", {"deadline": deadline})
    assert "try again after the deadline" in str(refusal)
    running.pass_deadline(1, "settle")
    wrong = replace(result, scores=(result.scores[0] + 1, *result.scores[1:]))
    assert _refusal(lambda: running.task.distribute_rewards(1, wrong)).name == "PostingMismatch"
    assert _refusal(lambda: running.task.challenge(1)).name == "DeadlinePassed"


def test_there_are_as_many_rounds_as_were_paid_for(running: Federation) -> None:
    for number in (1, 2):
        running.pass_deadline(number, "settle")
        running.task.void_round(number)
        if number == 1:
            running.task.next_round()
    assert running.task.round(2).status == RoundStatus.VOID
    refusal = _refusal(running.task.next_round)
    assert (refusal.name, refusal.arguments) == ("RoundsExhausted", {"rounds": 2})
    assert "extendTask" in str(refusal)


def test_a_stranger_cannot_be_selected(running: Federation) -> None:
    running.pass_deadline(1, "settle")
    running.task.void_round(1)
    assert _refusal(lambda: running.task.next_round([5])).name == "NotActive"
    assert _refusal(lambda: running.task.next_round([257])).name == "LengthMismatch"


@pytest.mark.parametrize(
    ("change", "name"), [({"minimum_members": 0}, "SettingTooSmall"), ({"missing_slash_bps": 10_001}, "SettingTooLarge")]
)
def test_impossible_settings_are_refused_at_deployment(ledger: Ledger, change: dict[str, int], name: str) -> None:
    refusal = _refusal(lambda: Federation(ledger, **change))
    assert refusal.name == name
    assert str(refusal).startswith(f"FederatedTask cannot be deployed: {name} (name ")
