import pytest

from flwr_chainfl import Invitations, Wallet
from flwr_chainfl.admission import read_invitation
from flwr_chainfl.errors import ConfigError

INVITER, GUEST = Wallet.derived(7, "inviter"), Wallet.derived(7, "guest")


def test_only_the_inviter_invites() -> None:
    invitations = Invitations(INVITER.address, purpose="study")
    with pytest.raises(ConfigError, match="is not the inviter .*; sign with the inviter's wallet"):
        invitations.invite(GUEST, GUEST.address, chain_id=1, deadline=1)


@pytest.mark.parametrize("inviter", ["", "0x12", "0x" + 40 * "0"])
def test_an_inviter_that_cannot_sign_is_refused(inviter: str) -> None:
    with pytest.raises(ConfigError, match="is no address of an account"):
        Invitations(inviter, purpose="study")


def test_invitations_to_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="purpose is empty; name what they are for"):
        Invitations(INVITER.address, purpose="")


def test_an_invitation_is_read_from_its_digits_or_from_a_file(tmp_path) -> None:
    invitation = Invitations(INVITER.address, purpose="study").invite(INVITER, GUEST.address, chain_id=1, deadline=1)
    (tmp_path / "bare").write_text(invitation.hex() + "\n")
    (tmp_path / "prefixed").write_text("0x" + invitation.hex())
    for value in ("0x" + invitation.hex(), str(tmp_path / "bare"), str(tmp_path / "prefixed")):
        assert read_invitation(value) == invitation


@pytest.mark.parametrize("value", ["0xyz", "nowhere.txt", "", 5, True])
def test_what_is_no_invitation_is_named(value: object) -> None:
    with pytest.raises(ConfigError, match=r"invitation .* cannot be read .*; give the hexadecimal digits after 0x"):
        read_invitation(value)
