"""What the stacks of the iiwa call their things, and what the numbers of FRI mean.

Sources: lbr-stack/lbr_fri_ros2_stack (lbr_bringup, lbr_ros2_control),
lbr-stack/lbr_fri_idl (fri-1), ICube-Robotics/iiwa_ros2 (jazzy-dev).
"""

from dataclasses import dataclass
from typing import Final

COMMANDING_ACTIVE: Final = 4  # session state in which FRI takes positions
SESSION_STATES: Final = (
    'idle', 'monitoring wait', 'monitoring ready', 'commanding wait', 'commanding active',
)  # fmt: skip
QUALITIES: Final = ('poor', 'fair', 'good', 'excellent')
DRIVE_STATES: Final = ('off', 'transitioning', 'active')
SAFETY_STATES: Final = ('normal operation', 'safety stop 0', 'safety stop 1', 'safety stop 2')
POOR: Final = 1  # connection quality up to which there is a warning


@dataclass(frozen=True)
class Names:
    """Of one stack."""

    title: str
    namespace: str
    controller: str
    joints: tuple[str, ...]  # from the base to the flange
    session_topic: str  # '' where there is none


STACKS: Final = {
    'lbr': Names(
        'lbr_fri_ros2_stack', 'lbr', 'joint_trajectory_controller',
        tuple(f'lbr_A{i}' for i in range(1, 8)), 'state',
    ),
    'icube': Names(
        'iiwa_ros2', '', 'iiwa_arm_controller',
        tuple(f'joint_a{i}' for i in range(1, 8)), '',
    ),
}  # fmt: skip


def word(names: tuple[str, ...], number: int) -> str:
    """Return the name of a number of FRI, or the number where it has none."""
    return names[number] if 0 <= number < len(names) else str(number)


def session_problem(session: int, drive: int, safety: int) -> str:
    """Return why the robot takes no commands, '' when it does.

    The session alone decides; drives and safety say why.
    """
    if session == COMMANDING_ACTIVE:
        return ''
    reasons = [f'the FRI session is {word(SESSION_STATES, session)}, not commanding active']
    if safety != 0:
        reasons.append(f'{word(SAFETY_STATES, safety)}: release the stop')
    if drive != DRIVE_STATES.index('active'):
        reasons.append(f'drives {word(DRIVE_STATES, drive)}')
    return ', '.join([*reasons, 'start the FRI application on the smartPAD'])
