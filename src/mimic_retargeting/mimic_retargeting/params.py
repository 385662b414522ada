"""Parameters of retargeting."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class RetargetingParams:
    """Checked once, when the core or the node starts."""

    side: str = param(
        "Which of the person's hands is followed.", 'right', choices=('right', 'left')
    )
    mode: str = param(
        'relative: the robot follows the change of the hand since the clutch closed; absolute: it '
        'goes smoothly to where the hand is (needs a calibrated camera).',
        'absolute',
        choices=('relative', 'absolute'),
    )
    arm_backend: str = param(
        'Who solves for the arm: own: the IK here; servo: MoveIt Servo, which gets the pose of '
        'shadow/status through mimic_moveit.',
        'own',
        choices=('own', 'servo'),
    )
    orientation: str = param(
        'full: of the palm; yaw_only: the grip straight down, turned as the line from thumb to '
        'index; yaw_relative: the same, counted from where robot and person were when the clutch '
        'closed; fixed: of the home posture; auto: yaw_only for grippers, and for hands whose '
        'registry entry gives their turn from that line where the arm can make it; else '
        'yaw_relative.',
        'auto',
        choices=('auto', 'full', 'yaw_only', 'yaw_relative', 'fixed'),
    )
    method: str = param(
        'Objective of dexterous hands: pinch is position plus thumb-finger distances that close '
        'when the person pinches.',
        'pinch',
        choices=('pinch', 'position', 'vector'),
    )
    orientation_time: float = param(
        'Time constant by which the orientation is smoothed; the position is not [s].',
        0.15,
        low=0.0,
        high=2.0,
    )
    position_scale: float = param(
        'Robot path over human path [1]; in absolute mode about the middle of the workspace.',
        1.0,
        low=0.1,
        high=5.0,
    )
    smoothing: float = param(
        'Factor on the regularisation of the registry entry [1], 0 is off.',
        0.1,
        low=0.0,
        high=100.0,
    )
    pinch_closed: float = param(
        'Thumb-finger distance at which a pinch of a dexterous hand is closed [m].',
        0.04,
        low=0.0,
        high=0.2,
    )
    pinch_open: float = param(
        'Thumb-finger distance at which a pinch is fully open [m], > pinch_closed.',
        0.085,
        low=0.005,
        high=0.3,
    )
    pinch_weight: float = param(
        'Weight of a closed pinch over that of a finger tip [1].', 10.0, low=0.0, high=1000.0
    )
    min_confidence: float = param(
        'Keypoints below this confidence count as not seen [1].', 0.3, low=0.0, high=1.0
    )
    aperture_hold: float = param(
        'How long the last aperture is used when thumb or index are not seen [s].',
        1.0,
        low=0.0,
        high=60.0,
    )
    max_hand_speed: float = param(
        'A wrist that moves faster has jumped: refused [m/s].', 4.0, low=0.1, high=100.0
    )
    lost_timeout: float = param(
        'The clutch opens when no usable hand was seen for so long [s].', 0.5, low=0.0, high=10.0
    )
    engage_time: float = param(
        'Least time of the smooth way from where the robot is to the hand [s].',
        1.0,
        low=0.0,
        high=20.0,
    )
    engage_speed: float = param(
        'Speed of that way [m/s], and [rad/s] for the turn.', 0.25, low=0.01, high=5.0
    )
    posture_speed: float = param(
        'How fast the arm drifts to its home posture with the freedom left by the task [rad/s].',
        0.3,
        low=0.0,
        high=2.0,
    )
    max_squeeze: float = param(
        'How much nearer the tips of a pinch are sent to each other than they are; it bounds how '
        'hard a thing is pressed, keeps it in the middle, and bounds how far a pinch closes while '
        'its joint states are on their way [m].',
        0.03,
        low=0.01,
        high=1.0,
    )
    max_finger_lead: float = param(
        'How far commands of a dexterous hand may be ahead of its measured joints; it bounds how '
        'hard it presses [rad].',
        0.35,
        low=0.02,
        high=10.0,
    )
    max_lead: float = param(
        'When a command is further ahead of the measured arm, the clutch closes anew [rad].',
        0.6,
        low=0.05,
        high=10.0,
    )
