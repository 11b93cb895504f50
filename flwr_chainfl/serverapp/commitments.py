"""Commitments: from the replies of a training to a round that is open on the ledger, with what was committed in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flwr.app import Message

from flwr_chainfl.crypto import address_order, calibration_commitment, keccak256
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.ledger import NO_HASH, TaskStatus
from flwr_chainfl.messages import REPLY_RECORD
from flwr_chainfl.roles import Everyone, Role, Rotation
from flwr_chainfl.scoring import Alignment
from flwr_chainfl.serverapp.contribution import Contribution, read_contribution
from flwr_chainfl.serverapp.drawn_roles import next_roles
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.newcomers import Newcomers
from flwr_chainfl.serverapp.round_state import RoundState
from flwr_chainfl.serverapp.updates_exchange import AveragedUpdates


@dataclass(frozen=True)
class Commitments:
    """Opens the ledger's round for those that replied.

    roles: who does what; expected: the role of each member as it was drawn when the clients were asked, empty for workers alone;
    shapley: corrects the pay of some rounds, None for no such correction; extend: token units that a round that was not
    planned is funded with, 0 where all are
    """

    state: RoundState
    newcomers: Newcomers
    roles: Rotation | Everyone
    expected: Mapping[str, Role]
    shapley: Shapley | None
    extend: int

    def read(self, replies: Sequence[Message], asked: Sequence[int]) -> list[Contribution]:
        """Return the usable contributions, ascending by address."""
        state = self.state
        for node in sorted(set(asked) - {reply.metadata.src_node_id for reply in replies}):
            state.clients.failed("no-reply", node, "no reply to train in time")
        found: dict[str, Contribution] = {}
        for reply in sorted(replies, key=lambda r: r.metadata.src_node_id):
            node = reply.metadata.src_node_id
            if reply.has_error():
                state.clients.failed("client-error", node, reply.error.reason)
                continue
            if self.expected.get(state.book.member(node), Role.WORKER) != Role.WORKER:
                state.exchange.confirm(node)  # it trained for itself
                continue
            try:
                contribution = read_contribution(
                    reply, state.terms, run_id=state.clients.grid.run.run_id, member=state.book.member(node)
                )
                state.book.bind(contribution.address, node)
                state.exchange.check_reply(contribution)
                for kind, note in contribution.notes:
                    state.log.event(kind, node, note, contribution.address)
            except ChainFLError as error:
                state.clients.failed("unusable-reply", node, str(error))
                continue
            found[contribution.address] = contribution
            state.log.spent("clients, sealing", reply.content.config_records[REPLY_RECORD].get("sealing-seconds"))
        ordered = [found[address] for address in sorted(found, key=address_order)]
        return state.clients.alike(ordered, lambda c: c.reply, "unusable-reply")

    def commit(self, contributions: list[Contribution]) -> list[Contribution]:
        """Let newcomers join, open the ledger's round and bring the commitments; return those that were taken.

        Roles are drawn among the members of the moment. So the first round is opened when all have joined, and in later
        ones newcomers join after it, to have a role in the next.
        """
        state = self.state
        newcomers = [c for c in contributions if not state.book.is_member(c.address)]
        early = not self._rotates or not state.book.has_members
        if early:
            self.newcomers.join(newcomers)
        members = [c for c in contributions if state.book.is_member(c.address)]
        if state.relay.task.status != TaskStatus.RUNNING or not (members or (self._rotates and not early)):
            return []
        if self.extend and state.relay.task.round_number > 0:
            state.relay.extend(self.extend)
        self._value_updates(members)
        commitment = (
            calibration_commitment(state.calibration.items, state.calibration.salt) if state.calibration.items else NO_HASH
        )
        opened_for = self._open(members, commitment)
        if opened_for is None:
            return []
        members = opened_for
        state.log.ledger_round = state.relay.task.round_number
        state.log.roles = {address: role.name.lower() for address, role in state.roles.items()}
        if not early:
            self.newcomers.join(newcomers)
        state.reputations = state.relay.reputations(state.selected)
        taken = state.relay.commit(
            state.log.ledger_round, [c.commit for c in members], state.clients.refusal("commit-refused")
        )
        state.learn_samples(taken)
        return [c for c in members if c.address in set(taken)]

    def _open(self, members: list[Contribution], commitment: bytes) -> list[Contribution] | None:
        """Open the ledger's round; return the contributions of its workers, None where nobody is left to open it for.

        A member can leave at any time, also between the question who is one and the opening; then the rest is asked again.
        """
        state = self.state
        gone: set[str] = set()
        while True:
            state.roles = next_roles(state.relay, self.roles)
            if state.roles:
                gone |= set(self.expected) - set(state.roles)
                members = [c for c in members if state.roles.get(c.address) == Role.WORKER]
            state.selected = [c.address for c in members]
            # Where no worker came the round is opened all the same: who does what next follows from its end.
            selected = state.selected or [a for a, role in state.roles.items() if role == Role.WORKER]
            if not selected:
                break
            new = state.relay.open_round(selected + self._others(), calibration=commitment)
            gone |= new
            if not new:
                break
            members = [c for c in members if c.address not in gone]
        for address in sorted(gone, key=address_order):
            state.log.left(state.book.node(address), address)
        return members if selected else None

    def _value_updates(self, members: Sequence[Contribution]) -> None:
        """In a Shapley round, find what the updates are worth; the ledger's round opens with a hash of their factors."""
        state = self.state
        if self.shapley is None or not self.shapley.is_due(state.log.number):
            return
        assert isinstance(state.scorer, Alignment)
        assert isinstance(state.exchange, AveragedUpdates)
        with state.log.phase("shapley"):
            declared = [state.book.samples(one.address) for one in members]
            salt = keccak256(b"".join(one.report for one in members)) if state.terms.seed >= 0 else None
            state.calibration = self.shapley.opening(
                members, state.exchange, state.scorer, state.store, declared, salt=salt
            )

    @property
    def _rotates(self) -> bool:
        return isinstance(self.roles, Rotation)

    def _others(self) -> list[str]:
        """Return the drawn validators and miners that can be reached; of a role without any, all."""
        connected = set(self.state.clients.grid.get_node_ids())
        chosen: list[str] = []
        for role in (Role.VALIDATOR, Role.MINER):
            drawn = [address for address, its in self.state.roles.items() if its == role]
            chosen += [address for address in drawn if self.state.book.node(address) in connected] or drawn
        return chosen
