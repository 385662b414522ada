"""A small network and its meta for tests, of a robot that the registry has."""

import torch

from mimic_description import load_robot
from mimic_policy.checkpoint import WEIGHTS, build_network, network_document, save_checkpoint
from mimic_policy.diffusion import DiffusionParams
from mimic_policy.meta import PolicyMeta, Range
from mimic_policy.networks.params import NetworkParams

TINY = NetworkParams(
    channels=8, keypoints=8, feature=16, state_feature=16, widths=(16, 32), crop=4
)


def meta_of(robot, **changes):
    first = len(robot.arm_joints)
    joints = len(robot.hand_joints)
    values = dict(
        task='pick_place',
        arm=robot.arm.name,
        hand=robot.hand.name,
        joint_names=robot.hand_joints,
        joint_lower=tuple(robot.limits.lower[first:].tolist()),
        joint_upper=tuple(robot.limits.upper[first:].tolist()),
        frame='palm',
        cameras={'agent': (36, 48), 'wrist': (36, 48)},
        recorded={'agent': (480, 640), 'wrist': (480, 640)},
        fps=10.0,
        observation_steps=2,
        horizon=16,
        action=Range((-1.0,) * (6 + joints), (2.0,) * (6 + joints)),
        state=Range((-1.0,) * (9 + joints), (2.0,) * (9 + joints)),
        rotation_reference=(3.1, 0.0, 0.0),
        method='robot_only',
    )
    return PolicyMeta(**{**values, **changes})


def save_tiny(run, step=1, *, robot=None, seed=0, keep=2, **changes):
    torch.manual_seed(seed)
    meta = meta_of(robot or load_robot('panda', 'robotiq_2f85'), **changes)
    document = network_document(meta, TINY, DiffusionParams())
    weights = build_network(TINY, meta).state_dict()
    for part in ('weight', 'bias'):  # near the middle of the range, where the arm reaches
        weights[f'unet.head.{part}'] *= 0.2
    return save_checkpoint(run, step, document, {WEIGHTS: weights}, keep)
