"""The clients of a round: what they are asked, and what becomes of one that fails, which is an event and costs only itself."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flwr.app import Message
from flwr.serverapp import Grid

from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.messages import only_metrics
from flwr_chainfl.serverapp.book import Book
from flwr_chainfl.serverapp.exchange import Exchange
from flwr_chainfl.serverapp.phases import ask
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.serverapp.transactions import OnRefusal

log = logging.getLogger("flwr")

Item = TypeVar("Item")


@dataclass(frozen=True)
class RoundClients:
    """Talks to the clients of a round; timeout: seconds to wait for the replies of a phase."""

    grid: Grid
    log: RoundLog
    book: Book
    exchange: Exchange
    timeout: float

    def ask(self, messages: Sequence[Message], kind: str, absent: str) -> Iterator[Message]:
        """Send messages and yield the good replies as they come; errors and silence become events."""
        if not messages:
            return
        self.log.sent(messages)
        silent = {message.metadata.dst_node_id for message in messages}
        for reply in ask(self.grid, messages, timeout=self.timeout):
            self.log.received([reply])
            silent.discard(reply.metadata.src_node_id)
            if reply.has_error():
                self.failed(kind, reply.metadata.src_node_id, reply.error.reason)
            else:
                yield reply
        for node in sorted(silent):
            self.failed(kind, node, absent)

    def failed(self, kind: str, node: int, detail: str | None) -> None:
        """Note that a client failed."""
        detail = detail or "no reason given"
        log.warning("Node %d, %s: %s", node, kind, detail)
        self.log.event(kind, node, detail, self.book.address(node))
        self.exchange.forget(node)

    def refusal(self, kind: str) -> OnRefusal:
        """Return what notes a participant whose request the ledger refused."""

        def note(address: str, reason: str) -> None:
            self.failed(kind, self.node(address), reason)

        return note

    def node(self, address: str) -> int:
        """Return the node of an address that took part before."""
        node = self.book.node(address)
        assert node is not None
        return node

    def alike(self, items: list[Item], reply: Callable[[Item], Message], kind: str) -> list[Item]:
        """Drop replies whose metrics have other names than most have, since Flower averages by name."""
        names = [frozenset(only_metrics(reply(item).content)) for item in items]
        if len(set(names)) <= 1:
            return items
        common = Counter(names).most_common(1)[0][0]
        for item, mine in zip(items, names, strict=True):
            if mine != common:
                self.failed(kind, reply(item).metadata.src_node_id,
                            f"its metrics are {sorted(mine)}, most clients' are {sorted(common)}; report the same ones")
        return [item for item, mine in zip(items, names, strict=True) if mine == common]

    def evaluations(self, replies: Sequence[Message]) -> list[Message]:
        """Return the evaluation replies that Flower can average; the others become events."""
        self.log.received(replies)
        usable = []
        for reply in sorted(replies, key=lambda r: r.metadata.src_node_id):
            node = reply.metadata.src_node_id
            if reply.has_error():
                self.failed("evaluation-error", node, reply.error.reason)
                continue
            try:
                only_metrics(reply.content)
            except ChainFLError as error:
                self.failed("unusable-evaluation", node, str(error))
                continue
            self.exchange.confirm(node)
            usable.append(reply)
        return self.alike(usable, lambda reply: reply, "unusable-evaluation")
