"""Parameters of the gate."""

from dataclasses import dataclass

from mimic_core.errors import UnknownNameError
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class GateParams:
    """Checked once, when the node starts."""

    rate: float = param('Outputs a second [Hz].', 100.0, low=10.0, high=1000.0)
    shadow_timeout: float = param(
        'Oldest data of shadow/command still followed [s]; older ones hold the robot.',
        0.25, low=0.02, high=5.0,
    )  # fmt: skip
    policy_timeout: float = param(
        'The same of policy/command: a policy thinks for longer [s].', 0.6, low=0.02, high=5.0
    )
    replay_timeout: float = param('The same of replay/command [s].', 0.25, low=0.02, high=5.0)
    max_path: float = param(
        'How long a command of several points is followed without a newer one [s].',
        2.0, low=0.0, high=60.0,
    )  # fmt: skip
    state_timeout: float = param(
        'Oldest joint state with which the robot may move [s].', 0.25, low=0.02, high=5.0
    )
    max_lead: float = param('Farthest future start of a command [s].', 1.0, low=0.0, high=60.0)
    max_command_jump: float = param(
        'Largest change of a joint from one command to the next [rad] or [m]; 0: any, since a far '
        'target is reached within the limits.', 0.0, low=0.0, high=100.0
    )  # fmt: skip
    max_extrapolation: float = param(
        'How far a stream of single points is carried on at its speed while the next is due [s].',
        0.06, low=0.0, high=0.5,
    )  # fmt: skip
    require_enable: bool = param('Move only while control/enable is held.', False)
    enable_timeout: float = param(
        'Oldest control/enable that counts as held [s].', 0.3, low=0.02, high=5.0
    )
    take_over: bool = param(
        'In mode policy, shadow/command drives while a person holds control/take_over, or '
        'control/enable where that is not required.', True
    )  # fmt: skip
    speed_scale: float = param('Of the joint speed limits [1].', 1.0, low=0.01, high=1.0)
    acceleration_scale: float = param(
        'Of the joint acceleration limits [1].', 1.0, low=0.01, high=1.0
    )
    jerk_scale: float = param('Of the joint jerk limits [1].', 1.0, low=0.01, high=1.0)
    resume_speed_scale: float = param(
        'Of the speed limits until a source that takes over is caught up with [1].',
        0.5, low=0.01, high=1.0,
    )  # fmt: skip
    move_speed_scale: float = param(
        'Default of control/move_to, of the joint speed limits [1].', 0.3, low=0.01, high=1.0
    )
    check_workspace: bool = param(
        "Keep flange, palm, grasp centre and tips in the arm's workspace box.", True
    )
    workspace_padding: float = param(
        'Grows the workspace box of the registry on all sides but below [m]; negative shrinks it.',
        0.0, low=-0.3, high=5.0,
    )  # fmt: skip
    min_height_offset: float = param(
        'Added to the minimal height of the registry [m].', 0.0, low=-5.0, high=1.0
    )
    check_collision: bool = param('Keep the parts of the robot apart, and off the table.', True)
    collision_margin: float = param(
        'Smallest distance between parts of the robot [m]; half their distance at home where that '
        'is less.', 0.01, low=0.0, high=0.2
    )  # fmt: skip
    table_height: float = param('Of the table in base_link [m].', 0.0, low=-5.0, high=5.0)
    table_clearance: float = param(
        'Smallest distance of the robot to the table [m].', 0.001, low=0.0, high=0.2
    )
    neighbour_margin: float = param(
        'Smallest distance to a neighbour arm [m].', 0.03, low=0.0, high=1.0
    )
    neighbour_timeout: float = param(
        'Oldest joint state of the neighbour with which the robot may move [s].',
        0.1, low=0.02, high=1.0,
    )  # fmt: skip
    neighbour_lag: float = param(
        'How far the neighbour is measured behind its command [s].', 0.05, low=0.0, high=0.5
    )
    max_tracking_error: float = param(
        'Distance of an arm joint from its command beyond which the gate falls silent and starts '
        'anew where the robot is [rad] or [m].', 0.5, low=0.01, high=10.0
    )  # fmt: skip

    def timeout_of(self, source: str) -> float:
        """Return the age [s] at which data of a source are too old."""
        timeouts = {
            'shadow': self.shadow_timeout,
            'policy': self.policy_timeout,
            'replay': self.replay_timeout,
        }
        if source not in timeouts:
            raise UnknownNameError('source', source, timeouts)
        return timeouts[source]


@dataclass(frozen=True, kw_only=True)
class MoveParams:
    """How control/move_to finds its way."""

    planner: str = param(
        "Of control/move_to: auto: MoveIt's where its service is there, else our own; own; "
        'moveit; none: straight, and the gate stops before what is in the way.',
        'auto', choices=('auto', 'own', 'moveit', 'none'),
    )  # fmt: skip
    planning_timeout: float = param(
        'Of the search for a way around obstacles [s].', 5.0, low=0.1, high=120.0
    )


@dataclass(frozen=True, kw_only=True)
class ControlParams(GateParams, MoveParams):
    """Parameters of the node: the gate's and which robot it guards."""

    arm: str = param("Name of an arm in config/robots, or 'none'.", 'iiwa14')
    hand: str = param("Name of a hand in config/robots, or 'none'.", 'allegro')
    prefix: str = param('Put before every joint name.', '')
    base_xyz: tuple[float, ...] = param(
        'Position of base_link in world [m]; needed beside a neighbour.', (0.0, 0.0, 0.0)
    )
    base_rpy: tuple[float, ...] = param('Roll, pitch, yaw of it [rad].', (0.0, 0.0, 0.0))
    neighbour_arm: str = param("Arm beside this one, or 'none'.", 'none')
    neighbour_hand: str = param("Its hand, or 'none'.", 'none')
    neighbour_prefix: str = param('Put before its joint names.', '')
    neighbour_namespace: str = param('Namespace of its joint_states.', '')
    neighbour_xyz: tuple[float, ...] = param(
        'Position of its base_link in world [m].', (0.0, 0.0, 0.0)
    )
    neighbour_rpy: tuple[float, ...] = param('Roll, pitch, yaw of that [rad].', (0.0, 0.0, 0.0))
    initial_mode: str = param(
        'Mode after the start.', 'idle', choices=('idle', 'shadow', 'policy', 'replay')
    )
