"""The one strategy: it owns the round, from training over commitment and reveal to pay. Parts decide the rest."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterable
from pathlib import Path

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from flwr_chainfl.admission import Admission
from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ConfigError, ParticipationError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Ledger
from flwr_chainfl.record import earnings_table, write_plots
from flwr_chainfl.rewards import Proportional, Schedule
from flwr_chainfl.roles import Everyone, Rotation
from flwr_chainfl.scoring import Scorer, Weighting
from flwr_chainfl.serverapp.assessment import Assessment
from flwr_chainfl.serverapp.calibration import NO_CALIBRATION
from flwr_chainfl.serverapp.chain_round import ChainRound
from flwr_chainfl.serverapp.client_selection import ClientSelection
from flwr_chainfl.serverapp.exchange import Exchange
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.phases import wait_for_nodes
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.serverapp.round_terms import round_terms, with_terms
from flwr_chainfl.serverapp.run_opening import Run, open_run
from flwr_chainfl.serverapp.run_setup import Deadlines, RunSetup
from flwr_chainfl.serverapp.selection import Reputation, Selector
from flwr_chainfl.serverapp.validator_votes import ValidatorVotes
from flwr_chainfl.storage import RoundStore, Store

log = logging.getLogger("flwr")


class ChainStrategy(Strategy):
    """A Flower strategy whose rounds are committed to, scored and paid on a ledger.

    Use one of the presets, such as `FedSoftLabel`, or combine parts:

    Parameters
    ----------
    exchange : Exchange
        What travels: `Weights(inner=FedAvg())` or `SoftLabels(public_set, student)`.
    scorer : Scorer
        What a contribution is worth.
    shapley : Shapley, optional
        Corrects the pay of every F-th round by what the updates were worth; see `FedAlignment`. Default: no correction.
    weighting : Weighting, optional
        How much each contribution counts in the aggregate by what it scored, such as `Softmax`; with weights, Flower's
        num-examples are scaled. Default: no difference.
    schedule : Schedule, optional
        How a round's budget splits. Default: in proportion to the positive scores.
    assessment : Assessment, optional
        Who judges the contributions before they are scored: `PeerReview`, or `ValidatorVotes` where roles rotate. Default:
        nobody, and with `Rotation` its validators.
    roles : Rotation or Everyone
        Who does what in a round. `Rotation` needs an exchange in whole numbers, which miners can seal
        (``Weights(exact=ExactMean())``, ``SoftLabels(exact=True)``), and a `RoleReward` as scorer. Default: everybody trains.
    packed : bool
        Whether the clients' train replies open their own commitments, which saves an exchange a round and lets the server
        see contributions before all have committed. Of weights they always do.
    num_rounds : int, optional
        Rounds that the task is funded for. The run is closed (everybody paid, table printed) after this many.
        When left out, each round is funded as it comes, and the run is closed by `close()` or when the process
        ends.
    reward_per_round : int
        Token units.
    stake, bond : int
        Token units that a participant stakes at least, and that a posting of scores risks.
    slash_floor : int
        WAD. Scores above -slash_floor are not slashed.
    missing_slash : float
        Share of its stake that a participant loses when it commits and does not reveal.
    most_strikes : int
        A worker whose quality is 0 in so many of its rounds in a row is excluded: it takes part in no later round, and has its
        stake back when it leaves. 0: nobody is.
    streak_cap : int
        Up to so many rounds in a row that a participant earned in are counted for schedules such as `Consistency`; 0: none.
    settlement : str
        ``optimistic``: scores are posted, and the contract computes them when somebody challenges; ``onchain``: the
        contract computes them in every round, from reports that are published on chain.
    calibration_share : float
        Calibration items of a round, as a share of the public inputs, where the exchange knows labels of some; 0 for
        none.
    reputation : Reputation, optional
        Whether participants are remembered and chosen by what is known of them. Default: no.
    admission : Admission, optional
        Who may join: `AllowList` or `Invitations`. Default: everybody with a stake.
    randomness : str, optional
        Address of a `VRFRandomness` contract that the requester owns, for a word in each round's seed. Default: the
        seed is made of the participants' salts alone.
    ledger : str or Ledger
        ``embedded``, an RPC address (``http://…``, ``ipc:PATH``), or an open ledger.
    wallet : Wallet, optional
        The requester's account; needed for an RPC address.
    chain_id : int, optional
        The chain that is meant, for an RPC address.
    token : str, optional
        Address of the ERC-20 (with permit) that pays. Default: a new test token, worth nothing.
    store : str or Store, optional
        Where contents are kept: ``folder:PATH``, ``ipfs:http://HOST:5001`` for the RPC of an IPFS node, or an open
        store. Default: a folder in the run directory.
    keep_rounds : int, optional
        Rounds whose contents are kept; those of older ones are unpinned, after which an audit cannot recompute them.
        Default: all.
    deadlines : Deadlines
    seed : int, optional
        Makes runs repeat: the same seed gives the same ledger digest.
    run_directory : str or Path
        Parent of the run's directory.
    accuracy_key, loss_key : str
        Names of the clients' evaluation metrics that the run record shows.
    node_timeout, phase_timeout : float
        Seconds to wait for enough clients, and for the replies of a phase of the protocol.

    Raises
    ------
    ConfigError
        When a setting is out of range or parts do not fit together.
    """

    def __init__(
        self,
        *,
        exchange: Exchange,
        scorer: Scorer,
        weighting: Weighting | None = None,
        shapley: Shapley | None = None,
        schedule: Schedule | None = None,
        roles: Rotation | Everyone | None = None,
        assessment: Assessment | None = None,
        packed: bool = False,
        num_rounds: int | None = None,
        reward_per_round: int = 1000 * WAD,
        stake: int = 100 * WAD,
        bond: int = 50 * WAD,
        slash_floor: int = 0,
        missing_slash: float = 0.1,
        most_strikes: int = 0,
        streak_cap: int = 0,
        settlement: str = "optimistic",
        calibration_share: float = 0.02,
        reputation: Reputation | None = None,
        admission: Admission | None = None,
        randomness: str | None = None,
        ledger: str | Ledger = "embedded",
        wallet: Wallet | None = None,
        chain_id: int | None = None,
        token: str | None = None,
        store: str | Store | None = None,
        keep_rounds: int | None = None,
        deadlines: Deadlines | None = None,
        seed: int | None = None,
        run_directory: str | Path = "runs",
        accuracy_key: str = "accuracy",
        loss_key: str = "loss",
        node_timeout: float = 120.0,
        phase_timeout: float = 600.0,
    ) -> None:
        roles = roles if roles is not None else Everyone()
        if isinstance(roles, Rotation) and assessment is None:
            assessment = ValidatorVotes()
        setup = RunSetup(
            exchange=exchange,
            scorer=scorer,
            weighting=weighting,
            shapley=shapley,
            schedule=schedule if schedule is not None else Proportional(),
            roles=roles,
            assessment=assessment,
            packed=packed,
            num_rounds=num_rounds,
            reward_per_round=reward_per_round,
            stake=stake,
            bond=bond,
            slash_floor=slash_floor,
            missing_slash=missing_slash,
            most_strikes=most_strikes,
            streak_cap=streak_cap,
            settlement=settlement,
            calibration_share=calibration_share,
            reputation=reputation,
            admission=admission,
            randomness=randomness,
            ledger=ledger,
            wallet=wallet,
            chain_id=chain_id,
            token=token,
            store=store,
            keep_rounds=keep_rounds,
            deadlines=deadlines if deadlines is not None else Deadlines(),
            seed=seed,
            run_directory=run_directory,
            node_timeout=node_timeout,
            phase_timeout=phase_timeout,
        )
        self.exchange = setup.exchange
        self.scorer = setup.scorer
        self.weighting = setup.weighting
        self.schedule = setup.schedule
        self.roles = setup.roles
        self.assessment = setup.assessment
        self.num_rounds = setup.num_rounds
        self._setup = setup
        self._accuracy_key = accuracy_key
        self._loss_key = loss_key

        self._run: Run | None = None
        self._asked: list[int] = []
        self._selection = ClientSelection(setup, Selector(reputation, seed) if reputation is not None else None)
        self._closed = False

    # What Flower calls

    def summary(self) -> None:
        """Log the parts and the money."""
        setup = self._setup
        where = setup.ledger if isinstance(setup.ledger, str) else setup.ledger.chain.url
        log.info("\t├──> Exchange: %s", self.exchange.name)
        log.info("\t├──> Scorer: %s | schedule: %s", self.scorer.formula, self.schedule.contract)
        log.info("\t├──> Reward: %.2f tokens a round | stake: %.2f", setup.reward_per_round / WAD, setup.stake / WAD)
        log.info("\t└──> Ledger: %s | settlement: %s", where, setup.settlement)

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Configure the next round of training: Flower's messages, with the protocol's terms added."""
        wait_for_nodes(grid, wanted=_wanted(self.exchange.flower), timeout=self._setup.node_timeout)
        if self._run is None:
            self._run = self._open(grid)
        run = self._run
        if isinstance(run.store, RoundStore):
            run.store.begin_round(server_round)
        self.exchange.begin_round(arrays)
        messages = list(
            self.exchange.flower.configure_train(server_round, self.exchange.train_arrays(arrays), config, grid)
        )
        round_log = RoundLog(server_round)
        while run.refused:
            refusal = run.refused.pop(0)
            round_log.event(refusal.kind, refusal.node, refusal.detail)
        messages, expected = self._selection.select(messages, run.book, run.relay, round_log)
        run.round = ChainRound(
            self._setup,
            grid=grid,
            terms=round_terms(self._setup, run.relay, messages),
            log=round_log,
            book=run.book,
            relay=run.relay,
            store=run.store,
            calibration=run.calibration.draw() if run.calibration is not None else NO_CALIBRATION,
            expected=expected,
        )
        run.book.open_round(run.round.log)
        known = run.round.meet([message.metadata.dst_node_id for message in messages])
        messages = [message for message in messages if message.metadata.dst_node_id in known]
        envelopes = self.exchange.envelopes.terms(known) if self.exchange.envelopes is not None else None
        outgoing = [with_terms(message, run.round, envelopes) for message in messages]
        self._asked = [message.metadata.dst_node_id for message in outgoing]
        run.round.log.sent(outgoing)
        run.round.log.begin("train")
        return outgoing

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Bring the round to the ledger, aggregate what was accepted, score it and pay."""
        current = self._live().current()
        current.log.end("train")
        accepted = current.accept(list(replies), asked=self._asked)
        if not accepted and not self._live().book.has_members:
            self._write()
            raise ParticipationError(
                "nobody's contribution was accepted in the first round: " + "; ".join(sorted(current.log.reasons()))
            )
        current.assess(accepted)
        entered = current.tally(accepted)
        current.seal(accepted, entered)
        current.score(accepted)
        aggregate = current.aggregate(server_round, entered)
        current.settle(accepted, aggregate)
        return aggregate.arrays, aggregate.metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Configure the next round of evaluation: Flower's messages, with the protocol's terms added."""
        current = self._live().current()
        messages = self.exchange.flower.configure_evaluate(
            server_round, self.exchange.train_arrays(arrays), config, grid
        )
        outgoing = [with_terms(message, current) for message in messages]
        current.log.sent(outgoing)
        current.log.begin("evaluate")
        return outgoing

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Average the clients' evaluation metrics; after the last round, close the run."""
        current = self._live().current()
        current.log.end("evaluate")
        usable = current.clients.evaluations(list(replies))
        current.log.evaluated(usable)
        metrics = self.exchange.flower.aggregate_evaluate(server_round, usable) if usable else None
        if metrics is not None:
            current.log.accuracy = _scalar(metrics.get(self._accuracy_key))
            current.log.loss = _scalar(metrics.get(self._loss_key))
        self._write()
        if server_round == self.num_rounds:
            self.close()
        return metrics

    # What the user may call

    @property
    def run_directory(self) -> Path | None:
        """Where this run's record, plots, ledger log and contents are; None before the first round."""
        return self._run.book.record.directory if self._run is not None else None

    @property
    def relay(self) -> Relay | None:
        """The relay with its ledger and task; None before the first round."""
        return self._run.relay if self._run is not None else None

    def close(self) -> None:
        """Pay what is still to be paid, complete the task, send everybody what is theirs, and print the table.

        Called after the last round when `num_rounds` was given, and when the process ends; calling it again does
        nothing.
        """
        if self._closed or self._run is None:
            return
        self._closed = True
        atexit.unregister(self.close)
        run = self._run
        run.book.pay(run.relay.settle(wait=True))
        if run.relay.task.final_rounds == run.relay.task.round_number:
            run.relay.close()
        else:
            log.warning("The task stays open: one of its rounds is not settled")
        run.book.write(run.relay, digest=True)
        if isinstance(self._setup.ledger, str):  # one that was handed in may serve another task
            run.relay.ledger.close()
        record = run.book.record
        plots = write_plots(record.data, record.directory)
        log.info("")
        for line in earnings_table(record.data["participants"]).splitlines():
            log.info("%s", line)
        log.info("")
        log.info("Run record: %s", record.directory / "run.json")
        log.info("Plots:      %s", ", ".join(plot.name for plot in plots))

    # The run

    def _open(self, grid: Grid) -> Run:
        """Make what a run needs that is not there yet, and see to it that it is closed."""
        run = open_run(self._setup, grid, protocol=type(self).__name__)
        atexit.register(self.close)
        log.info("Run directory: %s", run.book.record.directory)
        return run

    def _live(self) -> Run:
        if self._run is None:
            raise ConfigError(f"{type(self).__name__} was called out of order; start it with strategy.start(grid, …)")
        return self._run

    def _write(self) -> None:
        run = self._live()
        run.current().log.gas = run.relay.take_gas()
        run.book.write(run.relay, digest=False)


def _wanted(flower: Strategy) -> int:
    """Return the number of connected nodes that Flower's sampling waits for."""
    return max(
        int(getattr(flower, name, 1)) for name in ("min_available_nodes", "min_train_nodes", "min_evaluate_nodes")
    )


def _scalar(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
