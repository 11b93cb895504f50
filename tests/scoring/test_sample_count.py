import pytest
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.scoring import Facts, SampleCount, Scored


def _report(count: int) -> bytes:
    return count.to_bytes(8, "big")


def test_a_contribution_scores_its_samples() -> None:
    assert SampleCount().score([_report(0), _report(30)], Facts(samples=[50, 30])) == Scored([0, 30 * WAD], [WAD, WAD])


def test_more_samples_than_declared_score_0() -> None:
    assert SampleCount().score([_report(31), _report(2**64 - 1)], Facts(samples=[30, 30])) == Scored([0, 0], [0, 0])


@given(st.binary(max_size=20).filter(lambda report: len(report) != 8))
def test_a_report_of_another_length_scores_0(report: bytes) -> None:
    assert SampleCount().score([report], Facts(samples=[2**64 - 1])) == Scored([0], [0])


def test_calibration_items_are_ignored() -> None:
    with_items = SampleCount().score([_report(3)], Facts(samples=[5], calibration=b"\0\0\1"))
    assert with_items == SampleCount().score([_report(3)], Facts(samples=[5]))


def test_each_report_needs_a_declaration() -> None:
    with pytest.raises(ValueError, match="shorter"):
        SampleCount().score([_report(1), _report(2)], Facts(samples=[5]))


def test_the_scorer_names_its_contract_and_formula() -> None:
    scorer = SampleCount()
    assert (scorer.contract, scorer.arguments) == ("SampleCountScorer", ())
    assert (scorer.formula, scorer.report_kind) == ("SampleCount/1", "samples")
