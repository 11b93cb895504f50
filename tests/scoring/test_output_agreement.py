import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import Facts, OutputAgreement, draw_pairs, output_agreement, scorer_of


@given(st.data())
def test_scores_equal_the_formula_worked_out_task_by_task(data: st.DataObject) -> None:
    classes, tasks = data.draw(st.sampled_from([2, 3, 255])), data.draw(st.integers(1, 9))
    label = st.integers(0, classes - 1) | st.integers(0, 1)
    rows = data.draw(st.lists(st.lists(label, min_size=tasks, max_size=tasks), min_size=2, max_size=6))
    seed = data.draw(st.binary(min_size=32, max_size=32))
    pairs = draw_pairs(len(rows), seed, peers=data.draw(st.integers(1, 3)))
    earned, met = [0] * len(rows), [0] * len(rows)
    for i, j, *rest in pairs:
        for one, peer in [(i, j), (j, i), *((k, i) for k in rest)]:
            others = [x for other, row in enumerate(rows) for x in row if other != one]
            for mine, theirs in zip(rows[one], rows[peer], strict=True):
                same = others.count(mine)
                earned[one] += len(others) * WAD // same if same and mine == theirs else 0
            met[one] += 1
    expected = [e // (m * tasks) - WAD for e, m in zip(earned, met, strict=True)]
    assert output_agreement(np.array(rows, np.uint8), pairs, classes=classes) == expected


def test_uninformed_reports_score_0_in_expectation_and_honest_ones_above() -> None:
    generator = np.random.default_rng(3)
    scorer, scores = OutputAgreement(classes=4, tasks=200), []
    for _ in range(150):
        truth = generator.choice(4, 200, p=[0.1, 0.2, 0.3, 0.4])
        reports = np.where(generator.random((9, 200)) < 0.7, truth, generator.integers(0, 4, (9, 200)))
        reports[0], reports[1] = 0, generator.integers(0, 4, 200)
        facts = Facts(samples=[1] * 9, seed=generator.bytes(32))
        scores.append(scorer.score([r.astype(np.uint8).tobytes() for r in reports], facts).scores)
    found = np.array(scores) / WAD
    mean, error = found.mean(axis=0), found.std(axis=0) / 150**0.5
    assert (np.abs(mean[:2]) < 3.5 * error[:2]).all()
    assert mean[2:].min() > 0.5


def test_qualities_are_the_shares_of_tasks_agreed_on() -> None:
    reports = [bytes([0, 1, 0, 1]), bytes([0, 1, 0, 1]), bytes([0, 0, 0, 0])]
    scored = OutputAgreement(classes=2, tasks=4).score(reports, Facts(samples=[1] * 3))
    # Three turns: everybody meets two, of whom one alone in one turn; 2 agrees with both on 2 of 4 tasks.
    assert scored.qualities[2] == WAD // 2
    assert scored.scores[2] == 0
    assert min(scored.scores[:2]) > 0


@pytest.mark.parametrize("bad", [b"", bytes([0, 1, 2, 0])])
def test_a_malformed_report_scores_0_and_is_nobodys_peer(bad: bytes) -> None:
    good = bytes([0, 1, 0, 1])
    alone = OutputAgreement(classes=2, tasks=4).score([good] * 3, Facts(samples=[1] * 3))
    scored = OutputAgreement(classes=2, tasks=4).score([good, bad, good, good], Facts(samples=[1] * 4))
    assert (scored.scores.pop(1), scored.qualities.pop(1)) == (0, 0)
    assert scored == alone


def test_fewer_than_three_score_0() -> None:
    scored = OutputAgreement(classes=2, tasks=3).score([bytes(3)] * 2, Facts(samples=[1, 1]))
    assert scored.scores == scored.qualities == [0, 0]


def test_the_scorer_is_found_by_its_contract() -> None:
    scorer = OutputAgreement(classes=10, tasks=500, peers=1)
    assert scorer_of(scorer.contract, [str(a) for a in scorer.arguments]) == scorer
