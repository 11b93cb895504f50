"""Who is scored against whom; twin of contracts/libraries/Pairing.sol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flwr_chainfl.draws import draw, key_of, random_order

Pair = tuple[int, ...]
"""Two participants who are scored against each other, or three, of whom the third is scored against the first."""


def draw_pairs(participants: int, seed: bytes, *, peers: int) -> list[Pair]:
    """Draw the pairs of a round: everybody has `peers` different peers, as far as there are so many.

    As in a round-robin tournament (circle method), each turn pairs all of a random order. Where their number is odd, one
    is left over in each turn: it makes the turn's last pair a triple.

    seed: 32 bytes, which nobody knew before the last commitment
    returns: turn after turn; none of fewer than 2 participants

    Source: docs/protocols/peer-prediction.md, "Pairs".
    Choice: different peers for everybody, where the paper says how one is drawn.

    >>> draw_pairs(3, bytes(32), peers=1)
    [(0, 2, 1)]
    """
    if participants < 2:
        return []
    order = random_order(draw(key_of(seed), 0), participants)
    circle = participants - 1 + participants % 2
    pairs: list[Pair] = []
    for turn in range(min(peers, circle)):
        drawn: list[Pair] = [
            (order[(turn + distance) % circle], order[(turn - distance) % circle]) for distance in range(1, circle // 2 + 1)
        ]
        left = order[turn]
        if participants % 2:
            drawn[-1] = (*drawn[-1], left)
        else:
            drawn.append((left, order[-1]))
        pairs += drawn
    return pairs


def matches(pairs: Iterable[Sequence[int]]) -> Iterator[tuple[int, int, bool]]:
    """Yield each match: who is scored, against whom, and whether both are; a triple is two matches.

    >>> list(matches([(4, 1), (2, 0, 3)]))
    [(4, 1, True), (2, 0, True), (3, 2, False)]
    """
    for pair in pairs:
        first, second, *third = pair
        yield first, second, True
        for one in third:
            yield one, first, False
