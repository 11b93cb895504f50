from dataclasses import dataclass

import pytest

from flwr_chainfl.config import from_run_config, require
from flwr_chainfl.errors import ConfigError


@dataclass(frozen=True)
class Sample:
    num_rounds: int
    learning_rate: float = 0.1
    dataset: str = "digits"
    verbose: bool = False


def test_dashes_become_underscores_and_defaults_fill_the_rest() -> None:
    assert from_run_config(Sample, {"num-rounds": 3, "verbose": True}) == Sample(3, verbose=True)


def test_a_whole_number_is_a_float_where_one_is_needed() -> None:
    config = from_run_config(Sample, {"num-rounds": 3, "learning-rate": 1})
    assert isinstance(config.learning_rate, float)


def test_a_mistyped_key_is_an_error_with_the_likely_one() -> None:
    with pytest.raises(ConfigError, match="'num-round' is unknown; did you mean 'num-rounds'?"):
        from_run_config(Sample, {"num-round": 3})


def test_a_key_like_no_other_is_an_error_with_all_that_are_known() -> None:
    with pytest.raises(ConfigError, match="'zzz' is unknown; known keys: dataset, learning-rate, num-rounds, verbose"):
        from_run_config(Sample, {"zzz": 3})


@pytest.mark.parametrize(
    ("key", "value", "needed"),
    [
        ("num-rounds", "3", "int"), ("num-rounds", 3.0, "int"), ("num-rounds", True, "int"),
        ("learning-rate", "0.1", "float"), ("learning-rate", True, "float"), ("dataset", 3, "str"), ("verbose", 1, "bool"),
    ],
)
def test_a_value_of_another_type_is_named_with_the_type_needed(key: str, value: object, needed: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key!r} is {value!r} \({type(value).__name__}\); a value of type {needed}"):
        from_run_config(Sample, {"num-rounds": 1, key: value})


def test_a_missing_key_is_named_with_the_place_to_add_it() -> None:
    with pytest.raises(ConfigError, match=r"'num-rounds' is missing; add it to \[tool.flwr.app.config\]"):
        from_run_config(Sample, {})


def test_only_a_dataclass_can_be_read_into() -> None:
    with pytest.raises(TypeError, match="is no dataclass"):
        from_run_config(int, {})


def test_bounds_are_inclusive_except_above() -> None:
    require("rounds", 1, minimum=1, maximum=1)
    require("rate", 0.001, above=0)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, {"minimum": 1}, "rounds is 0; it must be 1 or more"),
        (5, {"maximum": 4}, "rounds is 5; it must be 4 or less"),
        (0, {"above": 0}, "rounds is 0; it must be above 0"),
        (float("nan"), {"minimum": 0}, "rounds is nan; it must be 0 or more"),
        (float("nan"), {"maximum": 0}, "rounds is nan; it must be 0 or less"),
        (float("nan"), {"above": 0}, "rounds is nan; it must be above 0"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_bound(value: float, bounds: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        require("rounds", value, **bounds)
