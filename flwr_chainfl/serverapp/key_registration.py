"""The keys that contents are sealed for: asked of clients once, and brought to the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from flwr.app import ConfigRecord, Message, RecordDict

from flwr_chainfl.crypto import address_order
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.ledger import KeyRequest
from flwr_chainfl.messages import TYPE_KEY, write_terms
from flwr_chainfl.serverapp.envelopes import Reader
from flwr_chainfl.serverapp.round_state import RoundState


def register_keys(state: RoundState, nodes: Sequence[int]) -> list[int]:
    """Ask the nodes whose key for sealed contents is not known for it; return those whose key is on the ledger."""
    envelopes = state.exchange.envelopes
    if envelopes is None:
        return list(nodes)
    unknown = envelopes.unknown(nodes)
    messages = [
        Message(
            RecordDict({"config": write_terms(ConfigRecord(), state.terms, envelopes.terms([]))}),
            dst_node_id=node,
            message_type=TYPE_KEY,
        )
        for node in unknown
    ]
    found: dict[int, tuple[Reader, KeyRequest]] = {}
    with state.log.phase("keys"):
        for reply in state.clients.ask(messages, "no-key", "no reply to query.key in time"):
            node = reply.metadata.src_node_id
            try:
                found[node] = envelopes.read_key(reply)
            except ChainFLError as error:
                state.clients.failed("no-key", node, str(error))
    nodes_of = {reader.address: node for node, (reader, _) in sorted(found.items(), reverse=True)}
    requests = [found[nodes_of[address]][1] for address in sorted(nodes_of, key=address_order)]

    def refused(address: str, reason: str) -> None:
        state.clients.failed("no-key", nodes_of[address], reason)

    with state.log.phase("ledger"):
        taken = state.relay.register_keys(envelopes.keys, requests, refused)
    for address in taken:
        try:
            envelopes.admit(nodes_of[address], found[nodes_of[address]][0])
        except ChainFLError as error:
            state.clients.failed("no-key", nodes_of[address], str(error))
    unknown = envelopes.unknown(nodes)
    return [node for node in nodes if node not in unknown]
