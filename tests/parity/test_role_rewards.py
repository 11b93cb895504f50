"""Roles' rewards and pools: Python and Solidity agree to the last unit."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flwr_chainfl.crypto import keccak256
from flwr_chainfl.errors import ContractError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.ledger import NOBODY, Ledger
from flwr_chainfl.rewards import ByRole, PayFacts
from flwr_chainfl.scoring import Facts, ProxyVote, RoleReward, Scored, WeightedPeerTruthSerum

from .conftest import Twin
from .test_weighted_scorer import NOTHING_STORED, store_report

THRESHOLDS = st.sampled_from([0, 1, 8 * WAD // 100, WAD])
INNER = WeightedPeerTruthSerum(classes=3, tasks=9, deviations=1)


@st.composite
def rounds(draw: st.DrawFn, *, labels: bool) -> tuple[RoleReward, list[bytes], Facts]:
    n = draw(st.integers(0, 8))
    roles = draw(st.lists(st.sampled_from([0, 0, 1, 2]), min_size=n, max_size=n))
    samples = draw(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), min_size=n, max_size=n))
    mark = st.just(0) | st.integers(1, WAD + 1) | st.sampled_from([1, 1 + WAD // 2, 1 + WAD // 2 - 8 * WAD // 100, WAD + 1])
    row = st.lists(mark, min_size=n + 1, max_size=n + 1) | st.just([])
    marks = draw(st.lists(row, min_size=n, max_size=n))
    attested = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    count = st.integers(0, 6).map(lambda c: c.to_bytes(8, "big"))
    whole = st.lists(st.integers(0, 2), min_size=9, max_size=9).map(bytes) if labels else count
    report = whole | whole | whole | st.binary(max_size=9)
    reports = [draw(report) if role == 0 else draw(st.just(b"") | st.just(b"") | report) for role in roles]
    facts = Facts(
        samples=samples, calibration=draw(st.binary(max_size=6)), seed=keccak256(b"x"), roles=roles, marks=marks,
        attested=attested,
    )
    unit = st.sampled_from([0, 1, WAD, 2**64 - 1])
    scorer = RoleReward(
        vote=ProxyVote(threshold=draw(THRESHOLDS)), unit=draw(unit), gain_unit=draw(unit), inner=INNER if labels else None
    )
    return scorer, reports, facts


def _arguments(ledger: Ledger, scorer: RoleReward, deployed: dict[str, str]) -> tuple[Any, ...]:
    if scorer.inner is None:
        return (NOBODY, *scorer.arguments)
    if "inner" not in deployed:
        deployed["inner"] = ledger.deploy(scorer.inner.contract, scorer.inner.arguments)
    return (deployed["inner"], *scorer.arguments)


DEPLOYED: dict[str, str] = {}


@settings(max_examples=100)
@given(st.booleans().flatmap(lambda labels: rounds(labels=labels)))
def test_roles_score_alike_on_chain(ledger: Ledger, twin: Twin, game: tuple[RoleReward, list[bytes], Facts]) -> None:
    scorer, reports, facts = game
    arguments = _arguments(ledger, scorer, DEPLOYED)
    scores, qualities = twin(scorer.contract, arguments, "score", reports, facts.as_tuple())
    assert Scored(list(scores), list(qualities)) == scorer.score(reports, facts)


@settings(max_examples=25)
@given(st.booleans().flatmap(lambda labels: rounds(labels=labels)), st.sampled_from([0, 12, 10**6]))
def test_roles_score_alike_on_chain_from_stored_reports_in_steps(
    ledger: Ledger, twin: Twin, game: tuple[RoleReward, list[bytes], Facts], work: int
) -> None:
    scorer, reports, facts = game
    arguments = _arguments(ledger, scorer, DEPLOYED)
    pointers = [store_report(ledger, report) if report else NOTHING_STORED for report in reports]
    done, progress = False, b""
    while not done:
        done, progress, scores, qualities = twin(
            scorer.contract, arguments, "resume", pointers, facts.as_tuple(), progress, work
        )
    assert Scored(list(scores), list(qualities)) == scorer.score(reports, facts)


def test_a_threshold_above_one_cannot_be_deployed(ledger: Ledger) -> None:
    with pytest.raises(ContractError, match="RoleRewardScorer cannot be deployed: ThresholdOutOfRange"):
        ledger.deploy("RoleRewardScorer", (NOBODY, WAD, WAD, WAD + 1))


@settings(max_examples=100)
@given(
    st.integers(0, 2**255) | st.integers(0, 1000),
    st.integers(0, 2**200) | st.integers(0, 100),
    st.lists(st.tuples(st.sampled_from([0, 0, 1, 2]), st.integers(-9, 9) | st.integers(-(2**126), 2**126)), max_size=12),
    st.tuples(*[st.sampled_from([0, 1, 12, 2**64 - 1])] * 3, st.sampled_from([0, 3])),
)
def test_pools_split_alike_on_chain(
    twin: Twin, budget: int, slashes: int, scored: list[tuple[int, int]], shares: tuple[int, int, int, int]
) -> None:
    schedule = ByRole(workers=shares[0], validators=shares[1], miners=shares[2], minimum_score=shares[3])
    scores, facts = [score for _, score in scored], PayFacts(roles=[role for role, _ in scored])
    amounts = twin(schedule.contract, schedule.arguments, "split", budget, slashes, scores, facts.as_tuple(len(scores)))
    assert list(amounts) == schedule.split(budget, slashes, scores, facts)
