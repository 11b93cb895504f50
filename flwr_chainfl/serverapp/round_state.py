"""What the phases of a round share: what they work with, and what is known of the round so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr_chainfl.messages import RoundTerms
from flwr_chainfl.roles import Role
from flwr_chainfl.scoring import Facts, Scorer, marks_of
from flwr_chainfl.serverapp.book import Book
from flwr_chainfl.serverapp.calibration import Opening
from flwr_chainfl.serverapp.exchange import Exchange
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.serverapp.round_clients import RoundClients
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.storage import Store


@dataclass
class RoundState:
    """A round as far as it has come.

    calibration: the round's items and their salt; roles: of all that have one, by address, empty where everybody is a worker;
    selected: whose contributions the ledger's round was opened for; reputations: of these, WAD by address;
    attested: of each miner that attested, whether it did so for what was sealed; is_void: whether no majority sealed it
    """

    terms: RoundTerms
    log: RoundLog
    book: Book
    relay: Relay
    store: Store
    exchange: Exchange
    scorer: Scorer
    clients: RoundClients
    calibration: Opening
    roles: dict[str, Role] = field(default_factory=dict)
    selected: list[str] = field(default_factory=list)
    reputations: dict[str, int] = field(default_factory=dict)
    attested: dict[str, bool] = field(default_factory=dict)
    is_void: bool = False

    def facts(self, acted: Sequence[str], given: Mapping[str, Mapping[str, int]], *, seed: bytes) -> Facts:
        """Return what the scores of those that acted in the round rest on, ascending by address."""
        return Facts(
            samples=[self.book.samples(participant) for participant in acted],
            calibration=self.calibration.items,
            seed=seed,
            roles=[self.roles.get(participant, Role.WORKER) for participant in acted] if self.roles else (),
            marks=marks_of(acted, given, reference=self.terms.task) if given else (),
            attested=[self.attested.get(participant, False) for participant in acted] if self.attested else (),
        )

    def learn_samples(self, addresses: Sequence[str]) -> None:
        """Take from the ledger what those declare that cannot leave before this round is final."""
        for address, member in self.relay.task.memberships(addresses).items():
            self.book.declare(address, member.samples)
