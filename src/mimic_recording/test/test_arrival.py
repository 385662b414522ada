"""Times of arrival in simulated time."""

from mimic_recording.arrival import _KEPT, ArrivalTimes

NOW = 999


def test_a_message_has_the_time_that_the_clock_said_last():
    """Not the next one, and nothing in between; before the first word, what the caller knows."""
    times = ArrivalTimes()
    assert times.of(100, NOW) == NOW
    for arrived, said in ((100, 5), (110, 6), (110, 7), (130, 8)):
        times.hear(arrived, said)
    assert times.of(99, NOW) == NOW
    assert times.of(100, NOW) == 5
    assert times.of(109, NOW) == 5
    assert times.of(110, NOW) == 7
    assert times.of(10_000, NOW) == 8


def test_a_simulation_that_begins_anew_or_a_time_of_day_that_is_set_back():
    """Simulated time may jump; a time of day that jumps back leaves no wrong order."""
    times = ArrivalTimes()
    times.hear(100, 50)
    times.hear(200, 1)
    assert times.of(150, NOW) == 50
    assert times.of(250, NOW) == 1
    times.hear(120, 2)
    assert times.of(250, NOW) == 2
    assert times.of(110, NOW) == NOW


def test_what_is_kept_is_bounded():
    """Hours of a clock at 1 kHz fit."""
    times = ArrivalTimes()
    for i in range(5 * _KEPT):
        times.hear(i, 10 * i)
    assert len(times._arrived) == len(times._said) <= 2 * _KEPT
    assert times.of(5 * _KEPT - 1, NOW) == 10 * (5 * _KEPT - 1)
    assert times.of(4 * _KEPT, NOW) == 40 * _KEPT
