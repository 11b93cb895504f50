from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from flwr_chainfl.fixedpoint import WAD, from_wad, to_wad


def test_wad_is_rounded_down() -> None:
    assert to_wad(Fraction(2, 3)) == 666_666_666_666_666_666
    assert to_wad(Fraction(-2, 3)) == -666_666_666_666_666_667


def test_a_float_counts_as_the_decimal_it_prints_as() -> None:
    assert to_wad(0.1) == WAD // 10
    assert to_wad(0.1 + 0.2) == 300_000_000_000_000_040


def test_text_keeps_every_digit() -> None:
    assert to_wad("123456789.123456789123456789") == 123_456_789_123_456_789_123_456_789


@given(st.integers(-(2**40), 2**40), st.integers(1, 1000))
def test_wad_is_the_floor_of_the_exact_value(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert 0 <= exact * WAD - to_wad(exact) < 1


@given(st.integers(0, 10**6))
def test_a_whole_number_comes_back_from_wad(value: int) -> None:
    assert from_wad(to_wad(value)) == value
