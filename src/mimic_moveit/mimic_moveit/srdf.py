"""The SRDF of a robot: groups, postures, the end effector, and its matrix of collisions."""

import hashlib
import re
import xml.etree.ElementTree as ElementTree
from typing import Final

from mimic_core.errors import ConfigError
from mimic_core.frames import BASE, FLANGE, PALM
from mimic_description import RobotModel
from mimic_description.registry import Device
from mimic_moveit.collisions import CollisionMatrix, Pair, collision_matrix, pair_of

ARM: Final = 'arm'
HAND: Final = 'hand'
ARM_AND_HAND: Final = 'arm_hand'
END_EFFECTOR: Final = 'gripper'
WORLD_JOINT: Final = 'world_joint'
_KEY: Final = re.compile(r'model ([0-9a-f]{16}), (\d+) samples')


class StaleSrdfError(ConfigError):
    """An SRDF was made of another robot than this one."""


def model_key(robot: RobotModel) -> str:
    """Return a text that changes with the URDF or with what the registry says of the robot."""
    text = [robot.urdf]
    for device in (robot.arm, robot.hand):
        if device is not None:
            text += [device.name, repr(sorted(device.postures)), repr(device.joints)]
            text += [repr(sorted(p.items())) for p in device.postures.values()]
            text += [repr(device.self_collision_ignore)]
    return hashlib.sha256('\n'.join(text).encode()).hexdigest()[:16]


def tip_link(robot: RobotModel) -> str:
    """Return the tip of the arm's chain: the palm, or the flange of an arm without a hand."""
    return robot.prefix + (PALM if robot.hand is not None else FLANGE)


def make_srdf(robot: RobotModel, matrix: CollisionMatrix | None = None) -> str:
    """Return the SRDF of a robot.

    Args:
        robot: Of the registry.
        matrix: Of its collisions; computed where None, which takes seconds.
    """
    found = matrix or collision_matrix(robot)
    root = ElementTree.Element('robot', name='mimic')
    counts = {reason: 0 for reason in ('Adjacent', 'Default', 'Always', 'Never', 'User')}
    for reason in found.disabled.values():
        counts[reason] += 1
    summary = ', '.join(f'{count} {reason}' for reason, count in counts.items())
    root.append(
        ElementTree.Comment(
            f' Made by mimic_moveit from URDF and registry: model {model_key(robot)}, '
            f'{found.samples} samples; {len(found.enabled)} pairs are looked at, disabled are '
            f'{summary}. '
        )
    )
    _groups(root, robot)
    _states(root, robot)
    if robot.arm is not None and robot.hand is not None:
        ElementTree.SubElement(
            root, 'end_effector', name=END_EFFECTOR, parent_link=tip_link(robot), group=HAND,
            parent_group=ARM,
        )  # fmt: skip
    ElementTree.SubElement(
        root, 'virtual_joint', name=WORLD_JOINT, type='fixed', parent_frame='world',
        child_link=robot.tree.root,
    )  # fmt: skip
    for joint in robot.tree.joints:
        if joint.coupling is not None:
            ElementTree.SubElement(root, 'passive_joint', name=joint.name)
    for (a, b), reason in found.disabled.items():
        ElementTree.SubElement(root, 'disable_collisions', link1=a, link2=b, reason=reason)
    ElementTree.indent(root)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(root, encoding='unicode') + '\n'


def check_srdf(text: str, robot: RobotModel) -> None:
    """Check that an SRDF fits a robot.

    Raises:
        StaleSrdfError: It was made of another URDF or registry; says how to make it anew.
        ConfigError: It is no SRDF of ours, or a pair of links is missing or unknown.
    """
    match = _KEY.search(text)
    if match is None:
        raise ConfigError('this SRDF does not say of which model it was made')
    if match.group(1) != model_key(robot):
        raise StaleSrdfError(
            f'this SRDF was made of model {match.group(1)}, the robot is {model_key(robot)}: '
            'make it anew with `mimic_moveit moveit_config`'
        )
    links = {name for name, link in robot.tree.links.items() if link.shapes}
    for a, b in disabled_pairs(text):
        for name in (a, b):
            if name not in links:
                raise ConfigError(f"the SRDF disables '{name}', which is no link with a shape")


def disabled_pairs(text: str) -> dict[Pair, str]:
    """Return the pairs that an SRDF text disables, with the reasons."""
    root = ElementTree.fromstring(text)
    return {
        pair_of(str(e.get('link1')), str(e.get('link2'))): str(e.get('reason'))
        for e in root.findall('disable_collisions')
    }


def _groups(root: ElementTree.Element, robot: RobotModel) -> None:
    if robot.arm is not None:
        arm = ElementTree.SubElement(root, 'group', name=ARM)
        base = robot.prefix + BASE
        ElementTree.SubElement(arm, 'chain', base_link=base, tip_link=tip_link(robot))
    if robot.hand is not None:
        hand = ElementTree.SubElement(root, 'group', name=HAND)
        for joint in robot.hand_joints:
            ElementTree.SubElement(hand, 'joint', name=joint)
        own = set(robot.hand_joints)
        for coupled in robot.tree.joints:
            if coupled.coupling is not None and coupled.coupling.joint in own:
                ElementTree.SubElement(hand, 'joint', name=coupled.name)
    if robot.arm is not None and robot.hand is not None:
        both = ElementTree.SubElement(root, 'group', name=ARM_AND_HAND)
        for name in (ARM, HAND):
            ElementTree.SubElement(both, 'group', name=name)


def _states(root: ElementTree.Element, robot: RobotModel) -> None:
    def state(name: str, group: str, devices: list[tuple[Device, str]]) -> None:
        element = ElementTree.SubElement(root, 'group_state', name=name, group=group)
        for device, posture in devices:
            for joint, value in zip(device.joints, device.posture(posture), strict=True):
                ElementTree.SubElement(
                    element, 'joint', name=robot.prefix + joint, value=f'{value:.6g}'
                )

    for group, device in ((ARM, robot.arm), (HAND, robot.hand)):
        if device is not None:
            for posture in device.postures:
                state(posture, group, [(device, posture)])
    if robot.arm is not None and robot.hand is not None:
        state('home', ARM_AND_HAND, [(robot.arm, 'home'), (robot.hand, 'home')])
