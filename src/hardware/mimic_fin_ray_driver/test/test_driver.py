"""The driver against emulated grippers: a WSG-50 on TCP, a servo on a pseudo-terminal."""

import socket
import struct
import time
from contextlib import suppress

import numpy as np
import pytest
from gripper_rig import KNOWN_WITHIN, PATIENCE, SwingRig

from mimic_core.driver import DriverState
from mimic_core.driver.testing import wait
from mimic_core.errors import (
    ConfigError,
    DeviceError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
    PortError,
    UnknownNameError,
)
from mimic_fin_ray_driver import FinRayParams, make_device
from mimic_fin_ray_driver.emulator import POSSIBLE_FAULTS, start
from mimic_fin_ray_driver.servo_emulator import ServoDevice
from mimic_fin_ray_driver.wsg_emulator import WsgDevice

JOINT = 'fin_ray_right_finger_joint'
BACKENDS = ('wsg', 'dynamixel')
TICK = 0.0002  # [m], more than the resolution of both


@pytest.fixture(params=BACKENDS)
def emulator(request, tmp_path):
    device = WsgDevice(referenced=True) if request.param == 'wsg' else None
    with start(tmp_path / 'port', request.param, device=device) as emulator:
        yield emulator


@pytest.fixture
def wsg(tmp_path):
    with start(tmp_path / 'port', device=WsgDevice(referenced=True)) as emulator:
        yield emulator


@pytest.fixture
def servo(tmp_path):
    with start(tmp_path / 'port', 'dynamixel') as emulator:
        yield emulator


STRICT = {'reply_timeout': 0.05, 'lost_after': 0.1}  # the defaults


def test_strict_is_the_default():
    params = FinRayParams()
    assert {name: getattr(params, name) for name in STRICT} == STRICT


class Rig(SwingRig):
    make_device = staticmethod(make_device)
    params = FinRayParams
    middle, reach = 0.027, 0.02  # [m]

    def check_motion(self):
        path, setpoints = self.moved(), self.writes()
        assert ((path >= -1e-4) & (path <= 0.0541)).all()
        assert ((setpoints >= -TICK) & (setpoints <= 0.054 + TICK)).all()


params_of, opened = Rig.params_of, Rig.opened


def test_opens_without_motion_and_says_what_answers(emulator):
    before = emulator.plant.position.copy()
    with opened(emulator) as device:
        text = device.open()
        assert text.startswith('WSG-50 at 127.0.0.1:') or text == 'XL330-M288, id 1'
        assert device.joints == (JOINT,)
        reading = device.read()
        assert reading.position == pytest.approx(before, abs=TICK)
        assert reading.velocity == pytest.approx([0.0], abs=1e-3)
        device.health()
    assert emulator.writes() == [] and emulator.plant.position == before


def test_goes_where_it_is_sent_and_stays(emulator):
    with opened(emulator) as device:
        device.enable()
        for goal in (0.01, 0.05):
            end = time.perf_counter() + 1.0
            while time.perf_counter() < end:
                with suppress(DeviceError):  # of a machine that is busy
                    device.write(np.array([goal]))
                    reading = device.read()
            assert reading.position == pytest.approx([goal], abs=1e-3)
        device.disable(hold=True)
        time.sleep(0.1)
        position = emulator.plant.position.copy()
        time.sleep(0.2)
        assert emulator.plant.position == pytest.approx(position, abs=1e-4)
        device.enable()
        device.disable(hold=False)
        wait(lambda: not emulator.plant.torque[0])
        device.enable()  # from a fast stop, or from no torque
        wait(lambda: bool(emulator.plant.torque[0]))


def test_the_first_command_is_where_it_is_and_the_speed_is_bounded(emulator):
    with Rig(emulator) as rig:
        rig.goal = 0.05
        wait(lambda: emulator.plant.position[0] > 0.048)
    (_, first), *_ = emulator.writes()
    assert first == pytest.approx([0.0275], abs=1e-3)
    times = np.array([t for t, _ in emulator.writes()])
    ways = np.array([q[0] for _, q in emulator.writes()])
    # A set-point may be left out, and the next one then makes its step too.
    assert (np.diff(ways) <= 0.21 * (np.diff(times) + 0.07) + TICK).all()
    rig.check_motion()


def test_stamps_are_of_the_measurement(emulator):
    with Rig(emulator) as rig:
        wait(lambda: len(rig.readings) > 20)
    ages = np.array([now - reading.stamp for now, reading in rig.readings[5:]])
    assert (ages >= 0.0).all() and np.median(ages) < 0.06
    # A reply that was there already when it was asked for may be read twice, with one stamp.
    assert (np.diff([reading.stamp for _, reading in rig.readings]) >= 0.0).all()


def test_contact_is_told_and_no_warning(emulator):
    emulator.plant.obstacle_lower[:] = 0.02
    with Rig(emulator) as rig:
        rig.goal = 0.005
        wait(lambda: rig.status.health.details.get('contact') in ('while closing', 'True'))
        time.sleep(0.3)
        assert not rig.complaint()
        assert emulator.plant.position == pytest.approx([0.02], abs=1e-4)


def test_site_limits(emulator):
    limits = make_device(params_of(emulator), {JOINT: {'upper': 0.03}})[1]
    assert limits.upper == pytest.approx([0.03])
    tight = {f'left_{JOINT}': {'max_speed': 0.1}}
    assert make_device(params_of(emulator, prefix='left_'), tight)[1].max_speed[0] == 0.1
    with pytest.raises(ConfigError, match='only tighten'):
        make_device(params_of(emulator), {JOINT: {'upper': 0.2}})
    with pytest.raises(UnknownNameError):
        make_device(params_of(emulator), {'nonsense': {'upper': 0.1}})
    with pytest.raises(ConfigError, match='no gripper of one joint'):
        make_device(params_of(emulator, hand='allegro'))


# Faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('fault', POSSIBLE_FAULTS)
def test_every_fault(emulator, fault):
    with Rig(emulator, **STRICT) as rig:
        wait(rig.follows)
        time.sleep(0.3)
        errors = rig.status.errors.total()
        emulator.faults.set(fault)
        known = wait(lambda: rig.complaint() or rig.status.errors.total() > errors, 1.5)
        # A stuck motor shows once the swing, which may just turn, is stall_distance away.
        assert known < (1.2 if fault == 'stuck' else KNOWN_WITHIN + PATIENCE)
        # Sound frames between noise are as good as without it.
        passes = fault == 'stuck' or (fault == 'noise' and emulator.params['backend'] == 'wsg')
        if not passes:
            bad = (DriverState.LOST, DriverState.FAULT)
            wait(lambda: rig.status.state in bad, KNOWN_WITHIN + PATIENCE)
            count = len(emulator.writes())
            wait(lambda: rig.status.state in bad)
            time.sleep(0.2)
            assert len(emulator.writes()) == count
        emulator.faults.clear(fault)
        if fault in ('brown_out', 'over_temperature'):
            wait(lambda: rig.status.state == DriverState.FAULT or rig.follows())
            if rig.status.state == DriverState.FAULT:
                wait(rig.reset)
        wait(rig.follows, 8.0)
        rig.check_motion()


def test_a_single_bad_reply_costs_one_period(emulator):
    with Rig(emulator) as rig:
        rig.check_that_a_bad_reply_costs_one_period('checksum', 'noise')


def test_unplug_and_replug_without_a_jump(emulator):
    with Rig(emulator) as rig:
        wait(rig.follows)
        emulator.faults.set('disconnect')
        wait(lambda: rig.status.state == DriverState.LOST)
        time.sleep(0.1)
        before = len(emulator.writes())
        position = float(emulator.plant.position[0])
        emulator.faults.clear()
        wait(rig.follows)
        assert emulator.writes()[before][1] == pytest.approx([position], abs=1e-3)
        assert rig.status.reconnects == 1
        rig.check_motion()


def test_a_brown_out_is_named(emulator):
    with Rig(emulator) as rig:
        wait(rig.follows)
        emulator.faults.set('brown_out')
        wait(lambda: rig.status.state == DriverState.FAULT, 3.0)
        assert 'restarted (brown-out?)' in rig.status.message
        position = float(emulator.plant.position[0])
        time.sleep(0.3)
        assert emulator.plant.position[0] == pytest.approx(position, abs=1e-4)


def test_a_stuck_motor_is_named(emulator):
    with Rig(emulator) as rig:
        wait(rig.follows)
        emulator.faults.set('stuck')
        wait(lambda: rig.status.health.warnings)
        assert JOINT in rig.status.health.warnings[0]


def test_a_lost_client_is_held(emulator):
    with Rig(emulator, command_timeout=0.1) as rig:
        rig.check_that_it_stays_without_a_client(stiff=True, atol=1e-4)


def test_a_servo_may_go_limp_for_a_lost_client(servo):
    with Rig(servo, on_lost_client='limp', command_timeout=0.1) as rig:
        rig.check_that_it_stays_without_a_client(stiff=False, atol=1e-4)


# WSG-50 only ------------------------------------------------------------------------------------


def test_homing_of_a_gripper_that_is_not_referenced(tmp_path):
    with start(tmp_path / 'port') as emulator, opened(emulator) as device:
        assert device.open().endswith('not referenced')
        device.enable()
        assert device.read().position == pytest.approx([0.054], abs=2.0 * TICK)
        assert 0x20 in emulator.device.commands
        device.enable()
        assert emulator.device.commands.count(0x20) == 1


def test_a_lost_client_must_not_cost_the_homing(wsg):
    with pytest.raises(ConfigError, match="'on_lost_client' must be hold for a WSG-50"):
        make_device(params_of(wsg, on_lost_client='limp'))


def test_the_bytes_of_a_step_are_those_of_umi(wsg):
    with opened(wsg) as device:
        device.enable()
        device.write(np.array([0.025]))
        wait(lambda: wsg.writes())
        time.sleep(0.1)
    goodbye = bytes.fromhex('AA AA AA 07 00 00')
    wait(lambda: goodbye in wsg.server.received)
    data = bytes(wsg.server.received)
    begin = data.index(b'\xaa\xaa\xaa\xb1\x19\x00')
    values = struct.unpack('<B6f', data[begin + 6 : begin + 31])
    assert values == pytest.approx((0, 50.0, 0.0, 15.0, 0.001, 80.0, 80.0))
    assert wsg.plant.torque[0]  # it took its leave: no fast stop


def test_no_more_steps_than_the_script_can_do(wsg):
    with opened(wsg) as device:
        device.enable()
        for _ in range(20):
            device.write(np.array([0.025]))
        time.sleep(0.1)
        assert len(wsg.writes()) == 2
        assert device.read().age > 0.01  # it came while nobody asked
        device.write(np.array([0.026]))
        wait(lambda: len(wsg.writes()) == 3)


def test_a_step_without_a_reply_stops_the_gripper(wsg):
    with opened(wsg, **STRICT) as device:
        device.enable()
        wsg.faults.set('silent')
        device.write(np.array([0.05]))
        with pytest.raises(NoReplyError, match='0xb1'):
            device.read()
        wait(lambda: 0x22 in wsg.device.commands)
        position = wsg.plant.position.copy()
        time.sleep(0.2)
        assert wsg.plant.position == pytest.approx(position, abs=1e-3)
        wsg.faults.clear()
        device.read()


def test_a_late_reply_is_not_that_of_the_next_request(wsg):
    with opened(wsg, **STRICT) as device:
        device.enable()
        device.write(np.array([0.027]))
        wsg.device.faults.set('slow', 1)
        with pytest.raises(NoReplyError):
            device.read()
        wsg.plant.position[:] = 0.01
        time.sleep(0.4)
        for _ in range(3):
            assert device.read().position == pytest.approx([0.01], abs=TICK)


def test_a_fast_stop_of_a_client_that_left_without_leave_is_acknowledged(wsg):
    with socket.create_connection((wsg.params['host'], wsg.params['tcp_port'])):
        time.sleep(0.05)
    wait(lambda: not wsg.plant.torque[0])
    with opened(wsg) as device:
        device.enable()
        wait(lambda: bool(wsg.plant.torque[0]))
        assert 0x24 in wsg.device.commands


def test_a_fast_stop_while_active_is_a_fault(wsg):
    with Rig(wsg) as rig:
        wait(rig.follows)
        wsg.device._fast_stopped = True
        wait(lambda: rig.status.state == DriverState.FAULT)
        assert 'fast stop' in rig.status.message
        rig.session.reset(time.perf_counter())
        wait(rig.follows)


@pytest.mark.parametrize(
    ('options', 'words'),
    [({'script': False}, 'cmd_measure.lua'), ({'text': True}, 'text based interface off')],
)
def test_a_gripper_that_is_set_up_otherwise(tmp_path, options, words):
    with (
        start(tmp_path / 'port', device=WsgDevice(**options)) as emulator,
        pytest.raises(IdentityError, match=words),
    ):
        make_device(params_of(emulator))[0].open()


def test_nobody_listens(tmp_path):
    with start(tmp_path / 'port') as emulator:
        params = params_of(emulator)
    with pytest.raises(PortError, match=r'refuses TCP port .*no other program'):
        make_device(params)[0].open()


def test_without_system_state(tmp_path):
    device = WsgDevice(referenced=True)
    with (
        start(tmp_path / 'port', device=device) as emulator,
        opened(emulator, system_state=False) as gripper,
    ):
        gripper.enable()
        gripper.health()
        assert 0x40 not in device.commands and 0x24 in device.commands


# Servo only -------------------------------------------------------------------------------------


def test_set_up_of_the_servo(servo):
    with opened(servo, current_limit=0.3) as device:
        device.enable()
        table = servo.device._table
        assert table[11] == 5 and table[64] == 1
        assert int.from_bytes(table[102:104], 'little') == 300
        device.write(np.array([0.054]))
        assert bytes(servo.server.received[-16:-2]) == bytes.fromhex(
            'FF FF FD 00 01 09 00 03 74 00 00 0C 00 00'
        )
        assert device.health().temperature == {'motor': 36.0}
        assert device.health().voltage == pytest.approx(5.0)


def test_over_temperature_of_the_servo_stays_until_reset(servo):
    with Rig(servo) as rig:
        wait(rig.follows)
        servo.faults.set('over_temperature')
        wait(lambda: rig.status.state == DriverState.FAULT)
        assert rig.status.message == 'motor 1: over-temperature'
        with pytest.raises(DeviceFaultError):
            rig.session.reset(time.perf_counter())
        servo.faults.clear()
        time.sleep(0.3)
        assert rig.status.state == DriverState.FAULT
        rig.session.reset(time.perf_counter())
        wait(rig.follows)


def test_a_late_reply_of_the_servo_is_not_that_of_the_next_request(servo):
    with opened(servo, **STRICT) as device:
        servo.faults.set('slow', 1)
        with pytest.raises(NoReplyError):
            device.read()
        servo.plant.position[:] = 0.01
        time.sleep(0.27)  # the late reply comes while the next one is awaited
        try:
            position = device.read().position
        except DeviceError:
            position = device.read().position
        assert position == pytest.approx([0.01], abs=TICK)


def test_a_missing_servo_is_named(tmp_path):
    with (
        start(tmp_path / 'port', 'dynamixel', device=ServoDevice(motor=4)) as emulator,
        pytest.raises(NoReplyError, match=r'no reply of motor 9 on .*port at 57600 .*motor_id'),
    ):
        make_device(params_of(emulator, motor_id=9, **STRICT))[0].open()


def test_wrong_baud_is_told(tmp_path):
    with (
        start(tmp_path / 'port', 'dynamixel', device_baud=1_000_000) as emulator,
        pytest.raises(NoReplyError, match='answers at 1000000 bit/s'),
    ):
        make_device(params_of(emulator))[0].open()


def test_another_model(tmp_path):
    with start(tmp_path / 'port', 'dynamixel', device=ServoDevice(model=1020)) as emulator:
        with pytest.raises(IdentityError, match='motor 1 is of model 1020, not 1190, 1200'):
            make_device(params_of(emulator))[0].open()
        assert make_device(params_of(emulator, motor_model=1020))[0].open() == 'model 1020, id 1'


def test_busy_and_unknown_ports(servo, tmp_path):
    with opened(servo), pytest.raises(PortError, match='busy'):
        make_device(params_of(servo))[0].open()
    with pytest.raises(PortError, match='there is no port'):
        make_device(params_of(servo, port=str(tmp_path / 'nothing')))[0].open()


@pytest.mark.parametrize(('baud', 'rate'), [(57600, 55.7), (1_000_000, 200.0)])
def test_the_rate_of_a_servo_is_what_its_line_allows(servo, baud, rate):
    assert make_device(params_of(servo, baud=baud))[2] == pytest.approx(rate, abs=0.1)


def test_ticks_that_are_the_same(servo):
    with pytest.raises(ConfigError, match='both 1024'):
        make_device(params_of(servo, open_ticks=1024, closed_ticks=1024))
