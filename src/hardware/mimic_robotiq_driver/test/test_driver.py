"""The driver against an emulated gripper, over a pseudo-terminal."""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from gripper_rig import KNOWN_WITHIN, PATIENCE, SwingRig

from mimic_core.driver import DriverState
from mimic_core.driver.testing import wait
from mimic_core.errors import (
    ConfigError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
    PortError,
    UnknownNameError,
)
from mimic_core.params import from_mapping
from mimic_robotiq_driver import RobotiqParams, make_device
from mimic_robotiq_driver.emulator import POSSIBLE_FAULTS, start

JOINT = 'robotiq_left_knuckle_joint'


@pytest.fixture
def emulator(tmp_path):
    with start(tmp_path / 'port', activated=True) as emulator:
        yield emulator


STRICT = {'reply_timeout': 0.03, 'lost_after': 0.1}  # the defaults


def test_strict_is_the_default():
    params = RobotiqParams()
    assert {name: getattr(params, name) for name in STRICT} == STRICT


class Rig(SwingRig):
    make_device = staticmethod(make_device)
    params = RobotiqParams
    middle, reach = 0.4, 0.25  # [rad]

    def check_motion(self):
        path, setpoints = self.moved(), self.writes()
        assert ((path >= -1e-3) & (path <= 0.8 + 1e-3)).all()
        assert ((setpoints >= -0.011) & (setpoints <= 0.8)).all()


params_of, opened = Rig.params_of, Rig.opened


def test_opens_without_motion_and_says_what_answers(emulator):
    before = emulator.plant.position.copy()
    with opened(emulator) as device:
        assert device.open() == 'Robotiq 2F-85, slave 9, activated'
        assert device.joints == (JOINT,)
        assert device.read().position == pytest.approx(before, abs=0.004)
        assert device.health().details['activated'] == 'True'
    assert emulator.writes() == [] and emulator.plant.position == before
    assert bytes(emulator.server.received) == bytes.fromhex('09 03 07 D0 00 03 04 0E') * 3


def test_activates_a_gripper_that_is_not(tmp_path):
    with start(tmp_path / 'port') as emulator, opened(emulator) as device:
        assert device.open().endswith('not activated')
        assert not emulator.plant.torque[0]
        device.enable()
        assert device.read().position == pytest.approx(0.0, abs=0.004)
        clear = bytes.fromhex('09 10 03 E8 00 03 06 00 00 00 00 00 00 73 30')
        activate = bytes.fromhex('09 10 03 E8 00 03 06 01 00 00 00 00 00 72 E1')
        assert clear + activate in bytes(emulator.server.received)
        device.write(np.array([0.4]))
        wait(lambda: abs(device.read().position[0] - 0.4) < 0.005)
        sent = len(emulator.server.received)
        device.enable()  # it is already: no sweep, only a look
        assert len(emulator.server.received) == sent + 8


def test_activation_that_does_not_end(tmp_path):
    with start(tmp_path / 'port') as emulator, opened(emulator, activation_timeout=1.0) as device:
        emulator.faults.set('stuck')
        with pytest.raises(DeviceFaultError, match=r'not over after 1\.0 s'):
            device.enable()


def test_the_bytes_of_a_set_point(emulator):
    with opened(emulator, force=300.0) as device:
        device.enable()
        device.write(np.array([0.39645]))
        # 116.5 counts, truncated to 0x74; speed and force 0xFF
        assert bytes(emulator.server.received[-15:-2]) == bytes.fromhex(
            '09 10 03 E8 00 03 06 09 00 00 74 FF FF'
        )
    assert emulator.writes()[-1][1] == pytest.approx([0.7929 * 113 / 227])


@pytest.mark.parametrize(('model', 'closed'), [('2f85', 0.7929), ('2f140', 0.695)])
def test_angles_of_both_models(tmp_path, model, closed):
    with (
        start(tmp_path / 'port', model=model, activated=True) as emulator,
        opened(emulator) as device,
    ):
        assert device.read().position == pytest.approx([closed / 2], abs=0.004)
        device.enable()
        device.write(np.array([closed]))
        wait(lambda: device.read().position[0] > closed - 0.004)


def test_site_limits_bound_the_speed_byte(emulator):
    site = {JOINT: {'max_speed': 0.5, 'upper': 0.6}}
    device, limits, rate = make_device(params_of(emulator), site)
    assert rate == 100.0 and limits.upper == pytest.approx([0.6])
    device.open()
    device.enable()
    device.write(np.array([0.3]))
    # 0.5 rad/s is 53.6 mm/s, of 20 .. 150 mm/s
    assert emulator.server.received[-4] == int(255 * (0.5 * 0.085 / 0.7929 - 0.02) / 0.13)
    device.close()
    prefixed = {f'left_{JOINT}': {'max_speed': 0.5}}
    tight = make_device(params_of(emulator, prefix='left_'), prefixed)[1]
    assert tight.max_speed == pytest.approx([0.5])
    with pytest.raises(ConfigError, match='only tighten'):
        make_device(params_of(emulator), {JOINT: {'upper': 2.0}})
    with pytest.raises(UnknownNameError, match='nonsense'):
        make_device(params_of(emulator), {'nonsense': {'upper': 0.1}})
    with pytest.raises(ConfigError, match='no gripper of one joint'):
        make_device(params_of(emulator, hand='allegro'))


def test_hold_and_limp(emulator):
    with opened(emulator) as device:
        device.enable()
        device.write(np.array([0.7]))
        time.sleep(0.1)
        device.disable(hold=True)
        time.sleep(0.05)
        position = emulator.plant.position.copy()
        assert emulator.plant.torque[0] and position < 0.6
        time.sleep(0.1)
        assert emulator.plant.position == pytest.approx(position, abs=1e-3)
        assert device.open().endswith(', activated')
        device.enable()
        device.disable(hold=False)
        assert not emulator.plant.torque[0]
        device.read()
        assert device.health().details['activated'] == 'False'


def test_contact_is_told_and_no_warning(emulator):
    emulator.plant.obstacle_upper[:] = 0.5
    with Rig(emulator) as rig:
        rig.goal = 0.7
        wait(lambda: rig.status.health.details.get('object') == 'contact while closing')
        time.sleep(0.3)
        assert not rig.complaint()
        assert rig.status.health.current['motor'] > 0.05
        assert emulator.plant.position == pytest.approx([0.5])


def test_the_unit_of_the_current_is_a_parameter(emulator):
    emulator.plant.obstacle_upper[:] = 0.0

    def current(unit):
        with opened(emulator, current_unit=unit) as device:
            device.enable()
            device.write(np.array([0.7]))
            time.sleep(0.2)
            device.read()
            return device.health().current['motor']

    assert current(0.03) == pytest.approx(3.0 * current(0.01)) != 0.0


def test_five_milliseconds_between_commands(emulator):
    with opened(emulator) as device:
        device.enable()
        for angle in np.linspace(0.3, 0.4, 20):
            device.write(np.array([angle]))
    times = np.array([t for t, _ in emulator.writes()])
    # A busy machine delivers one late and the next in time: the mean is what the driver keeps.
    assert len(times) == 20 and times[-1] - times[0] > 19 * 0.005 - 0.01


def test_first_command_is_where_it_is_and_the_speed_is_bounded(emulator):
    emulator.plant.position[:] = emulator.plant.target[:] = 0.6
    with Rig(emulator) as rig:
        rig.goal = 0.1
        wait(lambda: emulator.plant.position[0] < 0.15)
    (_, first), *_ = emulator.writes()
    assert first == pytest.approx([0.6], abs=0.004)
    times = np.array([t for t, _ in emulator.writes()])
    angles = np.array([q[0] for _, q in emulator.writes()])
    speed = np.abs(np.diff(angles)) - 0.0035  # a count
    assert (speed <= 1.4 * np.maximum(np.diff(times), 0.02) + 1e-9).all()
    rig.check_motion()


# Faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('fault', POSSIBLE_FAULTS)
def test_every_fault(emulator, fault):
    with Rig(emulator, **STRICT) as rig:
        wait(rig.follows)
        time.sleep(0.3)
        errors = rig.status.errors.total()
        emulator.faults.set(fault)
        known = wait(lambda: rig.complaint() or rig.status.errors.total() > errors, 1.0)
        # A stuck motor shows once the swing, which may just turn, is away from it.
        assert known < (1.0 if fault == 'stuck' else KNOWN_WITHIN + PATIENCE)
        if fault != 'stuck':
            state = (
                DriverState.LOST
                if fault not in ('brown_out', 'over_temperature')
                else DriverState.FAULT
            )
            wait(lambda: rig.status.state == state, KNOWN_WITHIN + PATIENCE)
            writes = rig.status.writes
            time.sleep(0.3)
            assert rig.status.writes == writes  # nothing while nobody knows where it is
        words = {
            'checksum': 'checksum', 'short': 'bytes', 'silent': 'no reply', 'noise': 'reply',
            'slow': 'no reply', 'disconnect': '', 'brown_out': 'restarted',
            'over_temperature': 'over-temperature', 'stuck': '',
        }  # fmt: skip
        assert words[fault] in rig.status.message
        emulator.faults.clear()
        if fault == 'brown_out':
            wait(rig.reset)
        wait(rig.follows, 8.0)
        rig.check_motion()


def test_a_single_bad_reply_costs_one_period(emulator):
    with Rig(emulator) as rig:
        rig.check_that_a_bad_reply_costs_one_period('checksum', 'short', 'noise', 'silent')


def test_late_replies_are_passed_over(emulator):
    with opened(emulator, reply_timeout=0.1) as device:
        device.enable()
        for late in (device.read, lambda: device.write(np.array([0.3]))):
            emulator.faults.set('slow', 1)
            with pytest.raises(NoReplyError):
                late()
            emulator.plant.position[:] = emulator.plant.target[:] = 0.2
            time.sleep(0.15)  # the late reply, after 0.3 s, comes while the next one is awaited
            assert device.read().position == pytest.approx([0.2], abs=0.004)
            device.write(np.array([0.2]))
            emulator.plant.position[:] = emulator.plant.target[:] = 0.5


def test_unplug_and_replug_without_a_jump(emulator):
    with Rig(emulator) as rig:
        wait(rig.follows)
        emulator.faults.set('disconnect')
        wait(lambda: rig.status.state == DriverState.LOST)
        emulator.plant.position[:] = 0.7  # somebody moved it
        emulator.plant.target[:] = 0.7
        before = len(emulator.writes())
        emulator.faults.clear()
        wait(rig.follows)
        assert emulator.writes()[before][1] == pytest.approx([0.7], abs=0.004)
        assert rig.status.reconnects == 1
        rig.check_motion()


def test_a_stuck_motor_is_named(emulator):
    with Rig(emulator) as rig:
        wait(rig.follows)
        emulator.faults.set('stuck')
        wait(lambda: rig.status.health.warnings)
        assert rig.status.health.warnings == (f'{JOINT} does not move, and reports no contact',)
        emulator.faults.clear()
        wait(lambda: not rig.status.health.warnings)


def test_silence_of_the_master_is_a_warning_until_the_next_command(emulator):
    with opened(emulator) as device:
        time.sleep(1.1)
        device.read()
        assert device.health().warnings == ('gripper: no communication for 1 s',)
        device.enable()
        device.write(np.array([0.3]))
        device.read()
        assert device.health().warnings == ()


def test_a_lost_client_must_not_cost_the_activation(emulator):
    with pytest.raises(ConfigError, match=r"'on_lost_client' must be hold.*sweep its whole"):
        make_device(params_of(emulator, on_lost_client='limp'))


def test_lost_client(emulator):
    with Rig(emulator, command_timeout=0.1) as rig:
        rig.check_that_it_stays_without_a_client(stiff=True, atol=0.004)


def test_auto_reset_brings_it_back_from_a_brown_out(emulator):
    with Rig(emulator, auto_reset=True) as rig:
        wait(rig.follows)
        emulator.faults.set('brown_out')
        wait(lambda: rig.status.state == DriverState.FAULT)
        emulator.faults.clear()
        wait(rig.follows, 8.0)


def test_a_set_point_after_a_brown_out_begins_no_sweep(emulator):
    with opened(emulator) as device:
        device.enable()
        device.write(np.array([0.4]))
        emulator.faults.set('brown_out')
        wait(lambda: not emulator.plant.torque[0])
        device.write(np.array([0.41]))  # nobody knows yet; its rACT starts an activation
        wait(lambda: bool(emulator.plant.torque[0]))
        with pytest.raises(DeviceFaultError, match='restarted'):
            device.read()
        assert not emulator.plant.torque[0]
        with pytest.raises(DeviceFaultError, match='restarted'):
            device.read()


def test_holding_a_gripper_that_restarted_begins_no_sweep(emulator):
    with Rig(emulator) as rig:
        wait(rig.follows)
        emulator.faults.set('brown_out')
        wait(lambda: rig.status.state == DriverState.FAULT)
        rig.session.deactivate()
        position = emulator.plant.position.copy()
        time.sleep(0.2)
        assert emulator.plant.position == pytest.approx(position, abs=1e-6)
        assert not emulator.plant.torque[0] and rig.status.state == DriverState.INACTIVE


def test_a_brown_out_while_unplugged_is_found_when_it_is_back(emulator):
    with Rig(emulator) as rig:
        wait(rig.follows)
        emulator.faults.set('disconnect')
        emulator.faults.set('brown_out')
        wait(lambda: rig.status.state == DriverState.LOST)
        emulator.faults.clear()
        wait(lambda: rig.status.state == DriverState.FAULT)
        assert 'restarted' in rig.status.message
        assert not emulator.plant.torque[0]  # no sweep that nobody asked for


# Bad input --------------------------------------------------------------------------------------


def test_unknown_port(tmp_path):
    device = make_device(from_mapping(RobotiqParams, {'port': str(tmp_path / 'nothing')}))[0]
    with pytest.raises(PortError, match='there is no port'):
        device.open()


def test_busy_port(emulator):
    with opened(emulator), pytest.raises(PortError, match='busy'):
        make_device(params_of(emulator))[0].open()


@pytest.mark.skipif(os.geteuid() == 0, reason='root may open every port')
def test_no_permission(emulator):
    Path(emulator.params['port']).resolve().chmod(0)
    with pytest.raises(PortError, match='usermod -aG'):
        make_device(params_of(emulator))[0].open()


def test_missing_slave(emulator):
    emulator.device.slave = 5
    with pytest.raises(
        NoReplyError, match=r'no reply from slave 9 on .*port at 115200 bit/s.*slave_id'
    ):
        make_device(params_of(emulator, **STRICT))[0].open()


def test_wrong_baud_is_told(tmp_path):
    with (
        start(tmp_path / 'port', device_baud=38400) as emulator,
        pytest.raises(NoReplyError, match='answers at 38400 bit/s: set the parameter baud'),
    ):
        make_device(params_of(emulator, **STRICT))[0].open()


def test_another_device_answers(emulator):
    emulator.device.firmware = False
    with pytest.raises(
        IdentityError, match='no Robotiq gripper: it answers with Modbus exception 2'
    ):
        make_device(params_of(emulator))[0].open()


def test_rate(emulator):
    with ExitStack() as stack:
        rig = stack.enter_context(Rig(emulator))
        wait(rig.follows)
        cycles, begin = rig.loop.cycles, time.perf_counter()
        time.sleep(1.0)
        rate = (rig.loop.cycles - cycles) / (time.perf_counter() - begin)
        missed = rig.loop.missed
    # The period is kept on average whatever the machine does; missed ones are counted.
    assert rate + missed > 0.9 * 100.0
