import dataclasses
import json

import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_dataset.video import WHOLE, Region, resized
from mimic_description import load_robot
from mimic_policy import PolicyMeta, Range, WrongRobotError

from policy_networks import meta_of  # isort: skip

LIVE = {'agent': (480, 640), 'wrist': (480, 640)}


def test_json_there_and_back():
    meta = meta_of(load_robot('panda', 'allegro'))
    assert PolicyMeta.from_json(json.loads(json.dumps(meta.to_json())), 'file') == meta


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('fps', 'ten'), ('fps', -1.0), ('horizon', 0), ('task', 3), ('joint_names', 'a'),
        ('cameras', {}), ('cameras', {'agent': [3]}), ('action', {'low': [1.0]}),
        ('state', {'low': [0.0], 'high': [1.0]}), ('joint_lower', [float('nan')]),
        ('action', {'low': [2.0], 'high': [1.0]}), ('region', {'left': 0.9, 'right': 0.1}),
        ('region', {'middle': 0.5}), ('region', {'top': -0.1}), ('region', [0.0, 0.0, 1.0, 1.0]),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_file(field, value):
    data = meta_of(load_robot('panda', 'robotiq_2f85')).to_json()
    with pytest.raises(ConfigError, match=rf'x\.json: meta\.{field}'):
        PolicyMeta.from_json({**data, field: value}, 'x.json')


def test_checkpoints_of_before_see_the_whole_picture():
    data = meta_of(load_robot('panda', 'robotiq_2f85')).to_json()
    del data['region']
    assert PolicyMeta.from_json(data, 'x.json').region == WHOLE


def test_of_the_agent_view_a_region_is_seen_and_of_the_wrist_all():
    part = Region(0.25, 0.5, 0.75, 1.0)
    meta = meta_of(load_robot('panda', 'robotiq_2f85'), region=part)
    assert PolicyMeta.from_json(json.loads(json.dumps(meta.to_json())), 'file') == meta
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        meta.scaled('agent', image), resized(image[240:, 160:480], (36, 48))
    )
    np.testing.assert_array_equal(meta.scaled('wrist', image), resized(image, (36, 48)))


def test_missing_and_unknown_fields_are_named():
    data = meta_of(load_robot('panda', 'robotiq_2f85')).to_json()
    with pytest.raises(ConfigError, match=r'meta\.fps is missing'):
        PolicyMeta.from_json({k: v for k, v in data.items() if k != 'fps'}, 'x.json')
    with pytest.raises(ConfigError, match=r'meta\.more is unknown'):
        PolicyMeta.from_json({**data, 'more': 1}, 'x.json')
    with pytest.raises(ConfigError, match='not a mapping'):
        PolicyMeta.from_json([], 'x.json')


def test_its_own_robot_is_taken():
    robot = load_robot('panda', 'allegro')
    meta_of(robot).check(robot, LIVE)


def test_another_robot_is_refused_by_the_field():
    robot = load_robot('panda', 'allegro')
    meta = meta_of(robot)
    for other, field in (
        (load_robot('iiwa14', 'allegro'), "arm: the policy is for 'panda'"),
        (load_robot('panda', 'ability'), "hand: the policy is for 'allegro'"),
    ):
        with pytest.raises(WrongRobotError, match=field):
            meta.check(other, LIVE)
    names = meta.joint_names
    swapped = (names[1], names[0], *names[2:])
    with pytest.raises(WrongRobotError, match='joint_names: other order'):
        dataclasses.replace(meta, joint_names=swapped).check(robot, LIVE)
    with pytest.raises(WrongRobotError, match='joint_names: other names'):
        dataclasses.replace(meta, joint_names=('thumb', *names[1:])).check(robot, LIVE)


def test_bounds_may_be_tighter_than_in_training_but_not_wider():
    robot = load_robot('panda', 'allegro')
    meta = meta_of(robot)
    wider = tuple(x - 0.1 for x in meta.joint_lower)
    dataclasses.replace(meta, joint_lower=wider).check(robot, LIVE)
    tighter = tuple(x - 0.1 for x in meta.joint_upper)
    with pytest.raises(WrongRobotError, match=f'joint_upper: {meta.joint_names[0]}'):
        dataclasses.replace(meta, joint_upper=tighter).check(robot, LIVE)


def test_other_cameras_are_refused():
    robot = load_robot('panda', 'robotiq_2f85')
    meta = meta_of(robot)
    with pytest.raises(WrongRobotError, match="no 'wrist' camera among agent"):
        meta.check(robot, {'agent': (480, 640)})
    with pytest.raises(WrongRobotError, match='agent gives pictures of 1280 × 720'):
        meta.check(robot, {**LIVE, 'agent': (720, 1280)})
    meta.check(robot, {**LIVE, 'agent': (240, 320)})  # same shape, scaled to the same
    meta.check_picture('wrist', (1080, 1440))
    with pytest.raises(WrongRobotError, match=r'wrist gives pictures of 640 × 360, .* 640 × 480'):
        meta.check_picture('wrist', (360, 640))


def test_range_there_and_back_and_constants():
    rows = np.array([[0.0, 5.0, -1.0], [2.0, 5.0, 3.0]])
    scale = Range.of(rows)
    np.testing.assert_allclose(scale.scale(rows), [[-1.0, 0.0, -1.0], [1.0, 0.0, 1.0]])
    np.testing.assert_allclose(scale.unscale(scale.scale(rows)), rows)
    np.testing.assert_allclose(scale.unscale(np.array([0.0, 1.0, 0.0])), [1.0, 5.001, 1.0])
