import pytest

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.serverapp.selection import Reputation, Repute, Selector

GOOD, BAD, WORSE = (Repute(tenths * WAD // 10, 5) for tenths in (6, 2, 1))


def test_those_in_bad_repute_are_left_out_and_strangers_are_not():
    selector = Selector(Reputation(exploration=0), seed=1)
    assert selector.excluded([1, 2, 3, 4], {1: GOOD, 2: BAD, 3: Repute(3 * WAD // 10, 5)}, at_least=1) == {2: BAD.reputation}


def test_a_bad_start_is_borne_with_patience():
    selector = Selector(Reputation(exploration=0, patience=3), seed=1)
    known = {1: Repute(0, 2), 2: Repute(0, 3), 3: GOOD}
    assert selector.excluded([1, 2, 3], known, at_least=1) == {2: 0}


def test_enough_are_left_the_best_of_the_bad_first():
    selector = Selector(Reputation(exploration=0), seed=1)
    assert selector.excluded([1, 2, 3], {1: GOOD, 2: WORSE, 3: BAD}, at_least=2) == {2: WORSE.reputation}
    assert selector.excluded([1, 2, 3], {1: GOOD, 2: WORSE, 3: BAD}, at_least=3) == {}


def test_the_excluded_get_a_chance_as_often_as_exploration_says():
    selector = Selector(Reputation(exploration=0.1), seed=5)
    out = sum(1 for _ in range(3000) if selector.excluded([1, 2], {1: BAD, 2: GOOD}, at_least=1))
    assert 0.87 < out / 3000 < 0.93


def test_a_seed_repeats_the_draw():
    draws = []
    for _ in range(2):
        selector = Selector(Reputation(exploration=0.5), seed=9)
        draws.append([selector.excluded([1, 2, 3], {1: BAD, 2: BAD, 3: GOOD}, at_least=1) for _ in range(20)])
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws[0]}) > 1


@pytest.mark.parametrize(("name", "value"), [("minimum", 1.5), ("exploration", -0.1), ("patience", 6)])
def test_a_rule_out_of_range_is_named(name, value):
    with pytest.raises(ConfigError, match=f"{name}.*{value}"):
        Reputation(**{name: value})
