from collections.abc import Callable
from typing import Any

import pytest

from flwr_chainfl import AllowList, Invitations, Wallet
from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import JoinRequest, Ledger
from tests.federation import STAKE, Federation, approve, guest

INVITER = Wallet.derived(8, "inviter")
STRANGER = Wallet.derived(8, "stranger")
INVITATIONS = Invitations(INVITER.address, purpose="study")


def _refusal(call: Callable[[], Any]) -> ContractError:
    with pytest.raises(ContractError) as refusal:
        call()
    return refusal.value


def _refused_join(federation: Federation, wish: JoinRequest, name: str) -> ContractError:
    refusal = _refusal(lambda: federation.task.join_for([wish]))
    assert refusal.name == name
    assert refusal.arguments["participant"] == wish.participant.lower()
    return refusal


def _invited(ledger: Ledger, invitations: Invitations = INVITATIONS, **changes: Any) -> Federation:
    gate = ledger.deploy(invitations.contract, invitations.arguments)
    return Federation(ledger, participants=2, admission=gate, **changes).open()


def _invitation(federation: Federation, wallet: Wallet, **terms: Any) -> bytes:
    chain = federation.ledger.chain
    return INVITATIONS.invite(
        INVITER, wallet.address, **{"chain_id": chain.chain_id, "deadline": chain.now() + 10**6, **terms}
    )


def test_those_on_the_list_join_by_relay_and_directly_and_a_stranger_does_not(ledger: Ledger) -> None:
    direct = Wallet.derived(8, "direct")
    allowed = AllowList([*(Wallet.derived(7, str(i)).address for i in range(2)), direct.address])
    federation = Federation(ledger, participants=3, admission=ledger.deploy(allowed.contract, allowed.arguments)).open()
    on_list = [w for w in federation.wallets if w.address in allowed.addresses]
    (absent,) = [w for w in federation.wallets if w.address not in allowed.addresses]
    federation.task.join_for([federation.join_request(w, proof=allowed.proof(w.address)) for w in on_list])
    borrowed = federation.join_request(absent, proof=allowed.proof(on_list[0].address))
    refusal = _refused_join(federation, borrowed, "NotInvited")
    assert str(refusal).endswith("; ask for an invitation to this task, or for a place on its allow-list")
    own = guest(ledger, direct)
    ledger.mint(federation.token, [direct.address], STAKE)
    approve(own, federation.token, federation.task.address, STAKE)
    assert _refusal(lambda: own.task(federation.task.address).join(stake=STAKE, samples=1)).name == "NotInvited"
    own.task(federation.task.address).join(stake=STAKE, samples=1, proof=allowed.proof(direct.address))
    assert set(federation.task.members()) == set(allowed.addresses)
    assert federation.tokens([absent.address]) == [STAKE]


def test_an_invitation_admits_its_participant_only(ledger: Ledger) -> None:
    federation = _invited(ledger)
    first, second = federation.wallets
    invitation = _invitation(federation, first)
    _refused_join(federation, federation.join_request(second, proof=invitation), "NotInvited")
    _refused_join(federation, federation.join_request(first), "NotInvited")
    _refused_join(federation, federation.join_request(first, proof=invitation[:-1]), "NotInvited")
    forged = Invitations(STRANGER.address, purpose="study").invite(
        STRANGER, first.address, chain_id=ledger.chain.chain_id, deadline=2**63
    )
    _refused_join(federation, federation.join_request(first, proof=forged), "NotInvited")
    federation.task.join_for([federation.join_request(first, proof=invitation)])
    assert federation.task.members() == [first.address]


def test_an_invitation_holds_for_its_chain_purpose_and_task_until_its_deadline(ledger: Ledger) -> None:
    federation = _invited(ledger)
    wallet = federation.wallets[0]
    now = ledger.chain.now()
    other_purpose = Invitations(INVITER.address, purpose="another study").invite(
        INVITER, wallet.address, chain_id=ledger.chain.chain_id, deadline=now + 10**6
    )
    for wrong in (
        _invitation(federation, wallet, chain_id=ledger.chain.chain_id + 1),
        _invitation(federation, wallet, task=STRANGER.address),
        other_purpose,
    ):
        _refused_join(federation, federation.join_request(wallet, proof=wrong), "NotInvited")
    late = _invitation(federation, wallet, deadline=now - 2)
    refusal = _refused_join(federation, federation.join_request(wallet, proof=late), "InvitationExpired")
    assert refusal.arguments["deadline"] == now - 2
    assert "ask the inviter for an invitation with a later deadline" in str(refusal)
    bound = _invitation(federation, wallet, task=federation.task.address)
    federation.task.join_for([federation.join_request(wallet, proof=bound)])
    assert federation.task.members() == [wallet.address]


def test_who_left_needs_another_invitation(ledger: Ledger) -> None:
    federation = _invited(ledger, late_join=True)
    wallet = federation.wallets[0]
    own = guest(ledger, wallet).task(federation.task.address)
    first = _invitation(federation, wallet)
    federation.task.join_for([federation.join_request(wallet, proof=first)])
    own.leave()
    federation.task.withdraw([wallet.address])
    _refused_join(federation, federation.join_request(wallet, departures=1, proof=first), "NotInvited")
    second = _invitation(federation, wallet, departures=1)
    federation.task.join_for([federation.join_request(wallet, departures=1, proof=second)])
    assert federation.task.member(wallet.address).stake == STAKE


def test_a_device_can_try_its_proof_for_free(ledger: Ledger) -> None:
    federation = _invited(ledger)
    gate = ledger.gate(federation.task.settings().admission)
    wallet = federation.wallets[0]
    gate.check(federation.task.address, wallet.address, proof=_invitation(federation, wallet))
    refusal = _refusal(lambda: gate.check(federation.task.address, wallet.address))
    assert refusal.name == "NotInvited"
    assert (gate.inviter(), federation.task.members()) == (INVITER.address, [])


def test_invitations_without_an_inviter_cannot_be_deployed(ledger: Ledger) -> None:
    with pytest.raises(ContractError, match=r"Invitations cannot be deployed: NoInviter \(\)"):
        ledger.deploy("Invitations", ("0x" + 40 * "0", "study"))
