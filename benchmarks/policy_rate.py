"""Ten minutes of a policy in the running graph: 30 commands a second without a gap."""

import re
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.harness import Options, Row, at_least, at_most, info, timings
from mimic_bringup.graph import graph, isolate
from mimic_core.frames import PALM
from mimic_description import load_robot

MINUTES, QUICK_MINUTES = 10.0, 0.5
ARM: Final = 'iiwa14'
HAND: Final = 'robotiq_2f85'
SIDE: Final = 96  # [px]
RATE: Final = 30.0  # [Hz]
GAP: Final = 1.5 / RATE  # [s] between two commands
SETTLE: Final = 5.0  # [s] after the first command
SWAY: Final = 0.02  # [m], [rad] around home, where an untrained network wants to be
POLICY: Final = 2  # ControlStatus.POLICY


def checkpoint(folder: Path, seed: int) -> Path:
    """Write the small network, untrained: what it wants does not change what it takes."""
    import torch

    from mimic_policy.checkpoint import WEIGHTS, build_network, network_document, save_checkpoint
    from mimic_policy.diffusion import DiffusionParams
    from mimic_policy.meta import PolicyMeta, Range
    from mimic_policy.networks.params import NetworkParams

    robot = load_robot(ARM, HAND)
    arms, joints = len(robot.arm_joints), len(robot.hand_joints)
    pose = robot.fk(robot.home, PALM, 'base_link')
    turn = Rotation.from_matrix(pose[:3, :3]).as_rotvec()
    middle = np.concatenate([pose[:3, 3], turn, robot.home[arms:]])
    size = {'agent': (SIDE, SIDE), 'wrist': (SIDE, SIDE)}
    meta = PolicyMeta(
        task='pick_place', arm=ARM, hand=HAND, joint_names=robot.hand_joints,
        joint_lower=tuple(robot.limits.lower[arms:].tolist()),
        joint_upper=tuple(robot.limits.upper[arms:].tolist()), frame=PALM,
        cameras=size, recorded=dict.fromkeys(size, (480, 640)), fps=10.0, observation_steps=2,
        horizon=32, action=Range.of(np.stack([middle - SWAY, middle + SWAY])),
        state=Range((-1.0,) * (9 + joints), (1.0,) * (9 + joints)),
        rotation_reference=tuple(turn.tolist()), method='robot_only',
    )  # fmt: skip
    torch.manual_seed(seed)
    network = build_network(NetworkParams(), meta)
    document = network_document(meta, NetworkParams(), DiffusionParams())
    return save_checkpoint(folder / 'run', 1, document, {WEIGHTS: network.state_dict()}, 1)


def run(options: Options) -> list[Row]:
    """Measure the whole launch file: twin, cameras, policy, gate, recorder."""
    from benchmarks.policy_rate_node import listen

    isolate()
    minutes = options.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    with tempfile.TemporaryDirectory() as folder:
        arguments = {
            'checkpoint': checkpoint(Path(folder), options.seed), 'seed': options.seed,
            'viewer': 'false', 'episodes': f'{folder}/rollouts',
        }  # fmt: skip
        log = Path(folder) / 'launch.log'
        with graph('policy', arguments, log):
            heard = listen(60.0 * minutes, SETTLE, log)
    stamps, arrivals = np.array(heard.stamps), np.array(heard.arrivals)
    steps = np.diff(stamps)
    assert heard.first is not None and heard.last is not None
    share = 100.0 * np.mean(np.array(heard.states) == POLICY)
    reasons = {re.sub(r'\d[\d.]*', '#', reason) for reason in heard.reasons}
    print('held:', '; '.join(sorted(reasons)) or 'never')
    return [
        info('measured for', minutes, 'min'),
        at_least('commands', len(stamps) / (60.0 * minutes), 'Hz', 0.99 * RATE),
        at_most('gaps: commands more than 1.5 periods apart', int((steps > GAP).sum()), '', 0),
        info('longest time between commands', 1e3 * steps.max(), 'ms'),
        info('longest time between arrivals', 1e3 * np.diff(arrivals).max(), 'ms'),
        at_most('times that it held', heard.last.holds - heard.first.holds, '', 0),
        info('the gate in state POLICY', share, '%'),
        *timings('inference', heard.inference),
        *timings('picture to chunk', heard.latency),
    ]
