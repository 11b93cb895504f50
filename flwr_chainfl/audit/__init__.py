"""Recompute a run from its ledger and its stored contents, to the last unit, and list what differs."""

from flwr_chainfl.audit.difference import Difference
from flwr_chainfl.audit.recomputation import audit

__all__ = ["Difference", "audit"]
