"""The one strategy: it owns the round, from training over commitment and reveal to pay. Parts decide the rest."""

from __future__ import annotations

import atexit
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from flwr_chainfl.admission import Admission
from flwr_chainfl.config import require
from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ConfigError, ParticipationError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import NOBODY, Average, Ledger, Registry, Settings
from flwr_chainfl.messages import EnvelopeTerms, RoundTerms, write_terms
from flwr_chainfl.record import RunRecord, earnings_table, write_plots
from flwr_chainfl.rewards import Proportional, Schedule
from flwr_chainfl.roles import Everyone, Role, Rotation
from flwr_chainfl.scoring import Alignment, RoleReward, Scorer, Weighting
from flwr_chainfl.serverapp.assessment import Assessment
from flwr_chainfl.serverapp.averaging import Averaging
from flwr_chainfl.serverapp.book import Book
from flwr_chainfl.serverapp.calibration import Calibration
from flwr_chainfl.serverapp.chain_round import ChainRound, next_roles, usable_evaluations
from flwr_chainfl.serverapp.exchange import Exchange, Refusal, Surroundings
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.fitting import check_reviews, check_roles
from flwr_chainfl.serverapp.phases import wait_for_nodes
from flwr_chainfl.serverapp.relay import NO_CALIBRATION, Relay
from flwr_chainfl.serverapp.round_log import RoundLog
from flwr_chainfl.serverapp.selection import Reputation, Repute, Selector
from flwr_chainfl.serverapp.updates_exchange import AveragedUpdates
from flwr_chainfl.serverapp.validator_votes import ValidatorVotes
from flwr_chainfl.storage import FolderStore, RoundStore, Store, open_store

log = logging.getLogger("flwr")

_JOIN_SECONDS = 7 * 24 * 3600
_UNPLANNED = 1_000_000  # rounds for which a test token is minted when their number is not known
_BONDS_FUNDED = 8  # postings that can wait for the end of their challenge window at once


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
        require("reward_per_round", reward_per_round, minimum=1)
        require("stake", stake, minimum=1)
        require("bond", bond, minimum=0)
        require("slash_floor", slash_floor, minimum=0)
        require("missing_slash", missing_slash, minimum=0, maximum=1)
        require("most_strikes", most_strikes, minimum=0, maximum=2**16 - 1)
        require("streak_cap", streak_cap, minimum=0, maximum=2**16 - 1)
        require("node_timeout", node_timeout, above=0)
        require("phase_timeout", phase_timeout, above=0)
        if num_rounds is not None:
            require("num_rounds", num_rounds, minimum=1)
        if keep_rounds is not None:
            require("keep_rounds", keep_rounds, minimum=1)
        if seed is not None:
            require("seed", seed, minimum=0)
        if scorer.report_kind != exchange.report_kind:
            raise ConfigError(
                f"{type(scorer).__name__} scores {scorer.report_kind}, {type(exchange).__name__} brings "
                f"{exchange.report_kind}; choose a scorer of {exchange.report_kind}"
            )
        for name in ("tasks", "classes"):
            of_scorer, of_exchange = getattr(scorer, name, None), getattr(exchange, name, None)
            if of_scorer is not None and of_exchange is not None and of_scorer != of_exchange:
                raise ConfigError(
                    f"{type(scorer).__name__} scores {of_scorer} {name}, {type(exchange).__name__} brings {of_exchange}; make "
                    f"both alike"
                )
        if settlement not in ("optimistic", "onchain"):
            raise ConfigError(f"settlement is {settlement!r}; 'optimistic' and 'onchain' are possible")
        require("calibration_share", calibration_share, minimum=0, maximum=1)
        self.exchange = exchange
        self.scorer = scorer
        self.weighting = weighting
        if shapley is not None and not (isinstance(scorer, Alignment) and isinstance(exchange, AveragedUpdates)):
            raise ConfigError("Shapley values are of updates that the contract averages; use FedAlignment, or leave shapley out")
        self._shapley = shapley
        self.schedule: Schedule = schedule if schedule is not None else Proportional()
        self.roles: Rotation | Everyone = roles if roles is not None else Everyone()
        if isinstance(self.roles, Rotation):
            assessment = assessment if assessment is not None else ValidatorVotes()
        check_roles(self.roles, exchange, scorer, assessment, weighting)
        check_reviews(scorer, assessment)
        self.assessment = assessment
        self._packed = packed
        self.num_rounds = num_rounds
        self._reward_per_round = reward_per_round
        self._stake = stake
        self._bond = bond
        self._slash_floor = slash_floor
        self._missing_slash = missing_slash
        self._most_strikes = most_strikes
        self._streak_cap = streak_cap
        self._settlement = settlement
        self._calibration_share = calibration_share
        self._calibration: Calibration | None = None
        self._reputation = reputation
        self._admission = admission
        self._randomness = randomness
        self._ledger = ledger
        self._wallet = wallet
        self._chain_id = chain_id
        self._token = token
        self._store = store
        self._keep_rounds = keep_rounds
        self._deadlines = deadlines if deadlines is not None else Deadlines()
        self._seed = seed
        self._run_directory = run_directory
        self._accuracy_key = accuracy_key
        self._loss_key = loss_key
        self._node_timeout = node_timeout
        self._phase_timeout = phase_timeout

        self._run: _Run | None = None
        self._asked: list[int] = []
        self._selector = Selector(reputation, seed) if reputation is not None else None
        self._closed = False

    # What Flower calls

    def summary(self) -> None:
        """Log the parts and the money."""
        where = self._ledger if isinstance(self._ledger, str) else self._ledger.chain.url
        log.info("\t├──> Exchange: %s", self.exchange.name)
        log.info("\t├──> Scorer: %s | schedule: %s", self.scorer.formula, self.schedule.contract)
        log.info("\t├──> Reward: %.2f tokens a round | stake: %.2f", self._reward_per_round / WAD, self._stake / WAD)
        log.info("\t└──> Ledger: %s | settlement: %s", where, self._settlement)

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Configure the next round of training: Flower's messages, with the protocol's terms added."""
        wait_for_nodes(grid, wanted=_wanted(self.exchange.flower), timeout=self._node_timeout)
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
        messages = self._select(run, messages, round_log)
        expected = self._drawn(run)
        excluded = run.relay.excluded()
        messages = [m for m in messages if self._is_asked(run, m, expected, excluded, round_log)]
        run.round = ChainRound(
            grid=grid,
            terms=self._terms(run.relay, messages),
            log=round_log,
            book=run.book,
            relay=run.relay,
            store=run.store,
            exchange=self.exchange,
            scorer=self.scorer,
            assessment=self.assessment,
            admission=self._admission,
            shapley=self._shapley,
            weighting=self.weighting,
            calibration=self._calibration.draw() if self._calibration is not None else NO_CALIBRATION,
            roles=self.roles,
            expected=expected,
            mint=self._stake if self._token is None else 0,
            extend=self._reward_per_round if self.num_rounds is None else 0,
            timeout=self._phase_timeout,
        )
        run.book.open_round(run.round.log)
        known = run.round.meet([message.metadata.dst_node_id for message in messages])
        messages = [message for message in messages if message.metadata.dst_node_id in known]
        envelopes = self.exchange.envelopes.terms(known) if self.exchange.envelopes is not None else None
        outgoing = [self._with_terms(message, run.round.terms, envelopes) for message in messages]
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
        outgoing = [self._with_terms(message, current.terms) for message in messages]
        current.log.sent(outgoing)
        current.log.begin("evaluate")
        return outgoing

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Average the clients' evaluation metrics; after the last round, close the run."""
        current = self._live().current()
        current.log.end("evaluate")
        usable = usable_evaluations(list(replies), current)
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
        if isinstance(self._ledger, str):  # one that was handed in may serve another task
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

    def _open(self, grid: Grid) -> _Run:
        """Make the run directory, open the ledger, deploy the task, get the exchange ready, and fund the task."""
        record = RunRecord(self._run_directory)
        store = self._open_store(record.directory)
        ledger = self._ledger
        if isinstance(ledger, str):
            ledger = Ledger.open(
                ledger,
                wallet=self._wallet,
                chain_id=self._chain_id,
                log_file=record.directory / "ledger.jsonl",
                seed=self._seed or 0,
            )
        token = self._fund(ledger)
        registry = self._open_registry(ledger)
        source = ledger.randomness(self._randomness) if self._randomness is not None else None
        workers, validators, miners = self.roles.as_shares()
        settings = Settings(
            token=token,
            scorer=_deploy_scorer(ledger, self.scorer),
            schedule=ledger.deploy(self.schedule.contract, self.schedule.arguments),
            minimum_stake=self._stake,
            bond=self._bond,
            slash_per_score=self._stake // 10,
            slash_floor=self._slash_floor,
            minimum_members=1,
            maximum_members=400,
            commit_seconds=self._deadlines.commit,
            reveal_seconds=self._deadlines.reveal,
            settle_seconds=self._deadlines.settle,
            challenge_seconds=self._deadlines.challenge,
            missing_slash_bps=int(self._missing_slash * 10_000),
            late_join=True,
            onchain=self._settlement == "onchain",
            reputation=registry.address if registry is not None else NOBODY,
            admission=ledger.deploy(self._admission.contract, self._admission.arguments) if self._admission else NOBODY,
            randomness=source.address if source is not None else NOBODY,
            assess_seconds=self._deadlines.assess if self.assessment is not None else 0,
            seal_seconds=self._deadlines.seal if miners else 0,
            workers=workers,
            validators=validators,
            miners=miners,
            most_strikes=self._most_strikes,
            streak_cap=self._streak_cap,
        )
        relay = Relay(ledger, ledger.deploy_task(settings), token=token)
        if registry is not None:
            registry.authorise(relay.task.address)
        if source is not None:
            source.authorise(relay.task.address)
        if self.exchange.envelopes is not None:
            self.exchange.envelopes.open(relay, store)
        if isinstance(self.scorer, Alignment):
            average = Average(ledger.chain, settings.scorer)
            relay.averaging = Averaging(average, relay.task, self.scorer, kept=self._settlement == "onchain")
        surroundings = Surroundings(
            grid=grid, store=store, directory=record.directory, seed=self._seed, timeout=self._phase_timeout,
            domain=relay.task.domain, simulated=ledger.is_development,
        )
        try:
            refused = self.exchange.open(surroundings)
        except Exception:
            if isinstance(self._ledger, str):  # its log must not stay open
                ledger.close()
            raise
        known = self.exchange.known_labels
        if known is not None and self._calibration_share > 0:
            self._calibration = Calibration(known, share=self._calibration_share, seed=self._seed)
        terms = {
            "protocol": type(self).__name__,
            **self.exchange.terms(),
            "calibration-share": self._calibration_share if self._calibration is not None else 0,
            "reputation": asdict(self._reputation) if self._reputation is not None else None,
            "admission": _admission_terms(self._admission, store),
            "scorer": _scorer_terms(self.scorer),
            "roles": list(self.roles.as_shares()),
            "assessment": self.assessment.terms() if self.assessment is not None else None,
            "weighting": self.weighting.as_dict() if self.weighting is not None else None,
            "schedule": {"contract": self.schedule.contract, "arguments": [str(a) for a in self.schedule.arguments]},
        }
        cid = store.put(json.dumps(terms, sort_keys=True).encode())
        rounds = self.num_rounds or 1
        relay.initialize(cid, rounds=rounds, pool=rounds * self._reward_per_round)
        record.data["protocol"] = type(self).__name__
        record.data["config"] = {
            **terms,
            "terms": cid,
            "num-rounds": self.num_rounds,
            "reward-per-round": str(self._reward_per_round),
            "settings": {k: v if isinstance(v, bool) else str(v) for k, v in asdict(settings).items()},
            "seed": self._seed,
            "store": store.location if self._store is not None else None,
            "keep-rounds": self._keep_rounds,
        }
        record.data["ledger"] = {"url": ledger.chain.url, "task": relay.task.address, "block": 0, "digest": None}
        run = _Run(Book(record), relay, store, refused)
        run.book.write(relay, digest=False)
        atexit.register(self.close)
        log.info("Run directory: %s", record.directory)
        return run

    def _open_store(self, directory: Path) -> Store:
        """Open the store that was named, or a folder in the run directory, with an end to what it keeps."""
        store = self._store if self._store is not None else FolderStore(directory / "store")
        if isinstance(store, str):
            store = open_store(store)
        return store if self._keep_rounds is None else RoundStore(store, keep_rounds=self._keep_rounds)

    def _open_registry(self, ledger: Ledger) -> Registry | None:
        """Return the registry of reputations, a new one where none was named."""
        if self._reputation is None:
            return None
        if self._reputation.registry is None:
            return ledger.deploy_registry()
        return ledger.registry(self._reputation.registry)

    def _select(self, run: _Run, messages: list[Message], round_log: RoundLog) -> list[Message]:
        """Leave out those in bad repute, as far as enough nodes are left."""
        if self._selector is None:
            return messages
        nodes = {message.metadata.dst_node_id: run.book.address(message.metadata.dst_node_id) for message in messages}
        registry = run.relay.registry
        assert registry is not None
        out = self._selector.excluded(
            list(nodes),
            {
                node: Repute(registry.reputation(address), registry.rounds_known(address))
                for node, address in nodes.items()
                if address is not None
            },
            at_least=int(getattr(self.exchange.flower, "min_train_nodes", 1)),
        )
        for node, reputation in out.items():
            reason = f"its reputation of {reputation / WAD:.2f} is too low"
            log.info("Node %d is not chosen: %s", node, reason)
            round_log.event("not-chosen", node, reason, nodes[node])
        return [message for message in messages if message.metadata.dst_node_id not in out]

    def _fund(self, ledger: Ledger) -> str:
        """Return the token that pays, of which the requester has enough."""
        requester = ledger.chain.wallet.address
        need = (self.num_rounds or 1) * self._reward_per_round + _BONDS_FUNDED * self._bond
        if self._token is None:
            if not ledger.is_development:
                log.warning("Paying in a new test token, worth nothing; name your own with token=ADDRESS")
            token = ledger.deploy_token()
            ledger.mint(token, [requester], need if self.num_rounds else need + _UNPLANNED * self._reward_per_round)
            return token
        if (has := ledger.token_balance(self._token, requester)) < need:
            raise ConfigError(
                f"the requester {requester} has {has} units of the token {self._token}; rewards and bonds need {need}: "
                f"give it more, or lower reward_per_round"
            )
        return self._token

    def _drawn(self, run: _Run) -> dict[str, Role]:
        """Return the roles of the round that is opened next; empty where none are drawn, and before anybody has joined."""
        return next_roles(run.relay, self.roles) if run.book.has_members else {}

    def _is_asked(
        self, run: _Run, message: Message, expected: Mapping[str, Role], excluded: set[str], round_log: RoundLog
    ) -> bool:
        """Say whether a node is asked to train: workers, who is no member yet, and where each has a model of its own, all."""
        node = message.metadata.dst_node_id
        member = run.book.member(node)
        if member in excluded:
            reason = f"what it contributed was worth nothing in {self._most_strikes} rounds in a row"
            round_log.event("excluded", node, reason, member)
            return False
        return not member or not expected or self.exchange.trains_everybody or expected.get(member) == Role.WORKER

    def _terms(self, relay: Relay, messages: list[Message]) -> RoundTerms:
        token, signals = relay.ledger.token_domain(relay.token), self.exchange.signals
        return RoundTerms(
            exchange=self.exchange.name,
            round_number=relay.task.round_number + 1,
            chain_id=relay.ledger.chain.chain_id,
            task=relay.task.address,
            token=token.contract or relay.token,
            token_name=token.name,
            token_version=token.version,
            stake=str(self._stake),
            deadline=relay.ledger.chain.now() + _JOIN_SECONDS,
            nonce=0,
            seed=self._seed if self._seed is not None else -1,
            simulated=relay.ledger.is_development,
            clipped=self.exchange.clipped,
            signal_tasks=signals.tasks if signals is not None else 0,
            signal_levels=signals.levels if signals is not None else 0,
            key_scheme=self.exchange.envelopes.scheme if self.exchange.envelopes is not None else "x25519",
            packed=self._packed,
            arrays_key=next((name for m in messages for name in m.content.array_records), "arrays"),
        )

    def _with_terms(self, message: Message, terms: RoundTerms, envelopes: EnvelopeTerms | None = None) -> Message:
        """Give a Flower message a content of its own, with the protocol's terms and without an empty ArrayRecord."""
        key, config = next(iter(message.content.config_records.items()))
        node = message.metadata.dst_node_id
        consensus = self.exchange.consensus_terms(node)
        member = self._live().book.member(node)
        role = self._live().current().expected.get(member)
        terms = replace(terms, member=member, role=role.name.lower() if role is not None else "")
        content = RecordDict({name: record for name, record in message.content.items() if name != key and len(record)})
        parts = [part for part in (consensus, envelopes, self.exchange.update_terms()) if part is not None]
        content[key] = write_terms(config, terms, *parts)
        message.content = content
        return message

    def _live(self) -> _Run:
        if self._run is None:
            raise ConfigError(f"{type(self).__name__} was called out of order; start it with strategy.start(grid, …)")
        return self._run

    def _write(self) -> None:
        run = self._live()
        run.current().log.gas = run.relay.take_gas()
        run.book.write(run.relay, digest=False)


@dataclass
class _Run:
    """What exists from the first round on."""

    book: Book
    relay: Relay
    store: Store
    refused: list[Refusal]  # before the first round, in whose log they go
    round: ChainRound | None = None

    def current(self) -> ChainRound:
        """Return the round that is going on."""
        if self.round is None:
            raise ConfigError("the strategy was called out of order: no round was configured")
        return self.round


def _deploy_scorer(ledger: Ledger, scorer: Scorer) -> str:
    """Deploy a scorer's twin, after that of the scorer that it wraps."""
    if not isinstance(scorer, RoleReward):
        return ledger.deploy(scorer.contract, scorer.arguments)
    inner = NOBODY if scorer.inner is None else _deploy_scorer(ledger, scorer.inner)
    return ledger.deploy(scorer.contract, (inner, *scorer.arguments))


def _scorer_terms(scorer: Scorer) -> dict[str, Any]:
    terms = {"contract": scorer.contract, "arguments": [str(a) for a in scorer.arguments]}
    if isinstance(scorer, RoleReward) and scorer.inner is not None:
        return {**terms, "inner": _scorer_terms(scorer.inner)}
    return terms


def _admission_terms(admission: Admission | None, store: Store) -> dict[str, Any] | None:
    """Return what the task's terms say of its admission, and store the list where there is one."""
    if admission is None:
        return None
    document = admission.document()
    return {
        "contract": admission.contract,
        "arguments": ["0x" + a.hex() if isinstance(a, bytes) else str(a) for a in admission.arguments],
        "list": store.put(document) if document else None,
    }


def _wanted(flower: Strategy) -> int:
    """Return the number of connected nodes that Flower's sampling waits for."""
    return max(
        int(getattr(flower, name, 1)) for name in ("min_available_nodes", "min_train_nodes", "min_evaluate_nodes")
    )


def _scalar(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
