from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import flwr_chainfl.ledger.embedded  # noqa: F401  py-evm sets the recursion limit on import: not during a test
from flwr_chainfl.crypto import Wallet
from flwr_chainfl.errors import ContractError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import Ledger, Result, RoundStatus, TaskStatus
from flwr_chainfl.ledger.abi import load
from flwr_chainfl.ledger.accounting import conservation
from flwr_chainfl.ledger.task import ALL_AT_ONCE
from tests.federation import BOND, STAKE, Federation, approve, guest, pass_deadline

PEOPLE = 4
WHO = st.sets(st.integers(0, PEOPLE - 1), min_size=1)
ONE = st.integers(0, PEOPLE - 1)
ROUND = st.integers(1, 4)
BURN = "0x000000000000000000000000000000000000dEaD"


class AnybodyDoesAnything(RuleBasedStateMachine):
    """Calls in any order, valid or not; the contract may refuse what it likes, but money stays where it belongs."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger.open()
        self.federation = Federation(self.ledger, participants=PEOPLE, tasks=6, late_join=True).run(rounds=4)
        self.task = self.federation.task
        self.challenger = guest(self.ledger, Wallet.derived(7, "challenger"))
        self.leaver = guest(self.ledger, self.federation.wallets[0])
        self.everybody = [*self.federation.addresses, self.federation.requester, self.challenger.chain.wallet.address]
        self.ledger.mint(self.federation.token, self.everybody, STAKE)
        approve(self.challenger, self.federation.token, self.task.address, STAKE)
        self.committed: dict[int, dict[str, bytes]] = {}
        self.postings: dict[int, Result] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.unread_block = self.task.from_block

    def teardown(self) -> None:
        self.ledger.close()

    def _attempt(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
        try:
            call(*arguments, **named)
        except ContractError:
            return False
        return True

    @rule(who=ONE, stake=st.sampled_from([0, STAKE - 1, STAKE, 2 * STAKE]), forged=st.booleans())
    def join(self, who: int, stake: int, forged: bool) -> None:
        wallets = self.federation.wallets
        signer = wallets[(who + 1) % PEOPLE] if forged else None
        self._attempt(self.task.join_for, [self.federation.join_request(wallets[who], stake=stake, signer=signer)])

    @rule()
    def leave(self) -> None:
        self._attempt(self.leaver.task(self.task.address).leave)

    @rule(who=WHO | st.none())
    def next_round(self, who: set[int] | None) -> None:
        self._attempt(self.task.next_round, who and [index + 1 for index in who])

    @rule(who=WHO, shift=st.integers(0, 2), late=st.booleans())
    def commit(self, who: set[int], shift: int, late: bool) -> None:
        number = self.task.round_number - late
        for index in who:
            wallet = self.federation.wallets[index]
            report = bytes((task + shift * (index % 2)) % 3 for task in range(6))
            if self._attempt(self.federation.commit, number, {wallet.address: report}):
                self.committed.setdefault(number, {}).setdefault(wallet.address, report)

    @rule(who=WHO, forged=st.sampled_from([False, False, True]))
    def reveal(self, who: set[int], forged: bool) -> None:
        number = self.task.round_number
        for index in who:
            address = self.federation.addresses[index]
            report = bytes(6) if forged else self.committed.get(number, {}).get(address, bytes(6))
            self._attempt(self.federation.reveal, number, {address: report})

    @rule(number=ROUND, who=WHO)
    def slash_missing(self, number: int, who: set[int]) -> None:
        self._attempt(self.task.slash_missing, number, [self.federation.addresses[index] for index in who])

    @rule(lie=st.sampled_from([0, 0, 1, -3 * WAD, 2**127 - 1, 2**127]))
    def post(self, lie: int) -> None:
        number = self.task.round_number
        reports = {
            address: report
            for address, report in sorted(self.committed.get(number, {}).items(), key=lambda item: item[0].lower())
            if self.task.has_revealed(number, address)
        }
        scores = self.federation.scores(reports)
        if scores:
            scores[0] += lie
        result = self.federation.result(reports, scores)
        if self._attempt(self.task.post_scores, number, result):
            self.postings[number] = result

    @initialize(missing=ONE | st.none(), lie=st.sampled_from([0, 0, 1]), stages=st.integers(2, 5))
    def begin(self, missing: int | None, lie: int, stages: int) -> None:
        self.play(missing, lie, stages)

    @rule(missing=ONE | st.none(), lie=st.sampled_from([0, 0, 1]), stages=st.integers(2, 5))
    def play(self, missing: int | None, lie: int, stages: int) -> None:
        """Take the round some stages further; at random the calls alone seldom come so far."""
        everybody = set(range(PEOPLE))
        steps: list[Callable[[], Any]] = [
            self._open_the_next_round,
            lambda: self.commit(everybody, 1, late=False),
            lambda: self.let_time_pass("commit"),
            lambda: self.reveal(everybody - {missing}, forged=False),
            lambda: (self.let_time_pass("reveal"), self.post(lie)),
        ]
        for step in steps[:stages]:
            step()

    def _open_the_next_round(self) -> None:
        if self.task.round_number and self.task.round(self.task.round_number).status != RoundStatus.OPEN:
            self._attempt(self.task.next_round)

    @rule(number=ROUND, by_requester=st.booleans())
    def challenge(self, number: int, by_requester: bool) -> None:
        ledger = self.ledger if by_requester else self.challenger
        self._attempt(ledger.task(self.task.address).challenge, number)

    @rule(number=ROUND, who=WHO)
    def publish(self, number: int, who: set[int]) -> None:
        for index in who:
            address = self.federation.addresses[index]
            if address in self.committed.get(number, {}):
                self._attempt(self.federation.publish, number, {address: self.committed[number][address]})

    @precondition(lambda self: self.postings)
    @rule(
        data=st.data(), changed=st.sampled_from([0, 0, 1]), early=st.booleans(), work=st.sampled_from([1, 7, ALL_AT_ONCE])
    )
    def settle(self, data: st.DataObject, changed: int, early: bool, work: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.postings)))
        posted = self.postings[number]
        if not early:
            pass_deadline(self.ledger, self.task.round(number).settle_deadline)
        given = replace(posted, scores=(posted.scores[0] + changed, *posted.scores[1:]))
        self._attempt(self.task.compute_scores, number, given, work=work)
        self._attempt(self.task.distribute_rewards, number, given)

    @rule(number=ROUND)
    def void(self, number: int) -> None:
        self._attempt(self.task.void_round, number)

    @rule(phase=st.sampled_from(["commit", "reveal", "settle"]))
    def let_time_pass(self, phase: str) -> None:
        self.federation.pass_deadline(self.task.round_number, phase)

    @rule(pool=st.sampled_from([0, 7 * WAD + 1]))
    def extend(self, pool: int) -> None:
        self._attempt(self.task.extend, rounds=1, pool=pool)

    @rule(certain=st.sampled_from([False, False, False, True]))
    def complete(self, certain: bool) -> None:
        if certain:
            self._attempt(self.task.complete)

    @rule(who=st.sets(st.integers(0, PEOPLE + 1), min_size=1))
    def withdraw(self, who: set[int]) -> None:
        owners = [self.everybody[index] for index in who]
        due = [self._owed(owner) for owner in owners]
        before = self.federation.tokens(owners)
        self.task.withdraw(owners * 2)
        self.task.withdraw(owners)
        assert self.federation.tokens(owners) == [had + owed for had, owed in zip(before, due, strict=True)]
        assert not any(self._owed(owner) for owner in owners)

    @invariant()
    def nothing_appears_or_vanishes(self) -> None:
        new = self.ledger.task(self.task.address, from_block=self.unread_block).events()
        self.unread_block = self.ledger.chain.web3.eth.block_number + 1
        self.events += new
        locked = self.ledger.token_balance(self.federation.token, self.task.address)
        assert conservation(self.events, requester=self.federation.requester, locked=locked).dust == 0
        if any(name not in ("Committed", "Revealed") for name, _ in new):
            assert locked == self._owed_to_anybody()

    def _owed_to_anybody(self) -> int:
        rounds = [self.task.round(number) for number in range(1, self.task.round_number + 1)]
        bonds = {RoundStatus.POSTED: BOND, RoundStatus.CHALLENGED: 2 * BOND}
        owed = self.task.pool + self._forfeited() + sum(r.budget + r.forfeits + bonds.get(r.status, 0) for r in rounds)
        owners = [*self.everybody, BURN]
        return owed + sum(self.task.balance(owner) + self.task.member(owner).stake for owner in owners)

    def _forfeited(self) -> int:
        abi = load("FederatedTask")
        result = self.ledger.chain.call(self.task.address, abi.encode_call("forfeited", ()))
        return int(abi.decode_result("forfeited", result)[0])

    def _owed(self, owner: str) -> int:
        stake = self.task.member(owner).stake if self.task.status == TaskStatus.COMPLETED else 0
        return self.task.balance(owner) + stake


TestAnybodyDoesAnything = AnybodyDoesAnything.TestCase
TestAnybodyDoesAnything.settings = settings(
    max_examples=8, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
