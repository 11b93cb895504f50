"""The ledger: an EVM in this process or any EVM chain by RPC, and the typed client of a task on it."""

from flwr_chainfl.ledger.chain import Chain, Event, Receipt
from flwr_chainfl.ledger.ledger import Ledger
from flwr_chainfl.ledger.requests import CommitRequest, JoinRequest, Reveal
from flwr_chainfl.ledger.task import Member, Round, RoundStatus, Settings, Task, TaskStatus

__all__ = [
    "Chain",
    "CommitRequest",
    "Event",
    "JoinRequest",
    "Ledger",
    "Member",
    "Receipt",
    "Reveal",
    "Round",
    "RoundStatus",
    "Settings",
    "Task",
    "TaskStatus",
]
