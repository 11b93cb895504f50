from flwr_chainfl.rewards import Streaks, Strikes


def test_a_streak_grows_to_its_cap_and_ends_without_pay() -> None:
    streaks = Streaks(2)
    before = [streaks.pay("a", number, previous=number - 1, earned=number != 5) for number in range(1, 8)]
    assert before == [0, 1, 2, 2, 2, 0, 1]


def test_a_void_round_neither_counts_nor_interrupts_and_a_missed_one_does() -> None:
    streaks = Streaks(5)
    assert streaks.pay("a", 1, previous=0, earned=True) == 0
    assert streaks.pay("a", 3, previous=1, earned=True) == 1  # the second is void
    assert streaks.pay("a", 5, previous=4, earned=True) == 0  # the fourth went without it


def test_a_round_that_is_paid_late_counts_for_nothing() -> None:
    streaks = Streaks(5)
    streaks.pay("a", 2, previous=1, earned=True)
    assert streaks.pay("a", 1, previous=0, earned=False) == 0
    assert streaks.pay("a", 3, previous=2, earned=True) == 1


def test_who_leaves_begins_again() -> None:
    streaks, strikes = Streaks(5), Strikes(2)
    streaks.pay("a", 1, previous=0, earned=True)
    strikes.pay("a", 0)
    streaks.forget("a")
    strikes.forget("a")
    assert streaks.pay("a", 2, previous=1, earned=True) == 0
    assert not strikes.pay("a", 0)


def test_nothing_is_counted_where_the_task_counts_nothing() -> None:
    streaks, strikes = Streaks(0), Strikes(0)
    assert [streaks.pay("a", number, previous=number - 1, earned=True) for number in (1, 2)] == [0, 0]
    assert not any(strikes.pay("a", 0) for _ in range(9))


def test_strikes_in_a_row_exclude_and_quality_clears_them() -> None:
    strikes = Strikes(2)
    assert [strikes.pay("a", quality) for quality in (0, 1, 0, 0)] == [False, False, False, True]
