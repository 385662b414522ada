"""The tests of session, loop and driver that every `MotorChain` passes."""

import time
from contextlib import contextmanager

import numpy as np
import pytest
from open_device import while_open

from mimic_core.driver import DriverState
from mimic_core.driver.testing import Rig, wait
from mimic_core.errors import DeviceFaultError, IdentityError, PortError
from mimic_core.params import from_mapping

# The machine of a test may be busy with others; benchmarks/driver_faults.py takes the times.
PATIENT = {'reconnect_period': 0.1, 'reply_timeout': 0.1, 'lost_after': 0.3}

SAME = {  # what every bus of motors says of a fault
    'disconnect': 'unplugged',
    'brown_out': 'all motors restarted and lost torque',
    'over_temperature': 'too hot',
}


class MotorChainTests:
    """Who answers, faults on the way, and what moves meanwhile; a subclass says which driver.

    Attributes:
        emulator: The driver's module of that name.
        make_device: The driver's function of that name.
        params: The class of the driver's parameters.
        ids: Of the motors.
        bauds: That of the motors, another one [1/s].
        warm: Temperature of every motor [deg C].
        volts: Of the supply [V].
        far: (J,) positions beyond every limit [rad].
        resolution: By how much what is written may pass a limit [rad].
        messages: What is said of each fault that is not in SAME, or a part of it.
        stuck: Index of the motor that sticks, and the bound it is sent to.
        stuck_says: The warning of that.
        torque_register: The address at which a motor holds whether it has torque.
        measured: The address from which on registers are no settings.
    """

    @staticmethod
    def motors(emulator):
        """Return the registers of each motor; what is written to them stays."""
        raise NotImplementedError

    @contextmanager
    def rig(self, folder, **values):
        with self.emulator.start(folder / 'port') as running:
            params = from_mapping(self.params, {**running.params, **PATIENT, **values})
            with Rig(running, self.make_device(params), params) as made:
                yield made

    def device(self, running, **values):
        given = {**running.params, 'reply_timeout': 0.1, **values}
        return self.make_device(from_mapping(self.params, given))[0]

    def refused(self, running, error, text, **values):
        with pytest.raises(error, match=text):
            self.device(running, **values).open()

    def name(self, running, index):
        return rf'{self.device(running).joints[index]} \(motor {self.ids[index]}\)'

    def torques(self, emulator):
        return {registers[self.torque_register] for registers in self.motors(emulator)}

    # Device ---------------------------------------------------------------------------------

    def test_hold_and_limp(self, tmp_path):
        with (
            self.emulator.start(tmp_path / 'port') as running,
            while_open(self.device(running)) as device,
        ):
            device.enable()
            device.disable(hold=True)
            assert self.torques(running) == {1}
            device.disable(hold=False)
            assert self.torques(running) == {0}
        device.close()

    def test_health(self, tmp_path):
        with (
            self.emulator.start(tmp_path / 'port') as running,
            while_open(self.device(running)) as device,
        ):
            health = device.health()
            assert health.temperature == dict.fromkeys(device.joints, self.warm)
            assert health.voltage == pytest.approx(self.volts) and health.warnings == ()
            running.faults.set('noise', 5)
            while running.faults.on('noise'):
                device.read()
            assert '35 bytes' in device.health().warnings[0]

    def test_missing_motors_are_named(self, tmp_path):
        missing = self.ids[1], self.ids[4]
        with self.emulator.start(tmp_path / 'port', missing=missing) as running:
            names = f'{self.name(running, 1)}, {self.name(running, 4)}'
            self.refused(running, IdentityError, f'{names}; {len(self.ids) - 2} others do')

    def test_wrong_baud_is_found_out(self, tmp_path):
        right, other = self.bauds
        with self.emulator.start(tmp_path / 'port', device_baud=other) as running:
            found = f'at {right} baud, but motor {self.ids[0]} does at {other}: set baud to that'
            self.refused(running, IdentityError, found)
            with while_open(self.device(running, baud=other)):
                pass

    def test_nobody_there(self, tmp_path):
        with self.emulator.start(tmp_path / 'port', missing=self.ids) as running:
            began = time.perf_counter()
            text = 'nor at others: is its supply on'
            self.refused(running, IdentityError, text, reply_timeout=0.03)
            assert time.perf_counter() - began < 3.0

    def test_unknown_and_busy_ports(self, tmp_path):
        with self.emulator.start(tmp_path / 'port') as running:
            other = str(tmp_path / 'other')
            self.refused(running, PortError, 'there is no port', port=other)
            with while_open(self.device(running)):
                self.refused(running, PortError, 'busy')

    def test_a_restart_of_one_motor_is_named(self, tmp_path):
        with (
            self.emulator.start(tmp_path / 'port') as running,
            while_open(self.device(running)) as device,
        ):
            device.enable()
            before = [bytes(registers[: self.measured]) for registers in self.motors(running)]
            running.faults.set('brown_out', joint=4)
            wait(lambda: self.motors(running)[4][self.torque_register] == 0)
            time.sleep(0.1)
            for _ in range(2):  # it stays said until a reset
                with pytest.raises(DeviceFaultError, match=f'{self.name(running, 4)} restarted'):
                    device.health()
            device.reset()
            device.enable()
            device.health()
            after = [bytes(registers[: self.measured]) for registers in self.motors(running)]
            assert after == before, 'every setting is as it was'

    # Session --------------------------------------------------------------------------------

    def test_the_first_write_is_the_measured_position_and_limits_hold(self, tmp_path):
        with self.rig(tmp_path) as made:
            before = made.emulator.plant.position.copy()
            began = time.perf_counter()
            made.follow(made.limits.upper)
            assert np.allclose(made.writes()[0], before, atol=1e-3)
            for _ in range(30):
                made.command(self.far)
                time.sleep(0.01)
            assert (made.writes() <= made.limits.upper + self.resolution).all()
            assert made.largest_step(began) <= 1.0

    @pytest.mark.parametrize(
        ('fault', 'state'),
        [
            ('checksum', DriverState.LOST),
            ('short', DriverState.LOST),
            ('silent', DriverState.LOST),
            ('slow', DriverState.LOST),
            ('disconnect', DriverState.LOST),
            ('brown_out', DriverState.FAULT),
            ('over_temperature', DriverState.FAULT),
        ],
    )
    def test_faults_are_named_and_left_without_a_jump(self, tmp_path, fault, state):
        text = (SAME | self.messages)[fault]
        with self.rig(tmp_path) as made:
            home = made.emulator.plant.position.copy()
            away = made.limits.clip(home + 0.3)
            made.follow(away)
            began = time.perf_counter()
            made.emulator.faults.set(fault)

            def told():
                return any(said == state and text in message for _, said, message in made.changes)

            assert made.stay_until(told, limit=2.0) < 1.0
            made.emulator.faults.clear()
            if state == DriverState.FAULT:
                made.session.reset(time.perf_counter())
            made.stay_until(lambda: made.status.state == DriverState.ACTIVE, limit=4.0)
            made.follow(home)
            assert made.largest_step(began) <= 1.0
            assert made.limits.contains(made.emulator.plant.position, 1e-3)

    def test_noise_is_read_through_and_told(self, tmp_path):
        with self.rig(tmp_path) as made:
            made.emulator.faults.set('noise')
            made.stay_until(lambda: made.status.health.warnings, limit=2.0)
            assert 'noise on the bus' in made.status.health.warnings[0]
            made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
            assert made.status.state == DriverState.ACTIVE

    def test_a_stuck_motor_is_told(self, tmp_path):
        joint, bound = self.stuck
        with self.rig(tmp_path, following_time=0.2) as made:
            made.emulator.faults.set('stuck', joint=joint)
            goal = made.emulator.plant.position.copy()
            goal[joint] = getattr(made.limits, bound)[joint]
            wait(lambda: made.command(goal) or made.status.warnings)
            assert made.status.warnings == (self.stuck_says,)

    @pytest.mark.parametrize('policy', ['hold', 'limp'])
    def test_a_lost_client(self, tmp_path, policy):
        with self.rig(tmp_path, on_lost_client=policy, command_timeout=0.1) as made:
            made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
            time.sleep(0.4)
            assert made.status.client == 'lost'
            assert self.torques(made.emulator) == {int(policy == 'hold')}
            made.follow(made.limits.clip(made.emulator.plant.position - 0.1))
            assert self.torques(made.emulator) == {1}

    @pytest.mark.parametrize('policy', ['hold', 'limp'])
    def test_deactivate(self, tmp_path, policy):
        with self.rig(tmp_path, on_deactivate=policy) as made:
            made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
            made.session.deactivate()
            assert self.torques(made.emulator) == {int(policy == 'hold')}

    def test_moved_by_hand_while_unplugged(self, tmp_path):
        with self.rig(tmp_path) as made:
            made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
            made.emulator.faults.set('disconnect')
            made.stay_until(lambda: made.status.state == DriverState.LOST, limit=1.0)
            for registers in self.motors(made.emulator):
                registers[self.torque_register] = 0
            moved = made.limits.clip(made.emulator.plant.position + 0.2)
            made.emulator.plant.position[:] = moved
            count = len(made.emulator.writes())
            made.emulator.faults.clear()
            wait(lambda: made.status.state == DriverState.ACTIVE)
            wait(lambda: len(made.emulator.writes()) >= count + 5)
            assert np.allclose(made.emulator.writes()[count + 4][1], moved, atol=5e-3)
