import pytest

from flwr_chainfl import AllowList, Wallet
from flwr_chainfl.admission import read_list
from flwr_chainfl.errors import ConfigError

ADDRESSES = [Wallet.derived(7, str(i)).address for i in range(3)]


def test_a_list_comes_back_from_where_it_is_stored() -> None:
    allowed = AllowList(ADDRESSES)
    again = read_list(allowed.document())
    assert (again.addresses, again.arguments) == (allowed.addresses, allowed.arguments)


def test_naming_an_address_twice_or_in_lower_case_changes_nothing() -> None:
    repeated = [*ADDRESSES, ADDRESSES[0].lower()]
    assert AllowList(repeated).arguments == AllowList(ADDRESSES).arguments


def test_who_is_not_on_the_list_has_no_proof() -> None:
    assert AllowList(ADDRESSES[:2]).proof(ADDRESSES[2]) == b""


@pytest.mark.parametrize(
    ("addresses", "message"),
    [([], "allow-list is empty, so nobody could join"), (["0x12"], "'0x12' on the allow-list is no address"),
     ([ADDRESSES[0], 5], "5 on the allow-list is no address")],
)  # fmt: skip
def test_a_list_that_cannot_be_used_is_refused(addresses: list, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AllowList(addresses)


@pytest.mark.parametrize("document", [b"\xff", b"[", b'{"a": 1}', b"[]"])
def test_bytes_that_are_no_list_are_refused(document: bytes) -> None:
    with pytest.raises(ConfigError, match="allow-list"):
        read_list(document)
