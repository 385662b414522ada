"""Which arm and hand a bag is of: names of joints do not tell arms of one family apart."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_description import RobotModel, known_devices, load_device, load_robot
from mimic_recording import Episode

NONE: Final = 'none'
ARM_TAG, HAND_TAG = 'tag.arm', 'tag.hand'  # as the collector writes them
DESCRIPTION: Final = 'robot_description'
SAME: Final = 1e-3  # [m] between two descriptions of one arm


def arms_of(episode: Episode, joints: Sequence[str]) -> tuple[str, ...]:
    """Return the arms that an open bag may be of; nothing where it does not tell.

    The tag `arm` tells, else the recorded `robot_description`, whose joints are where those of an
    arm of the registry are.

    Args:
        episode: Open.
        joints: Of the arm; only arms with these names come into question.

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
        if load_device(name, 'arm').joints == tuple(joints):
            mine = _origins(load_robot(name, NONE).urdf, joints)
            if mine is not None and np.abs(recorded - mine).max() < SAME:
                found.append(name)
    return tuple(found)


def other_robot(episode: Episode, robot: RobotModel) -> str:
    """Return why an open bag is of another robot than this, or nothing.

    Raises:
        BagError: The description cannot be read.
    """
    arm, hand = (device.name if device else NONE for device in (robot.arm, robot.hand))
    arms = arms_of(episode, robot.arm_joints)
    if arms and arm not in arms:
        where = ARM_TAG if ARM_TAG in episode.custom else DESCRIPTION
        return f'{where}: of arm {" or ".join(arms)}, not {arm}'
    told = episode.custom.get(HAND_TAG, hand)
    return '' if told == hand else f'{HAND_TAG}: of hand {told}, not {hand}'


def _origins(urdf: str, joints: Sequence[str]) -> FloatArray | None:
    """Return (J, 3) where joints are in their parent links [m]; None: not all are described."""
    try:
        found = {joint.get('name'): joint for joint in ElementTree.fromstring(urdf).iter('joint')}
        origins = [found[name].find('origin') for name in joints]
        texts = ['0 0 0' if o is None else o.get('xyz', '0 0 0') for o in origins]
        return np.array([text.split() for text in texts], dtype=np.float64).reshape(-1, 3)
    except (ElementTree.ParseError, KeyError, ValueError):
        return None
