import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.errors import ConfigError, ReportShapeError
from flwr_chainfl.signals import Signals, parameter_positions, quantile_levels


def _record(**arrays: np.ndarray) -> ArrayRecord:
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


@given(st.integers(6, 3000), st.integers(6, 400))
def test_positions_are_one_of_each_part_and_cover_the_model(parameters: int, tasks: int) -> None:
    if parameters < tasks:
        with pytest.raises(ReportShapeError, match=f"{parameters} parameters; {tasks} are to be reported"):
            parameter_positions(parameters, tasks=tasks)
        return
    positions = parameter_positions(parameters, tasks=tasks)
    part = np.arange(tasks)
    assert (positions >= part * parameters // tasks).all()
    assert (positions <= (part + 1) * parameters // tasks).all()
    assert positions.max() < parameters


@given(st.lists(st.floats(-1e30, 1e30) | st.sampled_from([0.0, 1.0]), min_size=6, max_size=40), st.integers(2, 9))
def test_levels_are_ordered_as_the_values_and_no_scale_shows(values: list[float], levels: int) -> None:
    array = np.array(values)
    found = quantile_levels(array, levels=levels)
    order = np.argsort(array)
    assert (np.diff(found[order].astype(int)) >= 0).all()
    assert (found == quantile_levels(array * 4, levels=levels)).all()
    assert found.max() < levels


def test_a_report_is_of_the_change_through_all_floating_arrays_in_the_order_of_their_names() -> None:
    reference = _record(b=np.zeros((2, 3), np.float32), a=np.full(6, 5, np.float32), steps=np.array(7))
    trained = _record(
        steps=np.array(9), a=5 - np.arange(6, dtype=np.float32), b=1 + np.arange(6, dtype=np.float32).reshape(2, 3)
    )
    report = Signals(tasks=12, levels=2).report(trained, reference)
    assert list(report) == [0] * 6 + [1] * 6


def test_an_update_of_nothing_is_a_constant() -> None:
    same = _record(a=np.arange(50, dtype=np.float32))
    assert len(set(Signals(tasks=20).report(same, same))) == 1


def test_a_model_with_fewer_parameters_is_refused() -> None:
    small = _record(a=np.zeros(5, np.float32))
    with pytest.raises(ReportShapeError, match="5 parameters"):
        Signals(tasks=6).report(small, small)


@pytest.mark.parametrize("wrong", [{"tasks": 5}, {"tasks": 24_576}, {"tasks": 9, "levels": 1}, {"tasks": 9, "levels": 256}])
def test_impossible_signals_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="signals have"):
        Signals(**wrong)
