"""Newcomers: how who contributes for the first time becomes a member of the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flwr.app import ConfigRecord, Message, RecordDict

from flwr_chainfl.admission import Admission
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.ledger import JoinRequest
from flwr_chainfl.messages import TYPE_JOIN, write_terms
from flwr_chainfl.serverapp.contribution import Contribution, read_join
from flwr_chainfl.serverapp.round_state import RoundState


@dataclass(frozen=True)
class Newcomers:
    """Lets newcomers join.

    admission: who may, None for everybody; mint: token units of the test token that each is given, 0 for a token that is
    worth something
    """

    state: RoundState
    admission: Admission | None
    mint: int

    def join(self, newcomers: Sequence[Contribution]) -> None:
        """Bring the wishes of contributors that are no members yet."""
        state = self.state
        if not newcomers:
            return
        if self.mint:
            state.relay.ledger.mint(state.relay.token, [c.address for c in newcomers], self.mint)
        self._renew_permits(newcomers)
        wishes = [replace(c.join, proof=self._proof(c.join)) for c in newcomers if c.join is not None]
        joined = state.relay.join(wishes, state.clients.refusal("join-refused"))
        for wish in wishes:
            if wish.participant in joined:
                state.book.join(wish.participant, wish.samples)

    def _proof(self, wish: JoinRequest) -> bytes:
        """Return what a newcomer shows for being admitted: what it brought itself, else what the server has for it."""
        if self.admission is None:
            return b""
        return wish.proof or self.admission.proof(wish.participant)

    def _renew_permits(self, newcomers: Sequence[Contribution]) -> None:
        """Ask those that have used the token's permit before to sign again with their next nonce."""
        state = self.state
        nonces = {c.node: state.relay.ledger.token_nonce(state.relay.token, c.address) for c in newcomers}
        stale = {c.node: c for c in newcomers if nonces[c.node] != state.terms.nonce}
        messages = [
            Message(
                RecordDict({"config": write_terms(ConfigRecord(), replace(state.terms, nonce=nonces[node]))}),
                dst_node_id=node,
                message_type=TYPE_JOIN,
            )
            for node in sorted(stale)
        ]
        for reply in state.clients.ask(messages, "join-refused", "no reply to query.join in time"):
            node = reply.metadata.src_node_id
            try:
                stale[node].join = read_join(reply, state.terms, stale[node].address)
            except ChainFLError as error:
                state.clients.failed("join-refused", node, str(error))
