"""Parameters of the Panda's driver."""

from dataclasses import dataclass

from mimic_core.jtc.params import JtcParams
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class PandaParams(JtcParams):
    """Parameters of a driver before franka_ros2."""

    arm: str = param('Name of the arm in config/robots.', 'panda')
    hand: str = param(
        'panda_hand: drive its gripper too; none: another driver has the hand.',
        'panda_hand', choices=('panda_hand', 'none'),
    )  # fmt: skip
    gripper_action: str = param(
        "The gripper's action, of control_msgs/action/GripperCommand.",
        'panda_gripper/gripper_action',
    )
    gripper_state_topic: str = param(
        'Joint states of the fingers.', 'panda_gripper/joint_states'
    )  # fmt: skip
    gripper_joint: str = param(
        "The stack's name of the finger that counts.", 'panda_finger_joint1'
    )
    gripper_effort: float = param('Most force of a grasp [N].', 20.0, low=0.0, high=70.0)
    gripper_min_change: float = param(
        'Smallest change of a finger that is worth a goal [m].', 0.001, low=0.0001, high=0.04
    )
    gripper_min_period: float = param(
        'Between two goals [s]; each is a motion of its own.', 0.1, low=0.02, high=5.0
    )
    gripper_stale_after: float = param(
        'Oldest state of the fingers that counts [s].', 0.15, low=0.05, high=10.0
    )
    health_period: float = param(
        'Between reads of the controllers for diagnostics [s].', 0.15, low=0.1, high=60.0
    )
