"""The table of topics, services and actions: the one place for their names and QoS."""

from dataclasses import dataclass
from typing import Final, Literal

QosName = Literal['sensor_data', 'stream', 'command', 'latched', 'default']


@dataclass(frozen=True)
class Topic:
    """One topic, relative to the robot's namespace unless it starts with a slash."""

    name: str
    type: str
    qos: QosName
    rate: float  # [Hz], 0 = on change
    source: str
    sinks: str


def _topics(*rows: Topic) -> dict[str, Topic]:
    return {row.name: row for row in rows}


TOPICS: Final = _topics(
    Topic('camera/color/image_raw', 'sensor_msgs/msg/Image', 'sensor_data', 30.0,
          'camera', 'tracking, recording, policy'),
    Topic('camera/aligned_depth_to_color/image_raw', 'sensor_msgs/msg/Image', 'sensor_data', 30.0,
          'camera', 'tracking, recording'),
    Topic('camera/color/camera_info', 'sensor_msgs/msg/CameraInfo', 'sensor_data', 30.0,
          'camera', 'tracking, recording'),
    Topic('agent_camera/color/image_raw', 'sensor_msgs/msg/Image', 'sensor_data', 30.0,
          'camera or twin', 'recording, policy, viewer'),
    Topic('agent_camera/aligned_depth_to_color/image_raw', 'sensor_msgs/msg/Image',
          'sensor_data', 30.0, 'camera or twin', 'object tracking, recording'),
    Topic('agent_camera/color/camera_info', 'sensor_msgs/msg/CameraInfo', 'sensor_data', 30.0,
          'camera or twin', 'object tracking, recording'),
    Topic('wrist_camera/color/image_raw', 'sensor_msgs/msg/Image', 'sensor_data', 30.0,
          'camera or twin', 'recording, policy'),
    Topic('wrist_camera/aligned_depth_to_color/image_raw', 'sensor_msgs/msg/Image',
          'sensor_data', 30.0, 'camera or twin', 'recording'),
    Topic('wrist_camera/color/camera_info', 'sensor_msgs/msg/CameraInfo', 'sensor_data', 30.0,
          'camera or twin', 'recording'),
    Topic('hand_tracking/hands', 'mimic_interfaces/msg/HandArray', 'stream', 30.0,
          'tracking', 'retargeting, recording, viewer'),
    Topic('object_tracking/objects', 'mimic_interfaces/msg/ObjectPoseArray', 'stream', 30.0,
          'object tracking or twin', 'rl policy, recording'),
    Topic('shadow/command', 'trajectory_msgs/msg/JointTrajectory', 'command', 30.0,
          'retargeting', 'control, recording'),
    Topic('shadow/status', 'mimic_interfaces/msg/ShadowStatus', 'stream', 30.0,
          'retargeting', 'recording, viewer'),
    Topic('policy/command', 'trajectory_msgs/msg/JointTrajectory', 'command', 30.0,
          'policy', 'control, recording'),
    Topic('policy/status', 'mimic_interfaces/msg/PolicyStatus', 'stream', 10.0,
          'policy', 'recording, viewer'),
    Topic('replay/command', 'trajectory_msgs/msg/JointTrajectory', 'command', 30.0,
          'replay', 'control, recording'),
    Topic('arm_controller/joint_trajectory', 'trajectory_msgs/msg/JointTrajectory', 'command',
          100.0, 'control', 'arm driver, recording'),
    Topic('hand_controller/joint_trajectory', 'trajectory_msgs/msg/JointTrajectory', 'command',
          100.0, 'control', 'hand driver, policy, recording'),
    Topic('arm_controller/joint_commands', 'sensor_msgs/msg/JointState', 'command', 100.0,
          'ros2_control', 'joint command relay'),
    Topic('hand_controller/joint_commands', 'sensor_msgs/msg/JointState', 'command', 100.0,
          'ros2_control', 'joint command relay'),
    Topic('arm_driver/joint_trajectory', 'trajectory_msgs/msg/JointTrajectory', 'command',
          100.0, 'joint command relay', 'arm driver behind ros2_control'),
    Topic('hand_driver/joint_trajectory', 'trajectory_msgs/msg/JointTrajectory', 'command',
          100.0, 'joint command relay', 'hand driver behind ros2_control'),
    Topic('retargeting/hand_command', 'trajectory_msgs/msg/JointTrajectory', 'command', 30.0,
          'retargeting', 'servo bridge'),
    Topic('servo_node/pose_target_cmds', 'geometry_msgs/msg/PoseStamped', 'command', 30.0,
          'servo bridge', 'MoveIt Servo'),
    Topic('servo_node/status', 'moveit_msgs/msg/ServoStatus', 'stream', 100.0,
          'MoveIt Servo', 'servo bridge'),
    Topic('servo/joint_trajectory', 'trajectory_msgs/msg/JointTrajectory', 'command', 100.0,
          'MoveIt Servo', 'servo bridge'),
    Topic('joint_states', 'sensor_msgs/msg/JointState', 'sensor_data', 100.0,
          'drivers or twin', 'all'),
    Topic('control/enable', 'std_msgs/msg/Bool', 'command', 10.0,
          'operator', 'control, retargeting'),
    Topic('control/take_over', 'std_msgs/msg/Bool', 'command', 10.0,
          'operator', 'control, retargeting'),
    Topic('control/status', 'mimic_interfaces/msg/ControlStatus', 'latched', 10.0,
          'control', 'all'),
    Topic('control/audit', 'mimic_interfaces/msg/ControlAudit', 'stream', 0.0,
          'control', 'recording'),
    Topic('episode/status', 'mimic_interfaces/msg/EpisodeStatus', 'latched', 0.0,
          'recording', 'all'),
    Topic('tactile', 'mimic_interfaces/msg/TactileArray', 'sensor_data', 100.0,
          'hand drivers', 'recording, policy'),
    Topic('demonstrator/status', 'mimic_interfaces/msg/DemonstratorStatus', 'stream', 30.0,
          'virtual demonstrator', 'recording, tests'),
    Topic('twin/status', 'mimic_interfaces/msg/TwinStatus', 'stream', 30.0,
          'twin', 'recording, demonstrator, tests'),
    Topic('robot_description', 'std_msgs/msg/String', 'latched', 0.0,
          'robot state publisher', 'all'),
    Topic('/tf', 'tf2_msgs/msg/TFMessage', 'default', 100.0, 'robot state publisher', 'all'),
    Topic('/tf_static', 'tf2_msgs/msg/TFMessage', 'latched', 0.0,
          'robot state publisher, cameras', 'all'),
    Topic('/clock', 'rosgraph_msgs/msg/Clock', 'sensor_data', 100.0, 'twin', 'all'),
    Topic('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', 'default', 1.0, 'all', 'people'),
)  # fmt: skip

SERVICES: Final = {
    'control/set_mode': 'mimic_interfaces/srv/SetMode',
    'control/stop': 'std_srvs/srv/Trigger',
    'control/clear': 'std_srvs/srv/Trigger',
    'episode/start': 'mimic_interfaces/srv/StartEpisode',
    'episode/stop': 'std_srvs/srv/Trigger',
    'episode/discard': 'std_srvs/srv/Trigger',
    'demonstrator/show': 'std_srvs/srv/Trigger',
    'twin/reset': 'mimic_interfaces/srv/ResetTwin',
    'alignment/align': 'mimic_interfaces/srv/AlignEpisodes',
    'plan_kinematic_path': 'moveit_msgs/srv/GetMotionPlan',  # of move_group
    'servo_node/switch_command_type': 'moveit_msgs/srv/ServoCommandType',  # of MoveIt Servo
}

ACTIONS: Final = {
    'control/move_to': 'mimic_interfaces/action/MoveTo',
    'replay/play': 'mimic_interfaces/action/PlayEpisode',
    'policy/run': 'mimic_interfaces/action/RunPolicy',
}
