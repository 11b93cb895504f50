import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import Facts, ProxyVote, RoleReward, WeightedPeerTruthSerum, scorer_of
from flwr_chainfl.scoring.role_reward import MOST_SCORE

WORKER, VALIDATOR, MINER = 0, 1, 2


def _mark(percent: int | None) -> int:
    return 0 if percent is None else 1 + percent * WAD // 100


def _facts(roles: list[int], rows: dict[int, list[int | None]], samples: list[int] | None = None, attested: tuple[int, ...] = ()) -> Facts:
    """Marks in percent, the reference's last."""
    n = len(roles)
    marks = [[_mark(p) for p in rows[i]] if i in rows else [] for i in range(n)]
    return Facts(samples=samples or [100] * n, roles=roles, marks=marks, attested=[i in attested for i in range(n)])


def _count(samples: int) -> bytes:
    return samples.to_bytes(8, "big")


def test_a_vote_is_negative_beyond_the_threshold_only() -> None:
    vote = ProxyVote(threshold=8 * WAD // 100)
    facts = _facts([WORKER, WORKER, WORKER, VALIDATOR], {3: [72, 71, 90, None, 80]})
    assert vote.tally(facts).accepted == [True, False, True, False]


def test_as_many_positive_as_negative_votes_accept_and_more_negative_ones_do_not() -> None:
    rows = {1: [0, None, None, None, 50], 2: [50, None, None, None, 50]}
    roles = [WORKER, VALIDATOR, VALIDATOR, VALIDATOR]
    assert ProxyVote().tally(_facts(roles, rows)).accepted[0]
    assert not ProxyVote().tally(_facts(roles, {**rows, 3: [0, None, None, None, 50]})).accepted[0]


def test_whom_nobody_votes_on_is_accepted_only_where_nobody_votes_at_all() -> None:
    assert ProxyVote().tally(_facts([WORKER, VALIDATOR], {1: [0, None, None]})).accepted == [True, False]
    roles = [WORKER, WORKER, VALIDATOR]
    assert ProxyVote().tally(_facts(roles, {2: [50, None, None, 50]})).accepted == [True, False, False]
    assert ProxyVote().tally(_facts(roles, {})).accepted == [True, True, False]


def test_units_by_role_as_the_formula_says() -> None:
    roles = [WORKER, WORKER, VALIDATOR, VALIDATOR, MINER, MINER]
    rows: dict[int, list[int | None]] = {2: [60, 10, None, None, None, None, 40], 3: [70, 20, None, None, None, None, 50]}
    facts = _facts(roles, rows, samples=[30, 30, 200, 300, 1, 1], attested=(4,))
    scored = RoleReward().score([_count(30), _count(20), b"", b"", b"", b""], facts)
    gain = 500 * 20 // 100  # medians .65 and .45, on the samples of both validators
    assert [s // WAD for s in scored.scores] == [30 + gain, 0, 4, 4, 2, 0]
    assert scored.qualities == [WAD, 0, WAD, WAD, WAD, 0]


def test_a_validator_that_votes_against_the_outcome_loses_quality_and_no_units() -> None:
    roles = [WORKER, WORKER, VALIDATOR, VALIDATOR, VALIDATOR]
    honest: list[int | None] = [60, 10, None, None, None, 60]
    flipped: list[int | None] = [10, 60, None, None, None, 60]
    scored = RoleReward().score([_count(1)] * 2 + [b""] * 3, _facts(roles, {2: honest, 3: honest, 4: flipped}))
    assert scored.qualities[2:] == [WAD, WAD, 0]
    assert scored.scores[2] == scored.scores[4] == 4 * WAD


def test_a_validator_without_the_references_mark_casts_no_votes() -> None:
    scored = RoleReward().score([_count(5), b""], _facts([WORKER, VALIDATOR], {1: [0, None, None]}))
    assert (scored.scores, scored.qualities) == ([5 * WAD, WAD], [WAD, 0])


def test_who_claims_more_samples_than_it_declared_is_left_out_and_told_of() -> None:
    scorer = RoleReward()
    facts = _facts([WORKER, WORKER, VALIDATOR], {2: [50, 50, None, 50]}, samples=[10, 10, 10])
    reports = [_count(11), _count(10), b""]
    assert scorer.accepted(reports, facts) == [False, True, False]
    scored = scorer.score(reports, facts)
    assert (scored.scores[0], scored.qualities[0]) == (0, 0)
    assert scored.notes == (("samples-above-declared", ("a worker reports 11 samples and declared 10 when it joined; it counts "
                             "nothing in this round")),)  # fmt: skip


def test_an_inner_scorer_sees_the_accepted_reports_alone() -> None:
    inner = WeightedPeerTruthSerum(classes=3, tasks=6)
    reports = [bytes([0, 1, 2, 0, 1, 2])] * 3 + [bytes(6), b"", b""]
    facts = _facts([WORKER] * 4 + [VALIDATOR, MINER], {4: [90, 90, 90, 10, None, None, 80]}, attested=(5,))
    scored = RoleReward(inner=inner).score(reports, facts)
    alone = inner.score(reports[:3], Facts(samples=[1] * 3))
    assert scored.scores[:3] == alone.scores
    assert scored.qualities == [WAD, WAD, WAD, 0, WAD, WAD]
    assert scored.scores[3:] == [0, 8 * WAD, WAD]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6))
def test_a_score_can_always_be_posted(samples: list[int]) -> None:
    n = len(samples)
    facts = _facts([WORKER, *[VALIDATOR] * (n - 1)], {i: [100, *[None] * (n - 1), 0] for i in range(1, n)}, samples=samples)
    scorer = RoleReward(unit=2**64 - 1, gain_unit=2**64 - 1)
    assert max(scorer.score([_count(samples[0]), *[b""] * (n - 1)], facts).scores) <= MOST_SCORE


def test_impossible_settings_are_refused_by_value() -> None:
    with pytest.raises(ConfigError, match="the vote's threshold is -1"):
        ProxyVote(threshold=-1)
    with pytest.raises(ConfigError, match="gain_unit is -1"):
        RoleReward(gain_unit=-1)
    with pytest.raises(ConfigError, match="the inner scorer is a RoleReward itself"):
        RoleReward(inner=RoleReward())


def test_it_is_found_again_by_its_contract_with_its_inner_scorer() -> None:
    inner = WeightedPeerTruthSerum(classes=3, tasks=6)
    for scorer in (RoleReward(unit=5, vote=ProxyVote(threshold=7)), RoleReward(inner=inner)):
        terms = {"contract": scorer.contract, "arguments": [str(a) for a in scorer.arguments]}
        if scorer.inner is not None:
            terms["inner"] = {"contract": inner.contract, "arguments": [str(a) for a in inner.arguments]}
        assert scorer_of(**json.loads(json.dumps(terms))) == scorer
