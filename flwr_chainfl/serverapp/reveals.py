"""Reveals: salts and contents are asked for, checked against what was committed to, stored and brought to the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from flwr.app import Message, RecordDict

from flwr_chainfl.errors import ChainFLError, CommitmentError, ReusedSaltError
from flwr_chainfl.ledger import Reveal
from flwr_chainfl.messages import TYPE_REVEAL
from flwr_chainfl.serverapp.contribution import Contribution, read_reveal
from flwr_chainfl.serverapp.round_state import RoundState


def reveal(state: RoundState, committed: Sequence[Contribution]) -> list[Contribution]:
    """Return the contributions that are truly revealed; who committed and owes a reveal is slashed."""
    openings: dict[str, Reveal] = {}
    for contribution in committed:
        if contribution.salt:
            _check_reveal(state, contribution, openings)
    with state.log.phase("reveal"):
        _ask_for_reveals(state, [c for c in committed if not c.salt], openings)
    if state.exchange.envelopes is not None:
        state.log.spent("server, opening", state.exchange.envelopes.take_seconds())
    with state.log.phase("ledger"):
        return _bring_reveals(state, committed, openings)


def _ask_for_reveals(state: RoundState, waiting: Sequence[Contribution], openings: dict[str, Reveal]) -> None:
    """Ask for salts and contents, and check and store each reveal as it comes."""
    by_node = {c.node: c for c in waiting}
    messages = [
        Message(RecordDict(), dst_node_id=node, message_type=TYPE_REVEAL) for node in sorted(by_node)
    ]
    for reply in state.clients.ask(messages, "no-reveal", "no reply to query.reveal in time"):
        contribution = by_node[reply.metadata.src_node_id]
        try:
            read_reveal(reply, contribution, state.terms)
        except ChainFLError as error:
            state.clients.failed("false-reveal", contribution.node, str(error))
            continue
        _check_reveal(state, contribution, openings)


def _check_reveal(state: RoundState, contribution: Contribution, openings: dict[str, Reveal]) -> None:
    """Check a reveal against its commitment; a true one is stored and entered among the openings."""
    try:
        state.exchange.check_reveal(contribution)
        opening = contribution.opening(state.terms)
        state.book.use_salt(contribution.address, contribution.salt)
    except ReusedSaltError as error:
        state.clients.failed("reused-salt", contribution.node, str(error))
        return
    except CommitmentError as error:
        state.clients.failed("false-reveal", contribution.node, f"{error}{state.exchange.mismatch_hint}")
        return
    except ChainFLError as error:
        state.clients.failed("false-reveal", contribution.node, str(error))
        return
    state.exchange.keep(contribution, state.store)
    openings[contribution.address] = opening


def _bring_reveals(state: RoundState, committed: Sequence[Contribution], openings: dict[str, Reveal]) -> list[Contribution]:
    """Bring the true reveals to the ledger, slash who owes one; return the accepted."""
    if state.log.ledger_round == 0:
        return []
    ordered = [openings[c.address] for c in committed if c.address in openings]
    revealed = set(state.relay.reveal(state.log.ledger_round, ordered, state.clients.refusal("reveal-refused")))
    for address, amount in state.relay.slash_missing(state.log.ledger_round, state.selected).items():
        state.book.slash(address, amount)
        state.log.event("slashed", state.book.node(address),
                       f"committed and did not truly reveal: {amount} token units of its stake", address)
    return [c for c in committed if c.address in revealed]
