"""Driver of the Franka Panda and its gripper behind franka_ros2."""
