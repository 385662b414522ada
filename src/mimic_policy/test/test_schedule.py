import types

import pytest

from mimic_policy.forecast import Forecast
from mimic_policy.schedule import (
    ema_keep,
    every_kind,
    human_share,
    kinds,
    loss_weight,
    mapping_step,
    rate,
)
from mimic_policy.train_params import TrainParams
from mimic_policy.trainer import Trainer


def test_what_each_method_trains_on():
    def of(method, step, **changes):
        return kinds(TrainParams(method=method, steps=10, **changes), step)

    assert of('robot_only', 0) == ('robot',)
    assert of('co_train', 9) == ('robot', 'human')
    assert of('fine_tune', 4) == ('human',)
    assert of('fine_tune', 5) == ('robot',)
    assert of('fine_tune', 2, fine_tune_share=0.2) == ('robot',)
    assert of('random_map', 0) == of('immimic_a', 0) == ('robot', 'mixed')
    assert of('immimic_v', 1) == ('robot', 'human')
    assert of('immimic_v', 2) == ('robot', 'mixed')
    assert mapping_step(TrainParams(method='immimic_v', steps=10, visual_share=0.55)) == 6


def test_robot_batches_weigh_less_beside_those_of_people():
    def weights(method: str, step: int) -> list[float]:
        params = TrainParams(method=method, steps=10, robot_weight=0.25)
        return [loss_weight(params, kind, step) for kind in kinds(params, step)]

    assert weights('co_train', 3) == weights('immimic_a', 3) == [0.25, 1.0]
    assert weights('robot_only', 3) == [1.0]
    assert weights('fine_tune', 1) == weights('fine_tune', 8) == [1.0]


def test_the_human_share_goes_from_one_to_zero():
    params = TrainParams(steps=300)
    assert [human_share(params, step) for step in (0, 150, 300)] == [1.0, 0.5, 0.0]


def test_the_rate_rises_and_falls():
    params = TrainParams(steps=110, warm_up=10, learning_rate=1.0e-2)
    assert rate(params, 0) == pytest.approx(1e-3)
    assert rate(params, 9) == rate(params, 10) == pytest.approx(1e-2)
    assert rate(params, 60) == pytest.approx(5e-3)
    assert rate(params, 110) == pytest.approx(0.0, abs=1e-9)
    steady = TrainParams(steps=110, warm_up=10, learning_rate=1e-2, rate_schedule='constant')
    assert rate(steady, 100) == 1e-2


def test_the_average_forgets_fast_at_first():
    params = TrainParams(ema_power=0.75, ema_most=0.9)
    kept = [ema_keep(params, step) for step in (0, 1, 10, 1000)]
    assert kept[0] == 0.0
    assert kept == sorted(kept)
    assert kept[-1] == 0.9


def test_the_time_to_go_counts_each_kind_by_what_it_took():
    params = TrainParams(method='fine_tune', steps=100)
    forecast = Forecast()
    assert forecast.remaining(every_kind(params, 0), 100, 1) is None
    for _ in range(10):
        forecast.took('human', 0.1)
        forecast.took_beside(0.01)
    # robot batches were not seen yet: they have twice the pictures
    left = forecast.remaining(every_kind(params, 10), 90, 1)
    assert left == pytest.approx(40 * 0.1 + 50 * 0.2 + 90 * 0.01)
    for _ in range(10):
        forecast.took('robot', 0.3)
    left = forecast.remaining(every_kind(params, 60), 40, 1)
    assert left == pytest.approx(40 * 0.3 + 40 * 0.01)


def test_one_slow_batch_does_not_change_the_forecast_but_checkpoints_count():
    params = TrainParams(method='robot_only', steps=100)
    forecast = Forecast()
    for duration in [0.1] * 20 + [5.0]:
        forecast.took('robot', duration)
    forecast.took_saving(8.0)
    for steps_since in (0, 100):  # as much after a checkpoint as long after it
        for _ in range(steps_since):
            forecast.took_beside(0.01)
        forecast.took_beside(0.01)
        left = forecast.remaining(every_kind(params, 50), 50, 2)
        assert left == pytest.approx(50 * 0.11 + 2 * 8.0)


@pytest.mark.parametrize(
    ('steps', 'step', 'checkpoints'), [(10, 0, 3), (10, 3, 3), (10, 4, 2), (10, 9, 1), (8, 4, 1)]
)
def test_checkpoints_to_come_are_counted(steps, step, checkpoints):
    params = TrainParams(method='robot_only', steps=steps, save_every=4)
    trainer = types.SimpleNamespace(params=params, step_number=step, forecast=Forecast())
    trainer.forecast.took('robot', 1.0)
    trainer.forecast.took_saving(100.0)
    assert Trainer.remaining(trainer) == steps - step + 100.0 * checkpoints
