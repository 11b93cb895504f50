"""What a task remembers of its members' pay: rounds in a row that they earned in, and strikes; as the contract counts them."""

from __future__ import annotations

from collections import defaultdict


class Streaks:
    """Rounds in a row in which a member scored above 0, up to a cap.

    Void rounds neither count nor interrupt. A round that is paid after a later one counts for nothing.

    cap: 0 where none are counted
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._last: dict[str, tuple[int, int]] = {}

    def pay(self, member: str, round_number: int, *, previous: int, earned: bool) -> int:
        """Take what a member scored in a round that is paid, and return the streak that it had before.

        previous: the newest round before that is not void, 0 for none; earned: whether it scored above 0
        """
        last, streak = self._last.get(member, (0, 0))
        if not self._cap or last > round_number:
            return 0
        before = streak if last and last == previous else 0
        self._last[member] = (round_number, min(before + 1, self._cap)) if earned else (last, 0)
        return before

    def forget(self, member: str) -> None:
        """Forget a member that left."""
        self._last.pop(member, None)


class Strikes:
    """Rounds in a row in which what a worker contributed had quality 0; at the most of them it is excluded.

    most: 0 where nobody is excluded
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count: defaultdict[str, int] = defaultdict(int)

    def pay(self, worker: str, quality: int) -> bool:
        """Take the quality (WAD) of what a worker contributed to a round that is paid; say whether it is excluded now."""
        self._count[worker] = 0 if quality else self._count[worker] + 1
        return 0 < self._most == self._count[worker]

    def forget(self, worker: str) -> None:
        """Forget a worker that left."""
        self._count.pop(worker, None)
