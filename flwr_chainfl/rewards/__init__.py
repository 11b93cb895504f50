"""Scores to token amounts that add up."""

from collections.abc import Callable, Sequence

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards.by_role import ByRole
from flwr_chainfl.rewards.consistency import Consistency
from flwr_chainfl.rewards.schedules import PayFacts, Proportional, Schedule, TopK
from flwr_chainfl.rewards.split import split
from flwr_chainfl.rewards.streaks import Streaks, Strikes

_SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "ByRole": lambda workers, validators, miners, minimum_score: ByRole(
        workers=int(workers), validators=int(validators), miners=int(miners), minimum_score=int(minimum_score)
    ),
    "Consistency": lambda alpha, cap: Consistency(alpha=int(alpha), cap=int(cap)),
    "Proportional": lambda minimum_score: Proportional(minimum_score=int(minimum_score)),
    "TopK": lambda k: TopK(k=int(k)),
}


def schedule_of(contract: str, arguments: Sequence[str]) -> Schedule:
    """Return the schedule whose twin is a contract with these constructor arguments.

    Raises ConfigError when there is none.
    """
    if contract not in _SCHEDULES:
        raise ConfigError(f"no schedule is the twin of {contract!r}; known contracts: {', '.join(sorted(_SCHEDULES))}")
    return _SCHEDULES[contract](*arguments)


__all__ = [
    "ByRole", "Consistency", "PayFacts", "Proportional", "Schedule", "Streaks", "Strikes", "TopK", "schedule_of", "split",
]  # fmt: skip
