from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.crypto import keccak256
from flwr_chainfl.errors import ConfigError, TooFewForRolesError
from flwr_chainfl.roles import Everyone, Role, Rotation

MEMBERS = [f"member {i}" for i in range(20)]


def _seed(number: int) -> bytes:
    return keccak256(number.to_bytes(4, "big"))


def test_shares_are_counts_where_as_many_take_part() -> None:
    drawn = Rotation(workers=12, validators=5, miners=3).draw(MEMBERS, _seed(0))
    assert list(drawn) == MEMBERS
    assert Counter(drawn.values()) == {Role.WORKER: 12, Role.VALIDATOR: 5, Role.MINER: 3}


@given(st.integers(3, 60), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_every_role_is_taken_or_the_draw_is_refused(n: int, workers: int, validators: int, miners: int, seed: int) -> None:
    rotation = Rotation(workers=workers, validators=validators, miners=miners)
    if n >= rotation.fewest:
        drawn = Counter(rotation.draw([str(i) for i in range(n)], _seed(seed)).values())
        assert set(drawn) == set(Role)
        assert drawn.total() == n
    else:
        with pytest.raises(TooFewForRolesError, match=f"{n} members .* {rotation.fewest} are needed"):
            rotation.draw([str(i) for i in range(n)], _seed(seed))


def test_everybody_is_drawn_for_every_role_as_often_as_its_share() -> None:
    rounds = 3000
    drawn = [Rotation().draw(MEMBERS, _seed(r)) for r in range(rounds)]
    for role, share in zip(Role, (12, 5, 3), strict=True):
        expected = rounds * share / 20
        deviation = (expected * (1 - share / 20)) ** 0.5
        for member in MEMBERS:
            assert abs(sum(one[member] == role for one in drawn) - expected) < 4.5 * deviation


def test_the_roles_of_two_members_do_not_go_together() -> None:
    rounds = 3000
    both = sum(
        one["member 0"] == one["member 1"] == Role.VALIDATOR for one in (Rotation().draw(MEMBERS, _seed(r)) for r in range(rounds))
    )
    expected = rounds * (5 / 20) * (4 / 19)
    assert abs(both - expected) < 4.5 * expected**0.5


def test_fewer_than_three_cannot_rotate() -> None:
    with pytest.raises(TooFewForRolesError, match="2 members cannot be .* 12:5:3; 3 are needed"):
        Rotation().draw(["a", "b"], _seed(0))


def test_a_share_of_nobody_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="the share of miners is 0; it must be from 1 to 65535"):
        Rotation(miners=0)


def test_without_rotation_all_are_workers() -> None:
    assert set(Everyone().draw(MEMBERS, _seed(0)).values()) == {Role.WORKER}
