"""Who does what in a round."""

from __future__ import annotations

import enum


class Role(enum.IntEnum):
    """What a member does in a round; the contract counts them alike."""

    WORKER = 0
    VALIDATOR = 1
    MINER = 2
