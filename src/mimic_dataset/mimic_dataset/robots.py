"""Which arm and hand a bag is of: names of joints do not tell arms of one family apart."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_description import RobotModel, known_devices, load_device, load_robot
from mimic_recording import Episode, load_track

NONE: Final = 'none'
ARM_TAG, HAND_TAG = 'tag.arm', 'tag.hand'  # as the collector writes them
DESCRIPTION: Final = 'robot_description'
SAME: Final = 1e-3  # [m] between two descriptions of one arm


def prefix_of(names: Sequence[str], joints: Sequence[str]) -> str | None:
    """Return what stands before each joint of a robot, as `left_` in a bag of one of two arms.

    Args:
        names: In a bag.
        joints: Of the robot, without prefix.

    Returns:
        None: The names are not those of these joints.
    """
    found = {name.removesuffix(joints[0]) for name in names if name.endswith(joints[0])}
    fitting = [p for p in found if {p + joint for joint in joints} == set(names)]
    return fitting[0] if fitting else None


def as_recorded(robot: RobotModel, names: Sequence[str]) -> RobotModel:
    """Return a robot with the prefix that its joints have in a bag; itself where they have none.

    Args:
        robot: Without prefix.
        names: Of the joints that the bag commands.
    """
    prefix = prefix_of(names, robot.joint_names)
    return load_robot(*_devices(robot), prefix) if prefix else robot


def robot_of(episode: Episode, arm: str = '') -> RobotModel | None:
    """Return the robot of the registry whose joints an open bag commands; None: none, or several.

    Args:
        episode: Open.
        arm: Of several arms with the same names of joints, where the bag does not tell.

    Raises:
        BagError: It holds no commands.
    """
    names = load_track(episode).names
    hands = {hand: load_device(hand).joints for hand in known_devices('hand')} | {NONE: ()}
    fitting = [
        (name, hand, prefix)
        for name in known_devices('arm')
        for hand, joints in hands.items()
        if (prefix := prefix_of(names, (*load_device(name).joints, *joints))) is not None
    ]
    if len(fitting) > 1:
        first, _, prefix = fitting[0]
        mine = [prefix + joint for joint in load_device(first).joints]
        told = arms_of(episode, mine, prefix) or (arm,)
        fitting = [one for one in fitting if one[0] in told]
    return load_robot(*fitting[0]) if len(fitting) == 1 else None


def arms_of(episode: Episode, joints: Sequence[str], prefix: str = '') -> tuple[str, ...]:
    """Return the arms that an open bag may be of; nothing where it does not tell.

    The tag `arm` tells, else the recorded `robot_description`, whose joints are where those of an
    arm of the registry are.

    Args:
        episode: Open.
        joints: Of the arm, as in the bag; only arms with these names come into question.
        prefix: Before each of them.

    Raises:
        BagError: The description cannot be read.
    """
    tag = episode.custom.get(ARM_TAG, '')
    topic = episode.find(DESCRIPTION)
    if tag or topic is None or not joints:
        return (tag,) if tag else ()
    text = next((str(message.data) for _, message in episode.read([topic])), '')
    recorded = _origins(text, joints)
    if recorded is None:
        return ()
    found = []
    for name in known_devices('arm'):
        if tuple(prefix + joint for joint in load_device(name, 'arm').joints) == tuple(joints):
            mine = _origins(load_robot(name, NONE, prefix).urdf, joints)
            if mine is not None and np.abs(recorded - mine).max() < SAME:
                found.append(name)
    return tuple(found)


def other_robot(episode: Episode, robot: RobotModel) -> str:
    """Return why an open bag is of another robot than this, or nothing.

    Args:
        episode: Open.
        robot: With the prefix that its joints have in the bag.

    Raises:
        BagError: The description cannot be read.
    """
    arm, hand = _devices(robot)
    arms = arms_of(episode, robot.arm_joints, robot.prefix)
    if arms and arm not in arms:
        where = ARM_TAG if ARM_TAG in episode.custom else DESCRIPTION
        return f'{where}: of arm {" or ".join(arms)}, not {arm}'
    told = episode.custom.get(HAND_TAG, hand)
    return '' if told == hand else f'{HAND_TAG}: of hand {told}, not {hand}'


def _devices(robot: RobotModel) -> tuple[str, str]:
    """Return the names of arm and hand."""
    arm, hand = (device.name if device else NONE for device in (robot.arm, robot.hand))
    return arm, hand


def _origins(urdf: str, joints: Sequence[str]) -> FloatArray | None:
    """Return (J, 3) where joints are in their parent links [m]; None: not all are described."""
    try:
        found = {joint.get('name'): joint for joint in ElementTree.fromstring(urdf).iter('joint')}
        origins = [found[name].find('origin') for name in joints]
        texts = ['0 0 0' if o is None else o.get('xyz', '0 0 0') for o in origins]
        return np.array([text.split() for text in texts], dtype=np.float64).reshape(-1, 3)
    except (ElementTree.ParseError, KeyError, ValueError):
        return None
