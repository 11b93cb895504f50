"""Scores to token amounts that add up."""

from collections.abc import Callable, Sequence

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards.schedules import Consistency, PayFacts, Proportional, Schedule
from flwr_chainfl.rewards.split import split

_SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "Consistency": lambda alpha, cap: Consistency(alpha=int(alpha), cap=int(cap)),
    "Proportional": lambda minimum_score: Proportional(minimum_score=int(minimum_score)),
}


def schedule_of(contract: str, arguments: Sequence[str]) -> Schedule:
    """Return the schedule whose twin is a contract with these constructor arguments.

    Raises ConfigError when there is none.
    """
    if contract not in _SCHEDULES:
        raise ConfigError(f"no schedule is the twin of {contract!r}; known contracts: {', '.join(sorted(_SCHEDULES))}")
    return _SCHEDULES[contract](*arguments)


__all__ = ["Consistency", "PayFacts", "Proportional", "Schedule", "schedule_of", "split"]
