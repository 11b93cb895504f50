"""Attestation: the miners seal what a round comes to, or it is void."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flwr_chainfl.consensus import Standing
from flwr_chainfl.crypto import address_order
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.ledger import ScoreRequest, SealRequest
from flwr_chainfl.roles import Role
from flwr_chainfl.scoring import RoleReward
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.round_state import RoundState
from flwr_chainfl.serverapp.seal import read_attestation, seal_message, seal_terms
from flwr_chainfl.storage import digest

log = logging.getLogger("flwr")


def seal(
    state: RoundState, accepted: Sequence[Contribution], entered: Sequence[Contribution], marks: Sequence[ScoreRequest]
) -> None:
    """Let the miners attest what the round comes to; without their majority for it the round is void.

    accepted: all that was revealed, which miners check; entered: what the votes let in; marks: of the validators, as taken
    """
    if not state.exchange.is_exact or not accepted:
        return
    assert isinstance(state.scorer, RoleReward)
    standing = Standing(reputations=state.reputations, calibration=state.calibration.items)
    with state.log.phase("aggregate"):
        found = state.exchange.found(entered, standing, state.store)
        cid = state.store.put(found)
        before = state.exchange.before()
        state.log.reference = state.store.put(before) if before else None
        wanted = seal_terms(
            state.exchange.terms(), state.scorer.vote, before, accepted,
            [state.exchange.stored(c, state.store) for c in accepted],
            [state.book.samples(c.address) for c in accepted], standing, marks,
        )
    miners = {state.book.node(address): address for address, role in state.roles.items() if role == Role.MINER}
    messages = [seal_message(state.terms, wanted, node) for node in sorted(n for n in miners if n is not None)]
    requests: list[SealRequest] = []
    with state.log.phase("seal"):
        for reply in state.clients.ask(messages, "no-attestation", "no reply to query.seal in time"):
            node = reply.metadata.src_node_id
            try:
                requests.append(read_attestation(reply, state.terms, miners[node]))
            except ChainFLError as error:
                state.clients.failed("unusable-attestation", node, str(error))
    with state.log.phase("ledger"):
        _end_seal(state, cid, requests)


def _end_seal(state: RoundState, found: str, requests: list[SealRequest]) -> None:
    """Bring the attestations, and see whether the ledger's round is sealed with what this server found; found: its CID."""
    mine = digest(found)
    requests.sort(key=lambda request: address_order(request.participant))
    for request in requests:
        if request.aggregate != mine:
            state.clients.failed(
                "attested-otherwise", state.clients.node(request.participant),
                f"the miner attests 0x{request.aggregate.hex()}, the server finds 0x{mine.hex()}",
            )
    number = state.log.ledger_round
    taken = set(state.relay.attest(number, requests, state.clients.refusal("attestation-refused")))
    sealed = state.relay.task.round(number).aggregate
    state.attested = {one.participant: one.aggregate == sealed for one in requests if one.participant in taken}
    state.is_void = sealed != mine
    state.log.seal = None if state.is_void else found
    if state.is_void:
        miners = sum(role == Role.MINER for role in state.roles.values())
        reason = f"{len(requests)} of {miners} miners attested, and no majority what the server finds; the round is void"
        log.warning("Round %d: %s", number, reason)
        state.log.event("no-seal", None, reason)
