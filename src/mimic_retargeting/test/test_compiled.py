"""Compiled code on disk is never older than any file that it holds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import mimic_retargeting
from mimic_description import load_robot
from mimic_retargeting import ArmIK, HandSolver, arm_kernels, arm_step, hand_kernels, kernels

SCRIPT = """
import numpy as np
from numba import njit
from pathlib import Path
from mimic_retargeting import compiled
compiled._stamp.cache_clear()
from outer import outer
print(outer(1.0))
"""


def run(folder: Path, inner: str) -> str:
    (folder / 'kernels.py').write_text(
        f'from mimic_retargeting.compiled import compiled\n@compiled\ndef inner(x):\n{inner}\n'
    )
    shadow = (
        'import mimic_retargeting.compiled as c, pathlib\n'
        f"c.__file__ = r'{folder / 'compiled.py'}'\n"
    )
    environment = os.environ | {
        'PYTHONPATH': os.pathsep.join([str(folder), *sys.path]), 'PYTHONDONTWRITEBYTECODE': '1'
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, '-c', shadow + SCRIPT], capture_output=True, text=True, timeout=100,
        check=True, env=environment,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_change_of_a_called_file_reaches_its_callers(tmp_path: Path) -> None:
    source = Path(mimic_retargeting.__file__).parent
    for name in ('hand_kernels', 'arm_kernels', 'arm_step', 'tables'):
        shutil.copy(source / f'{name}.py', tmp_path)
    (tmp_path / 'outer.py').write_text(
        'from mimic_retargeting.compiled import compiled\nfrom kernels import inner\n'
        '@compiled\ndef outer(x):\n    return inner(x)\n'
    )
    assert run(tmp_path, '    return x + 1.0') == '2.0'
    assert list((tmp_path / '__pycache__').glob('outer*.nbi'))
    assert run(tmp_path, '    return x + 10.0') == '11.0'


def test_no_form_of_an_array_compiles_anew() -> None:
    """A slice or a read-only array must not cost seconds of compiling in the control loop."""
    robot = load_robot('iiwa14', 'allegro')
    ik, q = ArmIK(robot), robot.home.copy()
    solver = HandSolver(robot, [(None, 'allegro_index_tip')], beta=0.1)
    pose, arm, hand = ik.pose(q[:7]), q[:7].copy(), q[7:].copy()
    ik.jacobian(arm)
    solver.objective(hand, np.zeros((1, 3)), np.ones(1), hand)
    solver.vectors(hand)
    loops = (
        hand_kernels.minimise, hand_kernels.evaluate, kernels.place_points, arm_kernels.search,
        arm_kernels.pose_in_box, arm_kernels.place_tool, arm_kernels.tool_jacobian,
        arm_step.step_towards,
    )  # fmt: skip
    before = [len(loop.signatures) for loop in loops]
    frozen = np.arange(6.0).reshape(2, 3).T[:, 0]
    frozen.setflags(write=False)
    turned = pose.T.copy().T
    ik.step(robot.home[:7], turned, 0.03, tool=0.01 * frozen)
    ik.solve(turned[:, :], robot.home[:14:2] * 0.0, tool=frozen)
    turned[:3, 3] = 9.0
    ik.solve(turned)
    ik.jacobian(robot.home[:7], frozen)
    ik.pose(robot.home[:7], frozen)
    target, fingers = turned[None, :3, 3], robot.home[7:]
    solver.solve(target, np.broadcast_to(1.0, 1), fingers, start=fingers, lower=fingers)
    solver.objective(fingers, target, np.ones(2)[::2], fingers)
    solver.vectors(fingers)
    after = [len(loop.signatures) for loop in loops]
    assert before == after
