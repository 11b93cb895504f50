from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring.shapley import fairness_factors, shapley_values


def glove(coalition: tuple[int, ...]) -> int:
    """Players 0 and 1 have a left glove, 2 a right one; a pair is worth 6."""
    return 6 if 2 in coalition and len(coalition) > 1 else 0


def test_the_glove_game_has_its_published_values() -> None:
    assert shapley_values(3, glove).values == [1, 1, 4]


@given(st.lists(st.integers(-100, 100), min_size=16, max_size=16))
def test_exact_values_are_the_mean_gain_over_all_orders_and_add_up(worth: list[int]) -> None:
    def value(coalition: tuple[int, ...]) -> int:
        return worth[sum(1 << player for player in coalition)]

    gains = [Fraction(0)] * 4
    for order in permutations(range(4)):
        for place, player in enumerate(order):
            gains[player] += value(tuple(sorted(order[: place + 1]))) - value(tuple(sorted(order[:place])))
    found = shapley_values(4, value)
    assert found.values == [gain / 24 for gain in gains]
    assert sum(found.values) == worth[15] - worth[0]
    sampled = shapley_values(4, value, permutations=7, tolerance=20, most_exact=0)
    assert sum(sampled.values) == worth[15] - worth[0]


def test_no_coalition_is_valued_twice_and_a_cut_off_permutation_values_fewer() -> None:
    asked: list[tuple[int, ...]] = []

    def value(coalition: tuple[int, ...]) -> int:
        asked.append(coalition)
        return 1000 - 1000 // (1 + len(coalition) ** 4)

    whole = shapley_values(12, value, permutations=40)
    assert len(asked) == len(set(asked)) == len(whole.worth)
    asked.clear()
    cut = shapley_values(12, value, permutations=40, tolerance=5)
    assert len(asked) < 0.7 * len(whole.worth)
    assert max(abs(a - b) for a, b in zip(whole.values, cut.values, strict=True)) < 40
    assert cut.values == shapley_values(12, value, permutations=40, tolerance=5).values
    assert cut.values != shapley_values(12, value, permutations=40, tolerance=5, seed=bytes(31) + b"\1").values


def test_factors_stay_within_their_bounds_and_are_1_where_nobody_is_paid() -> None:
    assert fairness_factors([Fraction(1), Fraction(1)], [3 * WAD, WAD]) == [2 * WAD // 3, 2 * WAD]
    assert fairness_factors([Fraction(99), Fraction(-1)], [WAD, WAD]) == [2 * WAD, WAD // 2]
    assert fairness_factors([Fraction(1), Fraction(1)], [0, -WAD]) == [WAD, WAD]
    with pytest.raises(ConfigError, match="0 players"):
        shapley_values(0, glove)
