"""Which of the clients that Flower sampled are asked to train in a round."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from flwr.app import Message

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.roles import Role
from flwr_chainfl.serverapp.book import Book
from flwr_chainfl.serverapp.drawn_roles import next_roles
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.serverapp.run_setup import RunSetup
from flwr_chainfl.serverapp.selection import Repute, Selector

log = logging.getLogger("flwr")


@dataclass
class ClientSelection:
    """Leaves out who is in bad repute, excluded, gone or has nothing to train; selector: None where nobody is remembered."""

    setup: RunSetup
    selector: Selector | None

    def select(
        self, messages: list[Message], book: Book, relay: Relay, round_log: RoundLog
    ) -> tuple[list[Message], dict[str, Role]]:
        """Return the messages to those that are asked, and the roles of the round that is opened next, by address.

        messages: of Flower, to those that it sampled; returns no roles where none are drawn, and before anybody has joined
        """
        messages = self._in_good_repute(messages, book, relay, round_log)
        expected = next_roles(relay, self.setup.roles) if book.has_members else {}
        excluded, left = relay.excluded(), relay.left(book.members())
        asked = [m for m in messages if self._is_asked(m, book, expected, excluded, left, round_log)]
        return asked, expected

    def _in_good_repute(
        self, messages: list[Message], book: Book, relay: Relay, round_log: RoundLog
    ) -> list[Message]:
        """Leave out those in bad repute, as far as enough nodes are left."""
        if self.selector is None:
            return messages
        nodes = {message.metadata.dst_node_id: book.address(message.metadata.dst_node_id) for message in messages}
        assert relay.registry is not None
        known = [address for address in nodes.values() if address is not None]
        reputations, rounds = relay.registry.reputations(known), relay.registry.rounds_known(known)
        out = self.selector.excluded(
            list(nodes),
            {
                node: Repute(reputations[address], rounds[address])
                for node, address in nodes.items()
                if address is not None
            },
            at_least=int(getattr(self.setup.exchange.flower, "min_train_nodes", 1)),
        )
        for node, reputation in out.items():
            reason = f"its reputation of {reputation / WAD:.2f} is too low"
            log.info("Node %d is not chosen: %s", node, reason)
            round_log.event("not-chosen", node, reason, nodes[node])
        return [message for message in messages if message.metadata.dst_node_id not in out]

    def _is_asked(
        self, message: Message, book: Book, expected: Mapping[str, Role], excluded: set[str], left: set[str],
        round_log: RoundLog,
    ) -> bool:
        """Say whether a node is asked to train: workers, who is no member yet, and where each has a model of its own, all."""
        node = message.metadata.dst_node_id
        member = book.member(node)
        if member in excluded:
            reason = f"what it contributed was worth nothing in {self.setup.most_strikes} rounds in a row"
            round_log.event("excluded", node, reason, member)
            return False
        if member in left:
            round_log.left(node, member)
            return False
        return not member or not expected or self.setup.exchange.trains_everybody or expected.get(member) == Role.WORKER
