"""The bounds of a site hold in everything that the gate sends."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mimic_control import Gate, GateParams
from mimic_control.site import guarded_robot
from mimic_control.testing import Adversary, Audit
from mimic_core.command import NamedPositions
from mimic_core.errors import ConfigError
from mimic_description import load_robot

ROBOT = load_robot('iiwa14', 'robotiq_2f85')
LIMITS = {
    'iiwa_joint_1': {'lower': -0.4, 'upper': 0.3, 'max_speed': 0.3},
    'iiwa_joint_7': {'max_acceleration': 1.0, 'max_jerk': 20.0},
    'allegro_joint_0': {'max_speed': 0.1},  # of a hand that is not here
}


@pytest.mark.parametrize('seed', range(3))
def test_the_gate_keeps_the_bounds_of_a_site(seed):
    robot = guarded_robot(ROBOT, GateParams(), LIMITS, {'min_height': 0.1})
    gate = Gate(robot)
    adversary = Adversary(gate, np.random.default_rng(seed))
    audit = Audit(robot, gate.params.rate, gate.params.collision_margin, every=5)
    lowest, highest = np.inf, -np.inf
    for _ in range(600):
        output = adversary.tick()
        audit.check(output, adversary.now)
        lowest, highest = min(lowest, output.q[0]), max(highest, output.q[0])
    assert audit.violations == []
    assert audit.lower[2] == 0.1
    assert highest - lowest > 0.02  # it moved


def test_a_wish_beyond_a_site_bound_ends_at_it_and_is_told():
    gate = Gate(guarded_robot(ROBOT, GateParams(), LIMITS, {}))
    gate.set_mode('shadow')
    q, now = ROBOT.home.copy(), 0.0
    wish = ROBOT.home.copy()
    wish[0] = 0.6
    limited = set()
    for _ in range(400):
        now += gate.period
        gate.offer('shadow', NamedPositions.single(ROBOT.joint_names, wish, now), now)
        output = gate.tick(now, q)
        q = output.q if output.publish else q
        limited |= set(output.limited)
    assert q[0] == pytest.approx(0.3, abs=1e-3)
    assert 'iiwa_joint_1 position' in limited


def test_nothing_loosens_the_workspace_of_a_site_again():
    with pytest.raises(ConfigError, match=r'workspace_padding = 0\.1'):
        guarded_robot(ROBOT, GateParams(workspace_padding=0.1), {}, {'min_height': 0.1})
    with pytest.raises(ConfigError, match='min_height_offset'):
        guarded_robot(ROBOT, GateParams(min_height_offset=-0.1), {}, {'min_height': 0.1})
    guarded_robot(ROBOT, GateParams(workspace_padding=0.1), {}, {})


@pytest.mark.ros
@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('limits: {iiwa_joint_1: {lower: -9.0}}', 'limits.iiwa_joint_1.lower = -9'),
        ('limits: {iiwa_joint_8: {lower: -1.0}}', 'iiwa_joint_8'),
        ('limits: {iiwa_joint_1: 2.0}', 'limits.iiwa_joint_1'),
        ('workspace: {min_height: -1.0}', 'workspace.min_height'),
        ('[', 'params file'),
    ],
)
def test_a_wrong_site_file_ends_the_node_with_one_sentence(ros_domain, tmp_path: Path, text, says):
    site = tmp_path / 'site.yaml'
    site.write_text(f'/**:\n  ros__parameters:\n    {text}\n')
    code = 'from mimic_control.node import main; main()'
    done = subprocess.run(
        [sys.executable, '-c', code, '--ros-args', '--params-file', str(site)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    fatal = [line for line in done.stderr.splitlines() if '[FATAL]' in line]
    assert len(fatal) == 1 and says in fatal[0]
