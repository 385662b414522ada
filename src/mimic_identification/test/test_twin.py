"""A twin with fitted values moves as the device of which they are."""

import numpy as np
import pytest

from mimic_description import load_robot
from mimic_description.response import JointResponse, save_responses
from mimic_identification.excitation import excite, room
from mimic_identification.fit import fit_response
from mimic_identification.plant import Sensor, measured_record
from mimic_identification.record import make_record
from mimic_identification.simulation import simulate
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams

STEP = 0.002
DEVICES = {
    'iiwa_joint_1': JointResponse(0.05, 2, 0.03, 0.8),
    'iiwa_joint_4': JointResponse(0.03, 1, 0.05, 1.0, 0.98, -0.02, 0.02),
    'robotiq_left_knuckle_joint': JointResponse(0.08, 1, 0.12, 1.0, 1.0, 0.0, 0.03),
}


@pytest.mark.parametrize('name', DEVICES)
def test_it_reproduces_the_device(tmp_path, name):
    device = DEVICES[name]
    robot = load_robot('iiwa14', 'robotiq_2f85')
    joint = robot.joint_names.index(name)
    start = float(robot.home[joint])
    motion = excite(robot.limits, joint, start, *room(robot.limits, joint, start))
    rng = np.random.default_rng(3)
    sensor = Sensor(200.0, 3e-4, 1e-3, 3e-4, 5e-4)
    record = measured_record(device, motion.times, motion.positions, sensor, rng, name)
    fitted = fit_response(record).response

    save_responses(tmp_path / 'response.yaml', {name: fitted})
    twin = Twin(robot, params=TwinParams(response=str(tmp_path / 'response.yaml')))
    q, stamps, positions = robot.home.copy(), [], []
    for number in range(1, int(motion.duration / STEP)):
        q[joint] = motion.at(number * STEP)
        twin.command(q)
        twin.step(STEP)
        stamps.append(twin.time)
        positions.append(twin.joint_state()[0][joint])
    times, moved = np.array(stamps), np.array(positions)
    wanted = simulate(device, motion.times, motion.positions, times)
    settled = times > 1.0
    error = np.sqrt(np.mean((moved - wanted)[settled] ** 2))
    assert error < 0.01 * np.ptp(wanted)  # 1 % of the motion
    again = fit_response(make_record(name, motion.times, motion.positions, times, moved)).response
    assert again.lag == pytest.approx(device.lag, abs=0.003)
    assert again.gain == pytest.approx(device.gain, abs=0.005)
    assert again.backlash == pytest.approx(device.backlash, abs=0.001)
