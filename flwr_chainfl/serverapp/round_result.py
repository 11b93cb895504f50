"""A round's result: all that was revealed is scored, and the scores are posted and paid."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from flwr_chainfl.crypto import address_order
from flwr_chainfl.ledger import NO_HASH, Result
from flwr_chainfl.scoring import Weighting
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.exchange import Aggregate
from flwr_chainfl.serverapp.judging import Judging
from flwr_chainfl.serverapp.round_state import RoundState
from flwr_chainfl.serverapp.settlement import Revealed
from flwr_chainfl.storage import digest

log = logging.getLogger("flwr")


@dataclass
class RoundResult:
    """What a round's participants scored; without the round's seed, nobody did.

    weighting: how scores count in the aggregate, None where all contributions count alike
    """

    state: RoundState
    judging: Judging
    weighting: Weighting | None
    _revealed: list[Revealed] = field(default_factory=list)
    _acted: list[Revealed] = field(default_factory=list)
    _result: Result | None = None

    def score(self, accepted: Sequence[Contribution]) -> None:
        """Score all that was revealed; without the round's seed, nobody can be."""
        state = self.state
        if state.log.ledger_round == 0:
            return
        with state.log.phase("ledger"):
            revealed = [Revealed(c.address, digest(c.cid), c.report, c.salt) for c in accepted]
            revealed += state.relay.direct_reveals(state.log.ledger_round, [c.address for c in accepted])
            revealed.sort(key=lambda one: address_order(one.participant))
            self._revealed = revealed
            given = self.judging.marks()
            reports = {one.participant: one for one in revealed}
            acted = sorted({*reports, *given, *state.attested}, key=address_order)
            self._acted = [reports.get(one) or Revealed(one, NO_HASH, b"", NO_HASH) for one in acted]
            state.learn_samples([one for one in acted if one not in {c.address for c in accepted}])
            if state.is_void or (state.exchange.is_exact and not accepted):
                return
            seed = state.relay.seed(state.log.ledger_round)
            if seed is None:
                self._give_up_reason()
                return
            facts = state.facts(acted, given, seed=seed)
            if state.relay.averaging is not None:
                state.relay.averaging.keep([contribution.evidence for contribution in accepted])
            scored = state.scorer.score([one.report for one in self._acted], facts)
            for kind, note in scored.notes if revealed else ():
                log.warning("%s", note)
                state.log.event(kind, None, note)
            self._result = Result(
                participants=tuple(acted),
                scores=tuple(scored.scores),
                qualities=tuple(scored.qualities),
                calibration=state.calibration.items,
            )
            state.log.seed = facts.seed.hex()

    def settle(self, accepted: Sequence[Contribution], aggregate: Aggregate) -> None:
        """Post the scores, and pay what can be paid by now; a round that has none is void."""
        state = self.state
        if state.log.ledger_round == 0:
            return
        with state.log.phase("ledger"):
            revealed, result = self._revealed, self._result
            contents = {c.address: c.cid for c in accepted}
            state.log.consensus = aggregate.consensus
            state.log.reference = aggregate.reference or state.log.reference
            state.log.weights = aggregate.weights
            state.log.reputations = state.reputations
            if result is None:
                state.book.enter(state.log, self._acted, contents)
                state.relay.void(state.log.ledger_round)
                return
            state.log.calibration = state.calibration.items.hex() if revealed else ""
            state.book.score(state.log, self._acted, result, contents)
            state.relay.post(state.log.ledger_round, revealed, result, calibration=state.calibration)
            embedded = state.relay.ledger.chain.url == "embedded"  # its clock moves when asked to
            state.book.pay(state.relay.settle(wait=embedded))

    def counted(self, addresses: Sequence[str]) -> dict[str, int]:
        """Return what each contribution counts by what it scored, MICRO; empty where all count alike."""
        if self.weighting is None or self._result is None:
            return {}
        scores = dict(zip(self._result.participants, self._result.scores, strict=True))
        return dict(zip(addresses, self.weighting.weights([scores[a] for a in addresses]), strict=True))

    def _give_up_reason(self) -> None:
        """Say why nobody can be scored, where something was revealed."""
        if self._revealed:
            reason = "the source of randomness gave no word before the round's deadline; the round is void"
            log.warning("Round %d: %s", self.state.log.ledger_round, reason)
            self.state.log.event("no-randomness", None, reason)
