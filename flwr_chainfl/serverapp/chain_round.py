"""One round between clients and ledger: read replies, bring commitments and reveals, aggregate, score, pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flwr.app import Message
from flwr.serverapp import Grid

from flwr_chainfl.consensus import Standing
from flwr_chainfl.ledger import ScoreRequest
from flwr_chainfl.messages import RoundTerms
from flwr_chainfl.roles import Role
from flwr_chainfl.serverapp.attestation import seal
from flwr_chainfl.serverapp.book import Book
from flwr_chainfl.serverapp.calibration import Opening
from flwr_chainfl.serverapp.commitments import Commitments
from flwr_chainfl.serverapp.contribution import Contribution
from flwr_chainfl.serverapp.exchange import Aggregate
from flwr_chainfl.serverapp.judging import Judging
from flwr_chainfl.serverapp.key_registration import register_keys
from flwr_chainfl.serverapp.newcomers import Newcomers
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.serverapp.reveals import reveal
from flwr_chainfl.serverapp.round_clients import RoundClients
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.serverapp.round_result import RoundResult
from flwr_chainfl.serverapp.round_state import RoundState
from flwr_chainfl.serverapp.run_setup import RunSetup
from flwr_chainfl.storage import Store


class ChainRound:
    """A round of a ChainStrategy, in the order of its phases. A client that fails costs only itself: it becomes an event.

    calibration: the round's items and their salt; expected: the role of each member as it was drawn when the clients were
    asked, empty for workers alone
    """

    def __init__(
        self,
        setup: RunSetup,
        *,
        grid: Grid,
        terms: RoundTerms,
        log: RoundLog,
        book: Book,
        relay: Relay,
        store: Store,
        calibration: Opening,
        expected: Mapping[str, Role],
    ) -> None:
        self.log = log
        self.expected = expected
        self.clients = RoundClients(grid, log, book, setup.exchange, setup.phase_timeout)
        self.state = RoundState(
            terms=terms,
            log=log,
            book=book,
            relay=relay,
            store=store,
            exchange=setup.exchange,
            scorer=setup.scorer,
            clients=self.clients,
            calibration=calibration,
        )
        self._commitments = Commitments(
            state=self.state,
            newcomers=Newcomers(self.state, setup.admission, mint=setup.stake if setup.token is None else 0),
            roles=setup.roles,
            expected=expected,
            shapley=setup.shapley,
            extend=setup.reward_per_round if setup.num_rounds is None else 0,
        )
        self._judging = Judging(self.state, setup.assessment)
        self._marks: list[ScoreRequest] = []
        self._result = RoundResult(self.state, self._judging, setup.weighting)

    def meet(self, nodes: Sequence[int]) -> list[int]:
        """Ask the nodes whose key for sealed contents is not known for it; return those whose key is on the ledger."""
        return register_keys(self.state, nodes)

    def accept(self, replies: Sequence[Message], *, asked: Sequence[int]) -> list[Contribution]:
        """Return the contributions that were committed and truly revealed, ascending by address.

        replies: to the train messages; asked: the nodes that got one
        """
        self.log.received(replies)
        contributions = self._commitments.read(replies, asked)
        with self.log.phase("ledger"):
            committed = self._commitments.commit(contributions)
        return reveal(self.state, committed)

    def assess(self, accepted: Sequence[Contribution]) -> None:
        """Ask the assessors for marks on what was accepted, and bring those that come to the ledger."""
        self._marks = self._judging.ask(accepted)

    def tally(self, accepted: Sequence[Contribution]) -> list[Contribution]:
        """Return what the validators' votes let into the aggregate; all of it where nobody votes."""
        return self._judging.tally(accepted)

    def seal(self, accepted: Sequence[Contribution], entered: Sequence[Contribution]) -> None:
        """Let the miners attest what the round comes to; without their majority for it the round is void.

        accepted: all that was revealed, which miners check; entered: what the votes let in
        """
        seal(self.state, accepted, entered, self._marks)

    def score(self, accepted: Sequence[Contribution]) -> None:
        """Score all that was revealed; without the round's seed, nobody can be."""
        self._result.score(accepted)

    def aggregate(self, server_round: int, accepted: Sequence[Contribution]) -> Aggregate:
        """Let the exchange aggregate what was accepted; nothing was: nothing changes."""
        with self.state.log.phase("aggregate"):
            if not accepted or self.state.is_void:
                return Aggregate(None, None)
            standing = Standing(
                reputations=self.state.reputations,
                calibration=self.state.calibration.items,
                contributions=self._result.counted([contribution.address for contribution in accepted]),
            )
            return self.state.exchange.aggregate(server_round, accepted, standing)

    def settle(self, accepted: Sequence[Contribution], aggregate: Aggregate) -> None:
        """Post the scores, and pay what can be paid by now; a round that has none is void."""
        self._result.settle(accepted, aggregate)
