"""The calibration file, and what it means in radians."""

import json

import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_description import load_robot
from mimic_so101_driver.calibration import MOTORS, MotorCalibration, Scale, load, save

# As LeRobot writes it, indentation and all.
LEROBOT = """{
    "shoulder_pan": {
        "id": 1,
        "drive_mode": 0,
        "homing_offset": -1470,
        "range_min": 758,
        "range_max": 3292
    },
    "shoulder_lift": {
        "id": 2,
        "drive_mode": 0,
        "homing_offset": 157,
        "range_min": 886,
        "range_max": 3218
    },
    "elbow_flex": {
        "id": 3,
        "drive_mode": 0,
        "homing_offset": 1013,
        "range_min": 875,
        "range_max": 3077
    },
    "wrist_flex": {
        "id": 4,
        "drive_mode": 0,
        "homing_offset": -1387,
        "range_min": 884,
        "range_max": 3219
    },
    "wrist_roll": {
        "id": 5,
        "drive_mode": 0,
        "homing_offset": 92,
        "range_min": 0,
        "range_max": 4095
    },
    "gripper": {
        "id": 6,
        "drive_mode": 0,
        "homing_offset": 1338,
        "range_min": 2034,
        "range_max": 3493
    }
}"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'arm.json'
    path.write_text(LEROBOT)
    return path


def test_a_file_of_lerobot_is_read_and_written_as_it_was(file, tmp_path):
    calibration = load(file)
    assert list(calibration) == list(MOTORS)
    assert calibration['gripper'] == MotorCalibration(6, 0, 1338, 2034, 3493)
    save(calibration, tmp_path / 'new' / 'arm.json')
    assert json.loads((tmp_path / 'new/arm.json').read_text()) == json.loads(LEROBOT)
    assert (tmp_path / 'new/arm.json').read_text().rstrip() == LEROBOT


def changed(path, change):
    content = json.loads(LEROBOT)
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        (lambda c: c.pop('gripper'), 'of another robot: it has shoulder_pan'),
        (lambda c: c.update(elbow_roll=c['gripper']), 'of another robot.*elbow_roll'),
        (lambda c: c['gripper'].pop('id'), 'damaged: gripper must have id, drive_mode'),
        (lambda c: c['gripper'].update(extra=1), 'damaged: gripper must have'),
        (lambda c: c.update(gripper=[1, 2]), 'damaged: gripper must have'),
        (lambda c: c['elbow_flex'].update(range_min=1.5), 'elbow_flex.range_min must be a whole'),
        (lambda c: c['elbow_flex'].update(range_max=True), 'elbow_flex.range_max must be a whole'),
        (lambda c: c['elbow_flex'].update(range_max=5000), r'in \[0, 4095\]: 5000'),
        (lambda c: c['elbow_flex'].update(homing_offset=-3000), r'\[-2047, 2047\]: -3000'),
        (lambda c: c['elbow_flex'].update(range_min=3077), 'range_min 3077 >= range_max 3077'),
        (lambda c: c['elbow_flex'].update(drive_mode=1), 'drive_mode is 1.*calibrate again'),
        (lambda c: c['elbow_flex'].update(id=6), 'an id comes twice'),
    ],
)
def test_bad_files(file, change, text):
    changed(file, change)
    with pytest.raises(ConfigError, match=text):
        load(file)


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        (LEROBOT[:200].encode(), 'is damaged: '),
        (b'', 'is damaged: '),
        (b'[1, 2]', 'not a list of motors'),
        (b'\xff\xfe\x00\x81', 'cannot be read'),
    ],
)
def test_damaged_files(file, content, text):
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=text):
        load(file)


def test_no_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match=r'mimic_so101_driver calibrate --file .*none.json'):
        load(tmp_path / 'none.json')


def test_a_place_that_cannot_be_written(file):
    with pytest.raises(ConfigError, match='cannot be written'):
        save(load(file), file / 'below_a_file.json')


@pytest.fixture
def scale(file):
    limits = load_robot('so101', 'so101_gripper').limits
    return Scale(load(file), MOTORS, limits.lower), limits


def test_zero_is_the_middle_and_a_closed_gripper_its_lower_limit(scale):
    scale, limits = scale
    counts = np.array([2025, 2052, 1976, 2052, 2048, 2034])
    q = scale.to_radians(counts)
    assert np.allclose(q[:5], 0.0, atol=1.6e-3)
    assert q[5] == pytest.approx(limits.lower[5])
    # LeRobot's degrees: (counts - middle) * 360 / 4095
    q = scale.to_radians(counts + 500)
    assert np.allclose(np.degrees(q[:5]), 500 * 360 / 4095, rtol=3e-3)
    assert np.degrees(q[5] - limits.lower[5]) == pytest.approx(500 * 360 / 4096)


def test_there_and_back(scale):
    scale, limits = scale
    rng = np.random.default_rng(0)
    inside = scale.within(limits)
    for _ in range(50):
        q = rng.uniform(inside.lower, inside.upper)
        assert np.allclose(scale.to_radians(scale.to_counts(q)), q, atol=7.7e-4)


def test_an_inverted_gripper(file):
    changed(file, lambda c: c['gripper'].update(drive_mode=1))
    limits = load_robot('so101', 'so101_gripper').limits
    scale = Scale(load(file), MOTORS, limits.lower)
    assert scale.to_radians(np.full(6, 3493))[5] == pytest.approx(limits.lower[5])
    assert scale.to_radians(np.full(6, 3393))[5] > limits.lower[5]
    assert scale.turned(np.ones(6)).tolist() == [1, 1, 1, 1, 1, -1]


def test_limits_keep_to_the_calibrated_range(scale):
    scale, limits = scale
    inside = scale.within(limits)
    span = (3077 - 875) * 2 * np.pi / 4096
    assert inside.upper[2] == pytest.approx(span / 2) and inside.upper[2] < limits.upper[2]
    assert inside.upper[4] == limits.upper[4]
    assert (scale.to_counts(np.full(6, 9.0)) <= 4095).all()
