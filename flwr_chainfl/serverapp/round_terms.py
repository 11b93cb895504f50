"""What Flower's messages say besides: the protocol's terms of a round, and what they are for the node that is sent them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flwr.app import Message, RecordDict

from flwr_chainfl.messages import EnvelopeTerms, RoundTerms, write_terms
from flwr_chainfl.serverapp.chain_round import ChainRound
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.serverapp.run_setup import RunSetup

_JOIN_SECONDS = 7 * 24 * 3600


def round_terms(setup: RunSetup, relay: Relay, messages: Sequence[Message]) -> RoundTerms:
    """Return the terms of the round that is opened next; messages: of Flower, to those that are asked to train."""
    token, signals = relay.ledger.token_domain(relay.token), setup.exchange.signals
    return RoundTerms(
        exchange=setup.exchange.name,
        round_number=relay.task.round_number + 1,
        chain_id=relay.ledger.chain.chain_id,
        task=relay.task.address,
        token=token.contract or relay.token,
        token_name=token.name,
        token_version=token.version,
        stake=str(setup.stake),
        deadline=relay.ledger.chain.now() + _JOIN_SECONDS,
        nonce=0,
        seed=setup.seed if setup.seed is not None else -1,
        simulated=relay.ledger.is_development,
        clipped=setup.exchange.clipped,
        signal_tasks=signals.tasks if signals is not None else 0,
        signal_levels=signals.levels if signals is not None else 0,
        key_scheme=setup.exchange.envelopes.scheme if setup.exchange.envelopes is not None else "x25519",
        packed=setup.packed,
        arrays_key=next((name for m in messages for name in m.content.array_records), "arrays"),
    )


def with_terms(message: Message, current: ChainRound, envelopes: EnvelopeTerms | None = None) -> Message:
    """Give a Flower message a content of its own, with the protocol's terms and without an empty ArrayRecord.

    envelopes: for whom contents are sealed, None where the message asks for none
    """
    state = current.state
    key, config = next(iter(message.content.config_records.items()))
    node = message.metadata.dst_node_id
    consensus = state.exchange.consensus_terms(node)
    member = state.book.member(node)
    role = current.expected.get(member)
    terms = replace(state.terms, member=member, role=role.name.lower() if role is not None else "")
    content = RecordDict({name: record for name, record in message.content.items() if name != key and len(record)})
    parts = [part for part in (consensus, envelopes, state.exchange.update_terms()) if part is not None]
    content[key] = write_terms(config, terms, *parts)
    message.content = content
    return message
