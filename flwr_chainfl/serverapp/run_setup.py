"""What a run is made with: parts that go together, and settings that are in range."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flwr_chainfl.admission import Admission
from flwr_chainfl.config import require
from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.ledger import Ledger
from flwr_chainfl.rewards import Schedule
from flwr_chainfl.roles import Everyone, Rotation
from flwr_chainfl.scoring import Scorer, Weighting
from flwr_chainfl.serverapp.assessment import Assessment
from flwr_chainfl.serverapp.exchange import Exchange
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.fitting import check_reviews, check_roles, check_scorer, check_shapley
from flwr_chainfl.serverapp.selection import Reputation
from flwr_chainfl.storage import Store


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Periods of a round on the ledger, in seconds.

    commit: to commit, from the opening; reveal: to reveal, after that; assess: to judge the contributions, after that, where
    somebody does; seal: to attest the aggregate, after that, where somebody does; settle: to post scores, after that;
    challenge: to challenge a posting. On a chain whose tokens are worth something, make the last one long enough
    for people to look.
    """

    commit: int = 60
    reveal: int = 60
    assess: int = 600
    seal: int = 600
    settle: int = 600
    challenge: int = 60


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """The parameters of a `ChainStrategy`, which says what each is, with every part that it leaves out put in.

    Raises ConfigError when a setting is out of range or parts do not fit together.
    """

    exchange: Exchange
    scorer: Scorer
    weighting: Weighting | None
    shapley: Shapley | None
    schedule: Schedule
    roles: Rotation | Everyone
    assessment: Assessment | None
    packed: bool
    num_rounds: int | None
    reward_per_round: int
    stake: int
    bond: int
    slash_floor: int
    missing_slash: float
    most_strikes: int
    streak_cap: int
    settlement: str
    calibration_share: float
    reputation: Reputation | None
    admission: Admission | None
    randomness: str | None
    ledger: str | Ledger
    wallet: Wallet | None
    chain_id: int | None
    token: str | None
    store: str | Store | None
    keep_rounds: int | None
    deadlines: Deadlines
    seed: int | None
    run_directory: str | Path
    node_timeout: float
    phase_timeout: float

    def __post_init__(self) -> None:
        require("reward_per_round", self.reward_per_round, minimum=1)
        require("stake", self.stake, minimum=1)
        require("bond", self.bond, minimum=0)
        require("slash_floor", self.slash_floor, minimum=0)
        require("missing_slash", self.missing_slash, minimum=0, maximum=1)
        require("most_strikes", self.most_strikes, minimum=0, maximum=2**16 - 1)
        require("streak_cap", self.streak_cap, minimum=0, maximum=2**16 - 1)
        require("node_timeout", self.node_timeout, above=0)
        require("phase_timeout", self.phase_timeout, above=0)
        if self.num_rounds is not None:
            require("num_rounds", self.num_rounds, minimum=1)
        if self.keep_rounds is not None:
            require("keep_rounds", self.keep_rounds, minimum=1)
        if self.seed is not None:
            require("seed", self.seed, minimum=0)
        check_scorer(self.scorer, self.exchange)
        if self.settlement not in ("optimistic", "onchain"):
            raise ConfigError(f"settlement is {self.settlement!r}; 'optimistic' and 'onchain' are possible")
        require("calibration_share", self.calibration_share, minimum=0, maximum=1)
        check_shapley(self.shapley, self.scorer, self.exchange)
        check_roles(self.roles, self.exchange, self.scorer, self.assessment, self.weighting)
        check_reviews(self.scorer, self.assessment)
