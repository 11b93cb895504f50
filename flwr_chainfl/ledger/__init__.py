"""The ledger: an EVM in this process or any EVM chain by RPC, and the typed client of a task on it."""

from flwr_chainfl.ledger.average import Average, VectorSet
from flwr_chainfl.ledger.chain import Chain, Event, Receipt
from flwr_chainfl.ledger.gate import Gate
from flwr_chainfl.ledger.keys import Keys
from flwr_chainfl.ledger.ledger import Ledger
from flwr_chainfl.ledger.randomness import Randomness
from flwr_chainfl.ledger.registry import Registry
from flwr_chainfl.ledger.requests import (
    CommitRequest,
    JoinRequest,
    KeyRequest,
    Result,
    Reveal,
    ScoreRequest,
    SealRequest,
)
from flwr_chainfl.ledger.task import (
    NO_HASH,
    NOBODY,
    Member,
    Round,
    RoundStatus,
    Settings,
    Submission,
    Task,
    TaskStatus,
)

__all__ = [
    "NOBODY",
    "NO_HASH",
    "Average",
    "Chain",
    "CommitRequest",
    "Event",
    "Gate",
    "JoinRequest",
    "KeyRequest",
    "Keys",
    "Ledger",
    "Member",
    "Randomness",
    "Receipt",
    "Registry",
    "Result",
    "Reveal",
    "Round",
    "RoundStatus",
    "ScoreRequest",
    "SealRequest",
    "Settings",
    "Submission",
    "Task",
    "TaskStatus",
    "VectorSet",
]
