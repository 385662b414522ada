import pytest

from mimic_sim.pacing import Pacer


def _run(pacer: Pacer, wall: float) -> int:
    due = pacer.due(wall)
    for _ in range(due):
        pacer.advance(wall)
    return due


def test_real_time_keeps_pace() -> None:
    pacer = Pacer(0.01, 1.0, 1000.0, 50.0)
    total = sum(_run(pacer, 50.0 + 0.007 * i) for i in range(1, 1001))
    assert total == 700
    assert pacer.time == pytest.approx(1007.0)
    assert pacer.real_time_factor(57.0) == pytest.approx(1.0, abs=0.02)
    assert pacer.lost == 0.0


def test_a_short_delay_is_caught_up() -> None:
    pacer = Pacer(0.01, 1.0, 0.0, 0.0)
    assert _run(pacer, 0.15) == 15
    assert _run(pacer, 0.16) == 1
    assert pacer.lost == 0.0


def test_a_long_delay_is_skipped_in_the_published_time() -> None:
    pacer = Pacer(0.01, 1.0, 100.0, 0.0)
    assert _run(pacer, 5.0) == 1
    assert pacer.lost == pytest.approx(4.99)
    assert pacer.time == pytest.approx(105.0)  # stamps stay those of the time of day
    assert _run(pacer, 5.01) == 1


def test_other_factors() -> None:
    slow = Pacer(0.01, 0.5, 0.0, 0.0)
    assert sum(_run(slow, 0.01 * i) for i in range(101)) == 50
    fast = Pacer(0.01, 4.0, 0.0, 0.0)
    assert sum(_run(fast, 0.01 * i) for i in range(101)) == 400
    assert fast.real_time_factor(1.0) == pytest.approx(4.0, rel=0.05)


def test_as_fast_as_possible_is_always_due() -> None:
    pacer = Pacer(0.01, 0.0, 0.0, 3.0)
    assert [_run(pacer, 3.0) for _ in range(5)] == [1] * 5
    assert pacer.time == pytest.approx(0.05)
