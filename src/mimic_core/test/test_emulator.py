import numpy as np
import pytest

from mimic_core.emulator import FAULTS, Faults, Plant
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.limits import JointLimits

LIMITS = JointLimits(
    np.array([-1.0, 0.0]), np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.ones(2), np.ones(2)
)


def test_a_first_order_step():
    plant = Plant(LIMITS, np.zeros(2), time_constant=0.1)
    plant.torque[:] = True
    plant.target[:] = [0.05, 0.02]
    for _ in range(100):
        plant.step(0.001)
    np.testing.assert_allclose(
        plant.position, np.array([0.05, 0.02]) * (1 - np.exp(-1)), rtol=1e-6
    )
    other = Plant(LIMITS, np.zeros(2), time_constant=0.1)
    other.torque[:] = True
    other.target[:] = [0.05, 0.02]
    other.step(0.1)  # the same in one step
    np.testing.assert_allclose(other.position, plant.position)


def test_speed_limits_end_stops_and_torque():
    plant = Plant(LIMITS, np.zeros(2))
    plant.target[:] = [5.0, 5.0]
    plant.step(1.0)
    np.testing.assert_array_equal(plant.position, 0.0)  # no torque
    plant.torque[:] = True
    for _ in range(50):
        before = plant.position.copy()
        plant.step(0.01)
        assert (np.abs(plant.position - before) <= LIMITS.max_speed * 0.01 + 1e-12).all()
    for _ in range(500):
        plant.step(0.01)
    np.testing.assert_allclose(plant.position, LIMITS.upper, atol=1e-6)


def test_an_object_stops_a_joint_and_loads_it():
    plant = Plant(LIMITS, np.zeros(2))
    plant.torque[:] = True
    plant.obstacle_upper[1] = 0.7
    plant.target[:] = [0.0, 1.5]
    for _ in range(300):
        plant.step(0.01)
    assert plant.position[1] == pytest.approx(0.7)
    np.testing.assert_array_equal(plant.blocked(), [0.0, 1.0])
    assert plant.effort[1] == pytest.approx(1.0)
    plant.stuck[0] = True
    plant.target[0] = 0.5
    plant.step(1.0)
    assert plant.position[0] == 0.0


def test_faults_by_count_and_by_joint():
    faults = Faults()
    faults.set('checksum', 2)
    assert [faults.spoil(b'ab')[0] for _ in range(3)] == [b'a7', b'a7', b'ab']
    faults.set('stuck', joint=3)
    assert faults.on('stuck', 3) and not faults.on('stuck', 2)
    faults.clear()
    assert faults.active() == ()
    assert faults.spoil(b'ab') == (b'ab', 0.0)


def test_what_a_person_types():
    faults = Faults()
    assert faults.command('stuck joint 2') == 'stuck'
    assert faults.command('silent 3') == 'stuck, silent'
    assert faults.command('clear stuck') == 'silent'
    assert faults.command('clear') == 'no fault'
    with pytest.raises(UnknownNameError, match='silent'):
        faults.command('silnt')
    with pytest.raises(ConfigError, match='FAULT'):
        faults.command('stuck on joint two')
    assert set(FAULTS) >= {'checksum', 'short', 'silent', 'noise', 'slow', 'disconnect'}
