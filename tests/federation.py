"""A task with its participants, driven through the public interface on whatever ledger a test has."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from flwr_chainfl.crypto import Signature, TypedData, Wallet, commitment, keccak256, payload_hash
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import CommitRequest, JoinRequest, Ledger, Result, Reveal, Settings
from flwr_chainfl.ledger.abi import load
from flwr_chainfl.ledger.accounting import Conservation, conservation
from flwr_chainfl.scoring import Facts, PeerTruthSerum, Scorer
from flwr_chainfl.storage import address, digest

STAKE = 100 * WAD
BOND = 10 * WAD
POOL = 900 * WAD
SAMPLES = 50
NO_SIGNATURE = Signature(bytes(32), bytes(32))


def pass_deadline(ledger: Ledger, deadline: int) -> None:
    """Make the next block later than a deadline, without waiting for it on a development node."""
    if ledger.chain.url == "embedded":
        ledger.chain.advance_past(deadline)
        return
    provider = ledger.chain.web3.provider
    provider.make_request("evm_setNextBlockTimestamp", [deadline + 1])
    provider.make_request("evm_mine", [])


def guest(ledger: Ledger, wallet: Wallet) -> Ledger:
    """Return the same ledger as another account sees it, with ether for its transactions."""
    chain = ledger.chain
    if chain.url != "embedded":
        chain.web3.provider.make_request("anvil_setBalance", [wallet.address, hex(10**21)])
        return Ledger.open(chain.url, wallet=wallet)
    gift = chain.wallet.sign_transaction(
        {"type": 2, "chainId": chain.chain_id, "nonce": chain._nonce, "to": wallet.address, "value": 10**24, "data": b"",
         "gas": 21_000, "maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}
    )
    chain._deliver(gift)
    chain._nonce += 1
    other = copy.copy(chain)
    other.wallet, other._caller, other._nonce = wallet, wallet.address, chain.web3.eth.get_transaction_count(wallet.address)
    return Ledger(other)


def approve(ledger: Ledger, token: str, spender: str, amount: int) -> None:
    """Allow a spender to take tokens of the ledger's own account."""
    ledger.chain.send(token, load("TestToken").encode_call("approve", (spender, amount)))


class Federation:
    """A deployed task; its participants ascend by address, hold one stake of tokens each and sign for themselves.

    changes: of the task's settings
    """

    def __init__(
        self, ledger: Ledger, *, participants: int = 4, classes: int = 3, tasks: int = 12, token: str | None = None,
        scorer: Scorer | None = None, **changes: Any,
    ) -> None:
        self.ledger = ledger
        self.scorer = scorer or PeerTruthSerum(classes=classes, tasks=tasks)
        self.classes, self.tasks = classes, tasks
        self.token = token or ledger.deploy_token()
        self.settings = Settings(
            **{
                "token": self.token,
                "scorer": ledger.deploy(self.scorer.contract, self.scorer.arguments),
                "schedule": ledger.deploy("Proportional", (0,)),
                "minimum_stake": STAKE,
                "bond": BOND,
                "slash_per_score": WAD,
                "slash_floor": 0,
                "minimum_members": 1,
                "maximum_members": 400,
                "commit_seconds": 1000,
                "reveal_seconds": 1000,
                "settle_seconds": 1000,
                "challenge_seconds": 1000,
                "missing_slash_bps": 1000,
                "late_join": False,
                **changes,
            }
        )
        self.task = ledger.deploy_task(self.settings)
        self.requester = ledger.chain.wallet.address
        self.wallets = sorted((Wallet.derived(7, str(i)) for i in range(participants)), key=lambda w: w.address.lower())
        self.addresses = [wallet.address for wallet in self.wallets]
        ledger.mint(self.token, [self.requester], POOL + 10 * BOND)
        ledger.mint(self.token, self.addresses, STAKE)

    def open(self, *, rounds: int = 2) -> Federation:
        """Fund the task."""
        self.task.initialize("bafy", rounds=rounds, pool=POOL)
        return self

    def run(self, *, rounds: int = 2) -> Federation:
        """Fund the task, let everybody join, start it and open the first round."""
        self.open(rounds=rounds)
        self.task.join_for(self.join_request(wallet) for wallet in self.wallets)
        self.task.start()
        self.task.next_round()
        return self

    def join_request(
        self, wallet: Wallet, *, stake: int = STAKE, samples: int = SAMPLES, signer: Wallet | None = None,
        deadline: int | None = None, permit: Signature | None = None, departures: int = 0, proof: bytes = b"",
    ) -> JoinRequest:
        """Return a wish to join; `signer` forges it, `permit` replaces the token's permit."""
        deadline = self.ledger.chain.now() + 10**6 if deadline is None else deadline
        join = {"participant": wallet.address, "stake": stake, "samples": samples, "departures": departures,
                "deadline": deadline}
        spend = {"owner": wallet.address, "spender": self.task.address, "value": stake,
                 "nonce": self.ledger.token_nonce(self.token, wallet.address), "deadline": deadline}
        domain = self.ledger.token_domain(self.token)
        return JoinRequest(
            participant=wallet.address,
            stake=stake,
            samples=samples,
            deadline=deadline,
            signature=(signer or wallet).sign(TypedData(domain=self.task.domain, primary="Join", message=join)),
            permit=permit or wallet.sign(TypedData(domain=domain, primary="Permit", message=spend)),
            proof=proof,
        )

    def salt(self, wallet: Wallet, round_number: int) -> bytes:
        """Return a participant's salt."""
        return wallet.salt(chain_id=self.ledger.chain.chain_id, task=self.task.address, round_number=round_number)

    def commitment(self, wallet: Wallet, round_number: int, report: bytes) -> bytes:
        """Return a participant's commitment to a report."""
        return commitment(
            chain_id=self.ledger.chain.chain_id, task=self.task.address, round_number=round_number,
            participant=wallet.address, payload=payload_hash(digest(address(report)), report),
            salt=self.salt(wallet, round_number),
        )

    def commit_request(
        self, wallet: Wallet, round_number: int, value: bytes, *, signer: Wallet | None = None
    ) -> CommitRequest:
        """Return a signed commitment of any value."""
        statement = {"participant": wallet.address, "round": round_number, "commitment": value}
        signed = (signer or wallet).sign(TypedData(domain=self.task.domain, primary="Commit", message=statement))
        return CommitRequest(participant=wallet.address, commitment=value, signature=signed)

    def reveal_of(self, wallet: Wallet, round_number: int, report: bytes) -> Reveal:
        """Return the opening of a commitment to a report."""
        return Reveal(
            participant=wallet.address, content_digest=digest(address(report)), report_hash=keccak256(report),
            salt=self.salt(wallet, round_number),
        )

    def reports(self) -> dict[str, bytes]:
        """Return the same report by all, except the last participant, who contradicts it throughout and scores −1."""
        classes, tasks = self.classes, range(self.tasks)
        honest, contrary = (bytes((task + shift) % classes for task in tasks) for shift in (0, 1))
        return {**dict.fromkeys(self.addresses, honest), self.addresses[-1]: contrary}

    def commit(self, round_number: int, reports: Mapping[str, bytes]) -> None:
        """Commit to reports."""
        self.task.commit_for(
            round_number,
            [self.commit_request(w, round_number, self.commitment(w, round_number, reports[w.address]))
             for w in self.wallets if w.address in reports],
        )

    def reveal(self, round_number: int, reports: Mapping[str, bytes]) -> None:
        """Reveal reports."""
        self.task.reveal(
            round_number,
            [self.reveal_of(w, round_number, reports[w.address]) for w in self.wallets if w.address in reports],
        )

    def publish(self, round_number: int, reports: Mapping[str, bytes]) -> None:
        """Put reports on chain."""
        for participant, report in reports.items():
            wallet = next(w for w in self.wallets if w.address == participant)
            self.task.publish_report(
                round_number, participant, digest(address(report)), report, self.salt(wallet, round_number)
            )

    def scores(self, reports: Mapping[str, bytes]) -> list[int]:
        """Return the true scores of reports."""
        return self.scorer.score(list(reports.values()), Facts(samples=[SAMPLES] * len(reports))).scores

    def result(
        self, reports: Mapping[str, bytes], scores: Sequence[int] | None = None, *, calibration: bytes = b""
    ) -> Result:
        """Return the true result of reports; `scores` replaces the true ones."""
        scored = self.scorer.score(list(reports.values()), Facts(samples=[SAMPLES] * len(reports), calibration=calibration))
        return Result(
            participants=tuple(reports),
            scores=tuple(scored.scores if scores is None else scores),
            qualities=tuple(scored.qualities),
            calibration=calibration,
        )

    def pay(self, round_number: int, reports: Mapping[str, bytes]) -> list[int]:
        """Post the true scores, let the challenge window pass and pay; return the scores."""
        result = self.result(reports)
        self.task.post_scores(round_number, result)
        self.pass_deadline(round_number, "settle")
        self.task.distribute_rewards(round_number, result)
        return list(result.scores)

    def pass_deadline(self, round_number: int, phase: str) -> None:
        """Make the next block later than a round's ``commit``, ``reveal`` or ``settle`` deadline."""
        pass_deadline(self.ledger, getattr(self.task.round(round_number), f"{phase}_deadline"))

    def conservation(self) -> Conservation:
        """Return where the task's money is."""
        return conservation(
            self.task.events(), requester=self.requester,
            locked=self.ledger.token_balance(self.token, self.task.address),
        )

    def tokens(self, owners: Sequence[str]) -> list[int]:
        """Return how many token units owners have."""
        return [self.ledger.token_balance(self.token, owner) for owner in owners]
