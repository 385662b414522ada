"""The driver before emulated stacks, over real topics and services."""

import time
from pathlib import Path

import numpy as np
import pytest

from mimic_core.errors import DeviceError, DeviceFaultError, IdentityError, PortError
from mimic_core.params import from_mapping

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]
FAULTS = ('silent', 'noise', 'slow', 'disconnect', 'brown_out')
SAID = {
    'silent': 'nothing on', 'noise': '/joint_states', 'slow': '/joint_states',
    'disconnect': 'nothing on', 'brown_out': 'FRI session is monitoring',
}  # fmt: skip
KNOWN_WITHIN, BUSY = 0.2, 0.15  # [s], and what a busy machine adds


def make(emulated, **changes):
    from mimic_iiwa_driver.driver import make_device
    from mimic_iiwa_driver.params import IiwaParams

    return make_device(from_mapping(IiwaParams, {**emulated.params, **changes}))


@pytest.fixture
def lbr(ros_domain):
    from mimic_iiwa_driver import emulator

    with emulator.start(Path('lbr_test')) as emulated:
        yield emulated


def open_device(emulated, **changes):
    device, _, rate = make(emulated, **changes)
    assert rate == 100.0
    return device, device.open()


def wait(condition, timeout=3.0):
    end = time.perf_counter() + timeout
    while not condition() and time.perf_counter() < end:
        time.sleep(0.01)
    return condition()


def test_each_joint_is_itself_in_both_directions(lbr):
    device, answer = open_device(lbr)
    try:
        assert 'joint_trajectory_controller is active' in answer
        device.enable()
        home = device.read().position
        goal = home + 0.01 * np.arange(1, 8)
        device.write(goal)
        assert wait(lambda: np.abs(device.read().position - goal).max() < 2e-3)
        assert lbr.plant.position == pytest.approx(goal, abs=2e-3)
        (_, sent), *rest = lbr.writes()
        assert sent == pytest.approx(goal) and rest == []
        reading = device.read()
        assert reading.stamp is not None and abs(time.time() - reading.stamp) < 0.1
        details = device.health().details
        assert details['session'] == 'commanding active'
        assert details['controller: joint_trajectory_controller'] == 'active'
    finally:
        device.close()
        device.close()


def test_what_is_wrong_at_the_start_is_told(lbr):
    for changes, error, sentence in (
        ({'controller': 'arm_controller'}, IdentityError, "no controller 'arm_controller'"),
        (
            {'joints': ['med_A1', *(f'lbr_A{i}' for i in range(2, 8))], 'open_timeout': 1.0},
            IdentityError,
            'has no med_A1; it has lbr_A1',
        ),
        (
            {'namespace': 'nowhere', 'open_timeout': 0.3},
            PortError,
            'nothing on /nowhere/joint_states: is lbr_fri_ros2_stack running',
        ),
    ):
        device, _, _ = make(lbr, **changes)
        with pytest.raises(error, match=sentence):
            device.open()
        device.close()


def test_a_controller_that_somebody_switches_off_waits_for_a_reset(lbr):
    device, _ = open_device(lbr)
    try:
        device.enable()
        device.read()
        lbr.stack.switch([], ['joint_trajectory_controller'])

        def fault():
            try:
                device.read()
            except DeviceFaultError as error:
                return str(error)
            return ''

        assert wait(lambda: 'somebody switched it off' in fault(), 0.5)
        with pytest.raises(DeviceFaultError, match='switched it off'):
            device.enable()
        device.reset()
        device.enable()
        assert lbr.stack.states['joint_trajectory_controller'] == 'active'
        assert fault() == ''
    finally:
        device.close()


def test_it_waits_for_the_session_and_never_goes_limp(lbr):
    device, _ = open_device(lbr)
    try:
        lbr.faults.set('brown_out')
        assert wait(lambda: device.link.session().problem, 1.0)
        device.read()  # measured all the same while nobody wants to move
        with pytest.raises(DeviceFaultError, match='start the FRI application'):
            device.enable()
        with pytest.raises(DeviceError, match='no topic that takes the torque off'):
            device.disable(hold=False)
        lbr.faults.clear()
        assert wait(lambda: not device.link.session().problem, 2.0)
        device.enable()
        device.disable(hold=True)
    finally:
        device.close()


def test_the_forward_controller(ros_domain):
    from mimic_iiwa_driver import emulator

    with emulator.start(Path('forward_test'), stack='icube') as emulated:
        device, _ = open_device(emulated, command='forward')
        device.enable()
        goal = device.read().position + 0.02
        device.write(goal)
        assert wait(lambda: np.abs(emulated.plant.position - goal).max() < 2e-3)
        device.close()


@pytest.mark.parametrize(('stack', 'faults'), [('lbr', FAULTS), ('icube', ('brown_out',))])
def test_every_fault(ros_domain, stack, faults):
    """No motion outside limits, known within 0.2 s, followed again without a restart."""
    from benchmarks.driver_faults import Swinging, scenario
    from mimic_iiwa_driver import emulator

    with (
        emulator.start(Path('fault_test'), stack=stack) as emulated,
        Swinging('iiwa', emulated, 'mimic_iiwa_driver') as running,
    ):
        for fault in faults:
            outcome = scenario(running, fault)
            assert outcome.known < KNOWN_WITHIN + BUSY, outcome
            assert outcome.recovered < 5.0, outcome
            assert outcome.outside == 0 and outcome.jump < 1.0, outcome
            if stack == 'lbr':
                assert SAID[fault] in outcome.said, outcome
        assert emulated.stack.trips == 0, 'the robot had to refuse a set-point'


def test_a_stuck_joint_is_a_warning_that_names_it(ros_domain):
    from benchmarks.driver_faults import Swinging
    from mimic_iiwa_driver import emulator

    with emulator.start(Path('stuck_test')) as emulated:
        emulated.params.update(following_error=0.1, following_time=0.1)
        with Swinging('iiwa', emulated, 'mimic_iiwa_driver') as running:
            assert wait(running.follows, 6.0)
            emulated.faults.set('stuck', joint=2)
            assert wait(lambda: running.session.status.warnings, 6.0)
            assert 'iiwa_joint_3 does not follow' in running.session.status.warnings[0]
