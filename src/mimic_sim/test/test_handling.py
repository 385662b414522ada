import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_core.frames import apply, transform
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.hand_model import HandModel
from mimic_sim.handling import Grip, Handler, Handling, path_of
from mimic_sim.showing_stream import open_stream

START = transform(np.eye(3), np.array([0.55, -0.1, 0.05]))
UP = np.array([0.0, 0.0, 0.05])


def handling(**changes):
    """Return a thing that is pushed along y and then turned."""
    turn = np.array([0.0, 0.0, 0.6])
    times, poses = path_of(
        START,
        [
            (np.array([0.0, 0.2, 0.0]), np.zeros(3), np.zeros(3), 1.5),
            (np.zeros(3), turn, np.array([0.55, 0.1, 0.05]), 1.0),
        ],
    )
    grip = Grip(np.array([0.0, -0.05, 0.0]), 0.0, 0.9, 0.075, 0.075, UP, UP, **changes)
    return Handling('thing', times, poses, grip)


def handler(seed=0, **changes):
    return Handler(
        handling(**changes), HandModel(), workspace=np.array([0.55, 0.0, 0.0]), radius=0.18,
        side='right', rng=np.random.default_rng(seed), tremor=0.0,
    )  # fmt: skip


def test_a_path_is_smooth_and_ends_where_it_should():
    thing = handling()
    assert thing.duration == pytest.approx(2.5)
    end = thing.at(99.0)
    assert np.allclose(end[:3, 3], [0.55, 0.1, 0.05])
    assert np.arctan2(end[1, 0], end[0, 0]) == pytest.approx(0.6)
    assert np.array_equal(thing.at(-1.0), START)
    speeds = np.linalg.norm(np.diff(thing.poses[:, :3, 3], axis=0), axis=1) * 60.0
    assert speeds[0] < 0.01 and speeds.max() == pytest.approx(1.875 * 0.2 / 1.5, rel=0.02)


def test_the_thing_moves_only_while_the_hand_is_on_it():
    person = handler()
    before, after = person.state(person.begin - 0.05), person.state(person.begin + 2.6)
    assert np.array_equal(before.objects['thing'], START)
    assert np.array_equal(after.objects['thing'], person.handling.at(9.0))
    for since in np.linspace(0.0, 2.4, 9):
        state = person.state(person.begin + since)
        wanted = apply(state.objects['thing'], person.handling.grip.contact)
        assert np.linalg.norm(state.pinch_center - wanted) < 1e-6
        assert state.phase == 'carry'


def test_the_motion_has_no_jumps_and_comes_back():
    person = handler()
    times = np.arange(0.0, person.duration + 0.5, 1.0 / 60.0)
    states = [person.state(t) for t in times]
    way = np.linalg.norm(np.diff([s.pinch_center for s in states], axis=0), axis=1)
    assert way.max() * 60.0 < 0.6  # [m/s]
    assert states[-1].phase == 'done'
    assert np.allclose(states[0].pinch_center, states[-1].pinch_center, atol=1e-6)
    again = [handler().state(t).pinch_center for t in times[::60]]
    assert np.array_equal(again, [s.pinch_center for s in states[::60]])


def test_a_hand_that_keeps_the_thing_stays():
    person = handler(keeps=True)
    last = person.state(person.begin + person.handling.duration)
    assert np.allclose(person.state(99.0).pinch_center, last.pinch_center)


def test_a_hand_turns_as_much_as_it_follows():
    def turned(share):
        person = handler(follows=share)
        a, b = (person.state(person.begin + t).hand.world_T_palm[:3, :3] for t in (0.0, 2.499))
        return np.arccos(0.5 * (np.trace(a.T @ b) - 1.0))

    assert turned(1.0) == pytest.approx(0.6, abs=0.01)
    assert turned(0.5) == pytest.approx(0.3, abs=0.01)
    assert turned(0.0) < 1e-3


def test_times_must_grow():
    thing = handling()
    with pytest.raises(ConfigError, match='grow from 0'):
        Handling('thing', thing.times[::-1].copy(), thing.poses, thing.grip)


def test_a_provider_that_is_none_is_named():
    for name in ('nowhere:make', 'mimic_sim.handling:nothing', 'handling'):
        with pytest.raises(ConfigError, match=name):
            open_stream(DemonstratorParams(provider=name), None)
