"""The transactions of a task: in batches, with what they used and what events they left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flwr_chainfl.errors import ContractError
from flwr_chainfl.ledger import Receipt, Task

BATCH = 100
"""Signed requests in one transaction."""

Item = TypeVar("Item")
OnRefusal = Callable[[str, str], None]
"""Called with a participant's address and the reason."""


class Transactions:
    """Counts what is sent; events: that these transactions left, in their order.

    One participant's refused request never stops the others': a batch that is refused is sent again one by one.
    """

    def __init__(self, task: Task) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._task = task
        self._gas: defaultdict[str, int] = defaultdict(int)

    def take_gas(self) -> dict[str, int]:
        """Return the gas used since the last call, by operation."""
        used = dict(self._gas)
        self._gas.clear()
        return used

    def batched(
        self,
        operation: str,
        items: Sequence[Item],
        send: Callable[[Sequence[Item]], Receipt],
        on_refusal: OnRefusal,
    ) -> list[Item]:
        """Send requests, so many in one transaction; return those that were taken.

        on_refusal: is told of the others; a batch that is refused is sent again one by one
        """
        done: list[Item] = []
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            try:
                self.count(operation, send(batch))
                done.extend(batch)
            except ContractError as batch_error:
                if len(batch) == 1:
                    on_refusal(_participant(batch[0]), str(batch_error))
                    continue
                for item in batch:
                    try:
                        self.count(operation, send([item]))
                        done.append(item)
                    except ContractError as error:
                        on_refusal(_participant(item), str(error))
        return done

    def count(self, operation: str, receipt: Receipt) -> Receipt:
        """Note a transaction that was sent; return its receipt."""
        self._gas[operation] += receipt.gas_used
        self.events.extend(self._task.events_of(receipt))
        return receipt


def _participant(item: Any) -> str:
    return str(item.participant)
