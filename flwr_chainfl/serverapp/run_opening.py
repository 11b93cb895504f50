"""What is there before the first round: run directory, store, ledger, and a task that is deployed, funded and authorised."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from flwr.serverapp import Grid

from flwr_chainfl.admission import Admission
from flwr_chainfl.errors import ConfigError
from flwr_chainfl.ledger import NOBODY, Average, Ledger, Registry, Settings
from flwr_chainfl.record import RunRecord
from flwr_chainfl.scoring import Alignment, RoleReward, Scorer
from flwr_chainfl.serverapp.averaging import Averaging
from flwr_chainfl.serverapp.book import Book
from flwr_chainfl.serverapp.calibration import Calibration
from flwr_chainfl.serverapp.chain_round import ChainRound
from flwr_chainfl.serverapp.exchange import Refusal, Surroundings
from flwr_chainfl.serverapp.relay import Relay
from flwr_chainfl.serverapp.run_setup import RunSetup
from flwr_chainfl.serverapp.task_terms import task_terms
from flwr_chainfl.storage import FolderStore, RoundStore, Store, open_store

log = logging.getLogger("flwr")

_UNPLANNED = 1_000_000  # rounds for which a test token is minted when their number is not known
_BONDS_FUNDED = 8  # postings that can wait for the end of their challenge window at once


@dataclass
class Run:
    """What exists from the first round on."""

    book: Book
    relay: Relay
    store: Store
    calibration: Calibration | None
    refused: list[Refusal]  # before the first round, in whose log they go
    round: ChainRound | None = None

    def current(self) -> ChainRound:
        """Return the round that is going on."""
        if self.round is None:
            raise ConfigError("the strategy was called out of order: no round was configured")
        return self.round


def open_run(setup: RunSetup, grid: Grid, *, protocol: str) -> Run:
    """Make the run directory, open the ledger, deploy the task, get the exchange ready, and fund the task.

    protocol: name of the strategy
    """
    record = RunRecord(setup.run_directory)
    store = _open_store(setup, record.directory)
    ledger = _open_ledger(setup, record.directory)
    try:
        return _open_on(ledger, setup, grid, record, store, protocol)
    except BaseException:
        if isinstance(setup.ledger, str):  # nobody else could close it, and its log must not stay open
            ledger.close()
        raise


def _open_on(ledger: Ledger, setup: RunSetup, grid: Grid, record: RunRecord, store: Store, protocol: str) -> Run:
    """Deploy the task on a ledger, get the exchange ready, and fund the task."""
    token = _fund(setup, ledger)
    registry = _open_registry(setup, ledger)
    source = ledger.randomness(setup.randomness) if setup.randomness is not None else None
    workers, validators, miners = setup.roles.as_shares()
    settings = Settings(
        token=token,
        scorer=_deploy_scorer(ledger, setup.scorer),
        schedule=ledger.deploy(setup.schedule.contract, setup.schedule.arguments),
        minimum_stake=setup.stake,
        bond=setup.bond,
        slash_per_score=setup.stake // 10,
        slash_floor=setup.slash_floor,
        minimum_members=1,
        maximum_members=400,
        commit_seconds=setup.deadlines.commit,
        reveal_seconds=setup.deadlines.reveal,
        settle_seconds=setup.deadlines.settle,
        challenge_seconds=setup.deadlines.challenge,
        missing_slash_bps=int(setup.missing_slash * 10_000),
        late_join=True,
        onchain=setup.settlement == "onchain",
        reputation=registry.address if registry is not None else NOBODY,
        admission=_deploy_admission(ledger, setup.admission),
        randomness=source.address if source is not None else NOBODY,
        assess_seconds=setup.deadlines.assess if setup.assessment is not None else 0,
        seal_seconds=setup.deadlines.seal if miners else 0,
        workers=workers,
        validators=validators,
        miners=miners,
        most_strikes=setup.most_strikes,
        streak_cap=setup.streak_cap,
    )
    relay = Relay(ledger, ledger.deploy_task(settings), token=token)
    if registry is not None:
        registry.authorise(relay.task.address)
    if source is not None:
        source.authorise(relay.task.address)
    if setup.exchange.envelopes is not None:
        setup.exchange.envelopes.open(relay, store)
    if isinstance(setup.scorer, Alignment):
        average = Average(ledger.chain, settings.scorer)
        relay.averaging = Averaging(average, relay.task, setup.scorer, kept=setup.settlement == "onchain")
    surroundings = Surroundings(
        grid=grid, store=store, directory=record.directory, seed=setup.seed, timeout=setup.phase_timeout,
        domain=relay.task.domain, simulated=ledger.is_development,
    )
    refused = setup.exchange.open(surroundings)
    known = setup.exchange.known_labels
    calibration = None
    if known is not None and setup.calibration_share > 0:
        calibration = Calibration(known, share=setup.calibration_share, seed=setup.seed)
    terms = task_terms(setup, store, protocol=protocol, calibrated=calibration is not None)
    cid = store.put(json.dumps(terms, sort_keys=True).encode())
    rounds = setup.num_rounds or 1
    relay.initialize(cid, rounds=rounds, pool=rounds * setup.reward_per_round)
    record.data["protocol"] = protocol
    record.data["config"] = {
        **terms,
        "terms": cid,
        "num-rounds": setup.num_rounds,
        "reward-per-round": str(setup.reward_per_round),
        "settings": {k: v if isinstance(v, bool) else str(v) for k, v in asdict(settings).items()},
        "seed": setup.seed,
        "store": store.location if setup.store is not None else None,
        "keep-rounds": setup.keep_rounds,
    }
    record.data["ledger"] = {"url": ledger.chain.url, "task": relay.task.address, "block": 0, "digest": None}
    run = Run(Book(record), relay, store, calibration, refused)
    run.book.write(relay, digest=False)
    return run


def _open_ledger(setup: RunSetup, directory: Path) -> Ledger:
    """Open the ledger that was named; one that is handed in is open."""
    if not isinstance(setup.ledger, str):
        return setup.ledger
    return Ledger.open(
        setup.ledger,
        wallet=setup.wallet,
        chain_id=setup.chain_id,
        log_file=directory / "ledger.jsonl",
        seed=setup.seed or 0,
    )


def _open_store(setup: RunSetup, directory: Path) -> Store:
    """Open the store that was named, or a folder in the run directory, with an end to what it keeps."""
    store = setup.store if setup.store is not None else FolderStore(directory / "store")
    if isinstance(store, str):
        store = open_store(store)
    return store if setup.keep_rounds is None else RoundStore(store, keep_rounds=setup.keep_rounds)


def _open_registry(setup: RunSetup, ledger: Ledger) -> Registry | None:
    """Return the registry of reputations, a new one where none was named."""
    if setup.reputation is None:
        return None
    if setup.reputation.registry is None:
        return ledger.deploy_registry()
    return ledger.registry(setup.reputation.registry)


def _fund(setup: RunSetup, ledger: Ledger) -> str:
    """Return the token that pays, of which the requester has enough."""
    requester = ledger.chain.wallet.address
    need = (setup.num_rounds or 1) * setup.reward_per_round + _BONDS_FUNDED * setup.bond
    if setup.token is None:
        if not ledger.is_development:
            log.warning("Paying in a new test token, worth nothing; name your own with token=ADDRESS")
        token = ledger.deploy_token()
        ledger.mint(token, [requester], need if setup.num_rounds else need + _UNPLANNED * setup.reward_per_round)
        return token
    if (has := ledger.token_balance(setup.token, requester)) < need:
        raise ConfigError(
            f"the requester {requester} has {has} units of the token {setup.token}; rewards and bonds need {need}: "
            f"give it more, or lower reward_per_round"
        )
    return setup.token


def _deploy_scorer(ledger: Ledger, scorer: Scorer) -> str:
    """Deploy a scorer's twin, after that of the scorer that it wraps."""
    if not isinstance(scorer, RoleReward):
        return ledger.deploy(scorer.contract, scorer.arguments)
    inner = NOBODY if scorer.inner is None else _deploy_scorer(ledger, scorer.inner)
    return ledger.deploy(scorer.contract, (inner, *scorer.arguments))


def _deploy_admission(ledger: Ledger, admission: Admission | None) -> str:
    return ledger.deploy(admission.contract, admission.arguments) if admission else NOBODY
