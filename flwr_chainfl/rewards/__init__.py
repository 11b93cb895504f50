"""Scores to token amounts that add up."""

from flwr_chainfl.rewards.schedules import Proportional, Schedule
from flwr_chainfl.rewards.split import split

__all__ = ["Proportional", "Schedule", "split"]
