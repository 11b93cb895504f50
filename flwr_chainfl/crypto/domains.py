"""In whose name a statement is signed: the EIP-712 domains of the contracts that take it."""

from __future__ import annotations

from flwr_chainfl.crypto.typed_data import Domain


def task_domain(chain_id: int, task: str) -> Domain:
    """Return the EIP-712 domain of the statements that a task takes."""
    return Domain(name="FederatedTask", version="1", chain_id=chain_id, contract=task)


def key_domain(chain_id: int, registry: str) -> Domain:
    """Return the EIP-712 domain of the statements that a registry of keys takes."""
    return Domain(name="KeyRegistry", version="1", chain_id=chain_id, contract=registry)


def address_order(address: str) -> int:
    """Return an address as the number that the contracts sort by."""
    return int(address, 16)
