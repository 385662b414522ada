"""How far away the hand of a video without depth is, by how low its palm comes."""

import dataclasses
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mimic_dataset import EpisodeError, make_jobs, people
from mimic_dataset.grounding import demonstrated, distance_factor
from mimic_dataset.people import follow
from mimic_description import load_robot

from .synthetic_people import EYE, VIEW, write_video
from .test_people import PARAMS


@pytest.mark.parametrize('seen', [0.7, 0.95, 1.4])
def test_a_hand_that_looks_too_near_or_too_far_is_brought_to_its_place(seen):
    rng = np.random.default_rng(1)
    camera = np.array([1.2, 0.0, 0.7])
    truth = np.array([0.5, 0.0, 0.25]) + rng.uniform(-0.15, 0.15, (80, 3))
    position = camera + seen * (truth - camera)
    factor = distance_factor(position, camera, float(np.percentile(truth[:, 2], 2.0)))
    assert factor == pytest.approx(1.0 / seen, rel=1e-3)


def test_what_no_distance_explains_is_refused():
    position = np.array([[0.5, 0.0, 0.3], [0.5, 0.1, 0.2]])
    level = np.array([1.2, 0.0, 0.25])  # a camera at the height of the hand tells nothing
    for wanted in (-0.5, 0.6):
        with pytest.raises(EpisodeError, match=r'--lowest-palm none leaves distances'):
            distance_factor(position, level, wanted)


def test_a_video_comes_as_low_as_the_demonstrations_do(tmp_path):
    video = write_video(tmp_path / 'a.mp4')
    gripper = load_robot(PARAMS.arm, PARAMS.hand)

    def lowest(view):
        track = follow(video, gripper, PARAMS, view)
        return float(np.percentile(track.position[track.valid, 2], 2.0)), track

    seen, plain = lowest(VIEW)
    wanted = seen - 0.03
    found, moved = lowest(dataclasses.replace(VIEW, lowest_palm=wanted))
    assert found == pytest.approx(wanted, abs=5e-4)
    assert plain.factor == 1.0 and 1.02 < moved.factor < 1.4
    kept = plain.valid
    np.testing.assert_allclose(
        moved.position[kept] - EYE, moved.factor * (plain.position[kept] - EYE), atol=1e-9
    )
    np.testing.assert_array_equal(moved.quat_xyzw[kept], plain.quat_xyzw[kept])
    with pytest.raises(EpisodeError, match=r'a\.mp4: the palm comes as low as'):
        lowest(dataclasses.replace(VIEW, lowest_palm=-3.0))


@pytest.fixture
def seen_first_as(monkeypatch):
    """Lets the tracker say something else of the hands in the first pictures."""
    track = people.HandTracker.process_frames

    def change(until, **said):
        def process(tracker, frames):
            found = track(tracker, frames)
            if frames[0].stamp > until:
                return found
            return tuple(tuple(dataclasses.replace(h, **said) for h in hands) for hands in found)

        monkeypatch.setattr(people.HandTracker, 'process_frames', process)

    return change


def test_what_depth_says_of_some_pictures_is_not_moved(tmp_path, seen_first_as):
    video = write_video(tmp_path / 'a.mp4', duration=2.0)
    gripper, view = load_robot(PARAMS.arm, PARAMS.hand), dataclasses.replace(VIEW, lowest_palm=0.1)
    seen_first_as(1.0, method='depth')
    assert follow(video, gripper, PARAMS, view).factor == 1.0


def test_depth_of_the_other_hand_does_not_count(tmp_path, seen_first_as):
    video = write_video(tmp_path / 'a.mp4')
    view = dataclasses.replace(VIEW, lowest_palm=0.28)
    seen_first_as(0.5, side='left', method='depth')
    found = follow(video, load_robot(PARAMS.arm, PARAMS.hand), PARAMS, view)
    assert found.factor != 1.0
    assert np.percentile(found.position[found.valid, 2], 2.0) == pytest.approx(0.28, abs=5e-4)


def test_an_episode_is_made_anew_where_it_would_be_elsewhere(tmp_path):
    video = write_video(tmp_path / 'a.mp4', duration=0.2)
    keys = {
        make_jobs([video], tmp_path, 'human', PARAMS, view)[0].key()
        for view in (VIEW, *(dataclasses.replace(VIEW, lowest_palm=h) for h in (0.05, 0.055)))
    }
    assert len(keys) == 3


def test_an_episode_is_made_anew_where_its_robot_is_described_otherwise(tmp_path, monkeypatch):
    video = write_video(tmp_path / 'a.mp4', duration=0.2)
    job = make_jobs([video], tmp_path, 'human', PARAMS, VIEW)[0]
    before, robot = job.key(), load_robot(PARAMS.arm, PARAMS.hand)
    grasp = dataclasses.replace(robot.hand.grasp, aperture_max=0.07)
    changed = dataclasses.replace(robot, hand=dataclasses.replace(robot.hand, grasp=grasp))
    module = sys.modules['mimic_dataset.convert']
    moved = dataclasses.replace(
        robot, urdf=robot.urdf.replace('<robot', '<!-- there --><robot', 1)
    )
    monkeypatch.setattr(module, 'load_robot', lambda arm, hand: moved)
    assert job.key() == before
    monkeypatch.setattr(module, 'load_robot', lambda arm, hand: changed)
    assert job.key() != before


def test_what_demonstrations_reach_is_the_median_of_them_rounded():
    def going_down_to(height):
        action = np.zeros((50, 7))
        action[:, 2] = height + np.linspace(0.2, 0.0, 50)
        return SimpleNamespace(action=action)

    found = demonstrated([going_down_to(h) for h in (0.048, 0.053, 0.3)])
    assert found == pytest.approx(0.055)  # 0.053, and a fiftieth of the way down of 0.2 m
