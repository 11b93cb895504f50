from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.scoring import draw_pairs
from flwr_chainfl.scoring.pairing import matches

SEEDS = st.binary(min_size=32, max_size=32)


@given(st.integers(2, 25), st.integers(1, 30), SEEDS)
def test_everybody_meets_as_many_different_peers_as_there_are(participants: int, peers: int, seed: bytes) -> None:
    most = participants - 1 + participants % 2
    met: dict[int, list[int]] = {one: [] for one in range(participants)}
    mutual: Counter[frozenset[int]] = Counter()
    for first, second, both in matches(draw_pairs(participants, seed, peers=peers)):
        assert first != second
        met[first].append(second)
        if both:
            met[second].append(first)
            mutual[frozenset((first, second))] += 1
    assert {len(others) for others in met.values()} == {min(peers, most)}
    assert max(mutual.values()) == 1


@given(st.integers(1, 12).map(lambda n: 2 * n + 1), SEEDS)
def test_an_odd_number_makes_one_triple_a_turn(participants: int, seed: bytes) -> None:
    pairs = draw_pairs(participants, seed, peers=1)
    assert [len(pair) for pair in pairs] == [2] * ((participants - 3) // 2) + [3]
    assert sorted(one for pair in pairs for one in pair) == list(range(participants))


@given(SEEDS)
def test_fewer_than_two_have_no_pairs(seed: bytes) -> None:
    assert draw_pairs(0, seed, peers=1) == draw_pairs(1, seed, peers=3) == []


@pytest.mark.parametrize("participants", [4, 5])
def test_all_pairs_are_alike_probable(participants: int) -> None:
    # Participant 0's mutual partner over 6000 seeds; of 5, it is left over in a fifth of them.
    generator = np.random.default_rng(1)
    met = Counter(
        next(iter(set(pair) - {0}))
        for _ in range(6000)
        for pair in (p[:2] for p in draw_pairs(participants, generator.bytes(32), peers=1))
        if 0 in pair
    )
    others = participants - 1
    expected = 6000 * (1 if participants % 2 == 0 else 0.8) / others
    assert set(met) == set(range(1, participants))
    assert all(abs(times - expected) < 5 * expected**0.5 for times in met.values())
