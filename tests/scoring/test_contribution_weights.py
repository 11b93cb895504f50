import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import Softmax, weighting_of

SCORES = st.lists(st.integers(-WAD, WAD), min_size=1, max_size=20)


@given(SCORES, st.floats(0, 20))
def test_weights_are_those_of_a_softmax_relative_to_the_best(scores: list[int], alpha: float) -> None:
    weights = Softmax(alpha=alpha).weights(scores)
    best = max(scores)
    assert weights[scores.index(best)] == 10**6
    assert all(
        abs(weight - 10**6 * math.exp(alpha * (score - best) / WAD)) <= 1
        for weight, score in zip(weights, scores, strict=True)
    )


def test_without_alpha_all_count_alike() -> None:
    assert Softmax(alpha=0).weights([WAD, 0, -WAD]) == [10**6] * 3
    assert Softmax().weights([]) == []


def test_a_weighting_is_found_by_its_terms() -> None:
    assert weighting_of(Softmax(alpha=3.5).as_dict()) == Softmax(alpha=3.5)
    assert weighting_of(None) is None
    with pytest.raises(ConfigError, match="no weighting is called 'median'"):
        weighting_of({"kind": "median"})


@pytest.mark.parametrize("alpha", [-1, math.inf, math.nan])
def test_an_impossible_alpha_is_refused(alpha: float) -> None:
    with pytest.raises(ConfigError, match="alpha is"):
        Softmax(alpha=alpha)
