"""Judging: marks on a round's contributions are asked for and brought to the ledger; votes follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flwr_chainfl.crypto import address_order
from flwr_chainfl.errors import ChainFLError
from flwr_chainfl.ledger import NO_HASH, ScoreRequest
from flwr_chainfl.messages import REPLY_RECORD
from flwr_chainfl.scoring import RoleReward
from flwr_chainfl.serverapp.assessment import Assessment, assessment_message, read_marks
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.round_state import RoundState


@dataclass(frozen=True)
class Judging:
    """Lets some judge what others contributed; assessment: who and how, None for nobody."""

    state: RoundState
    assessment: Assessment | None

    def ask(self, accepted: Sequence[Contribution]) -> list[ScoreRequest]:
        """Ask the assessors for marks on what was accepted, and bring those that come to the ledger; return the ones taken."""
        state = self.state
        if self.assessment is None or not accepted:
            return []
        judged = {c.address: state.exchange.judged(c, state.store) for c in accepted}
        reference = state.exchange.reference if self.assessment.judges_reference else None
        assessors = {
            state.book.node(address): address for address in self.assessment.assessors(list(judged), state.roles)
        }
        items = state.calibration.items
        names = list(state.exchange.reference) if state.exchange.envelopes is not None else []
        messages = [
            message
            for node, address in sorted((n, a) for n, a in assessors.items() if n is not None)
            if (message := assessment_message(
                self.assessment, state.terms, node, address, judged, reference, names=names,
                consensus=state.exchange.consensus_terms(node), calibration=items,
            )) is not None
        ]
        columns = sorted([*judged, *([state.terms.task] if reference is not None else [])], key=address_order)
        requests: list[ScoreRequest] = []
        with state.log.phase("assess"):
            for reply in state.clients.ask(messages, "no-marks", f"no reply to {self.assessment.message_type} in time"):
                node = reply.metadata.src_node_id
                try:
                    requests.append(read_marks(reply, state.terms, assessors[node], columns))
                    spent = reply.content.config_records[REPLY_RECORD].get("opening-seconds")
                    state.log.spent("clients, opening", spent)
                except ChainFLError as error:
                    state.clients.failed("unusable-marks", node, str(error))
        with state.log.phase("ledger"):
            requests.sort(key=lambda request: address_order(request.participant))
            taken = set(state.relay.assess(state.log.ledger_round, requests, state.clients.refusal("marks-refused")))
            return [request for request in requests if request.participant in taken]

    def tally(self, accepted: Sequence[Contribution]) -> list[Contribution]:
        """Return what the validators' votes let into the aggregate; all of it where nobody votes."""
        state = self.state
        if not isinstance(state.scorer, RoleReward) or not accepted:
            return list(accepted)
        given = self.marks()
        reports = {c.address: c.report for c in accepted}
        acted = sorted({*reports, *given}, key=address_order)
        good = state.scorer.accepted([reports.get(one, b"") for one in acted], state.facts(acted, given, seed=NO_HASH))
        entered = {one for one, enters in zip(acted, good, strict=True) if enters}
        state.log.accepted = sorted(entered, key=address_order)
        return [c for c in accepted if c.address in entered]

    def marks(self) -> dict[str, dict[str, int]]:
        """Return what the ledger has of this round's marks, WAD by subject, by assessor; and note them."""
        if self.assessment is None:
            return {}
        given = {
            one.participant: dict(zip(one.subjects, one.scores, strict=True))
            for one in self.state.relay.task.submissions()
        }
        self.state.log.marks = {
            assessor: {subject: str(score) for subject, score in marks.items()} for assessor, marks in given.items()
        }
        return given
