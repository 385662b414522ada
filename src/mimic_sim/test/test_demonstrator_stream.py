"""Pictures of the demonstrator: as a stream, by a clock, as the tracker's network sees them."""

import os
from dataclasses import dataclass, replace

import numpy as np
import pytest

from mimic_core.errors import SourceError
from mimic_core.frames import from_xyz_rpy, rotation_angle
from mimic_sim.demonstrator import DemonstratorStream, Plan, Sight
from mimic_sim.demonstrator_eyes import faces_of
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.demonstrator_source import DemonstratorSource, PacedDemonstrator

PLAN = Plan(
    workspace=np.array([0.55, 0.0, 0.0]),
    radius=0.18,
    start=np.array([0.58, 0.10, 0.0225]),
    target=np.array([0.52, -0.12, 0.0225]),
)
SMALL = DemonstratorParams(width=160, height=120, start_delay=0.2, eyes=False)


class Clock:
    """Time passes when it is told to, and a little with every look."""

    def __init__(self, time: float = 100.0) -> None:
        self.time = time

    def __call__(self) -> float:
        self.time += 4e-3
        return self.time


def test_same_seed_same_pixels() -> None:
    params = replace(SMALL, look='cluttered', seed=3)
    pictures = []
    for _ in range(2):
        stream = DemonstratorStream(params, PLAN)
        pictures.append([stream.at(t)[0] for t in (0.0, 1.0)])
        stream.close()
    for first, second in zip(*pictures, strict=True):
        np.testing.assert_array_equal(first.color, second.color)
        np.testing.assert_array_equal(first.depth, second.depth)


def test_stream_ends_with_the_task() -> None:
    stream = DemonstratorStream(replace(SMALL, rate=5.0), PLAN)
    pictures = list(stream.frames())
    assert pictures[-1][1].phase == 'done' and stream.done
    stamps = [frame.stamp for frame, _ in pictures]
    np.testing.assert_allclose(np.diff(stamps), 0.2)
    assert len(list(stream.frames(duration=0.5))) == 0
    stream.close()


def test_who_waits_rests_until_asked() -> None:
    params = replace(SMALL, wait=True, seed=3, rate=2.0)
    stream = DemonstratorStream(params.shown(0), PLAN)
    assert {truth.phase for _, truth in stream.frames(duration=30.0)} == {'rest'}
    stream.close()
    assert [params.shown(n).seed for n in (1, 2)] == [3, 4]
    assert params.shown(1).start_delay == SMALL.start_delay
    assert [SMALL.shown(n).seed for n in (0, 1)] == [0, 1]


def test_a_loop_goes_on() -> None:
    stream = DemonstratorStream(replace(SMALL, loop=True, rate=4.0, speed=3.0), PLAN)
    phases = [truth.phase for _, truth in stream.frames(duration=14.0)]
    assert phases.count('done') > 0 and 'grasp' in phases[phases.index('done') :]
    stream.close()


def test_what_is_seen_before_the_start_decides_where_to_go() -> None:
    stream = DemonstratorStream(replace(SMALL, eyes=True), PLAN)
    elsewhere = np.array([0.50, 0.02, 0.0225])
    stream.see(Sight(np.array([0.4, 0.0, 0.2]), elsewhere, PLAN.target))
    stream.at(0.0)
    np.testing.assert_array_equal(stream.plan.start, elsewhere)
    np.testing.assert_array_equal(stream.demonstrator.plan.target, PLAN.target)
    stream.close()


def test_a_box_that_is_turned_before_the_start_is_taken_as_it_lies() -> None:
    stream = DemonstratorStream(replace(SMALL, eyes=True), replace(PLAN, faces=0.0))
    before = stream.demonstrator
    for faces in (0.005, 0.5 * np.pi, -np.pi):  # the same cube
        stream.see(Sight(np.array([0.4, 0.0, 0.2]), PLAN.start, PLAN.target, faces=faces))
        stream.at(0.0)
        assert stream.demonstrator is before
    stream.see(Sight(np.array([0.4, 0.0, 0.2]), PLAN.start, PLAN.target, faces=0.12))
    stream.at(0.0)
    assert stream.plan.faces == stream.demonstrator.plan.faces == 0.12
    one, other = (d.state(0.0).hand.world_T_palm for d in (before, stream.demonstrator))
    assert rotation_angle(one[:3, :3], other[:3, :3]) == pytest.approx(0.12, abs=1e-6)
    stream.close()


def test_a_toppled_cube_has_sides_too() -> None:
    for pitch in (0.0, 0.5 * np.pi - 1e-4, np.pi):
        pose = from_xyz_rpy(np.zeros(3), np.array([0.0, pitch, 0.1]))
        assert np.exp(4j * faces_of(pose)) == pytest.approx(np.exp(0.4j), abs=1e-3)


def test_left_hand_is_seen_from_the_other_side() -> None:
    stream = DemonstratorStream(replace(SMALL, side='left'), PLAN)
    _, truth = stream.at(0.1)
    assert truth.side == 'left' and stream.world_T_camera[1, 3] < 0.0
    inside = (truth.pixels >= 0) & (truth.pixels < (160, 120))
    assert inside.all()
    stream.close()


def test_whole_hand_is_in_the_picture_all_the_time() -> None:
    for seed in range(3):
        stream = DemonstratorStream(replace(SMALL, rate=4.0, seed=seed), PLAN)
        for _, truth in stream.frames():
            assert ((truth.pixels > 0) & (truth.pixels < (159, 119))).all()
        stream.close()


# By a clock ----------------------------------------------------------------------------------


def test_pictures_come_at_their_stamps() -> None:
    clock = Clock()
    paced = PacedDemonstrator(DemonstratorStream(SMALL, PLAN), clock)
    stamps = []
    for _ in range(5):
        frame, _ = paced.read()
        assert frame.stamp <= clock.time < frame.stamp + 0.02  # not before, not long after
        stamps.append(frame.stamp)
    np.testing.assert_allclose(np.diff(stamps), 1.0 / SMALL.rate, atol=1e-9)
    assert paced.dropped == 0


def test_a_slow_machine_drops_pictures_but_not_time() -> None:
    clock = Clock()
    paced = PacedDemonstrator(DemonstratorStream(SMALL, PLAN), clock)
    first, _ = paced.read()
    clock.time += 0.21
    second, _ = paced.read()
    assert paced.dropped == 5
    assert abs(second.stamp - clock.time) < 2.0 / SMALL.rate
    ticks = (second.stamp - first.stamp) * SMALL.rate
    assert ticks == pytest.approx(round(ticks), abs=1e-6)


def test_a_clock_that_jumps_restarts_the_stamps() -> None:
    clock = Clock()
    paced = PacedDemonstrator(DemonstratorStream(SMALL, PLAN), clock)
    paced.read()
    clock.time = 3.0
    frame, _ = paced.read()
    assert 3.0 < frame.stamp < 3.1


def test_stop_ends_a_read() -> None:
    paced = PacedDemonstrator(DemonstratorStream(SMALL, PLAN), lambda: 0.0)  # time stands still
    paced.stop()
    with pytest.raises(SourceError, match='stopped'):
        paced.read()


@dataclass(frozen=True)
class CameraParams:
    seed: int = 0
    width: int = 160
    height: int = 120
    rate: float = 30.0


def test_source_of_the_camera_node() -> None:
    source = DemonstratorSource(CameraParams(), Clock(), PLAN)
    with pytest.raises(SourceError, match='not open'):
        source.read()
    source.open()
    first, second = source.read(), source.read()
    assert second.stamp > first.stamp and first.color.shape == (120, 160, 3)
    assert (first.color != second.color).any()  # the picture of a camera is never frozen
    source.close()
    source.close()
    source.open()  # a source may be opened again
    source.read()
    source.close()


# As a tracker sees it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('look', 'side', 'seed'), [('tidy', 'right', 0), ('cluttered', 'left', 1)]
)
def test_mediapipe_finds_the_hand(look: str, side: str, seed: int) -> None:
    os.environ.setdefault('GLOG_minloglevel', '3')
    hands_module = pytest.importorskip('mediapipe').solutions.hands
    params = DemonstratorParams(
        look=look, side=side, seed=seed, rate=10.0, start_delay=0.2, eyes=False
    )
    stream = DemonstratorStream(params, PLAN)
    found, errors = [], []
    with hands_module.Hands(max_num_hands=1) as hands:
        for frame, truth in stream.frames(duration=7.0):
            marks = hands.process(frame.color).multi_hand_landmarks
            found.append(bool(marks))
            if marks:
                size = (params.width, params.height)
                points = np.array([(m.x, m.y) for m in marks[0].landmark]) * size - 0.5
                errors.append(np.linalg.norm(points - truth.pixels, axis=1)[[4, 8]])
    stream.close()
    assert np.mean(found) >= 0.95
    assert np.median(errors) < 5.0  # [px] of thumb tip and index tip
