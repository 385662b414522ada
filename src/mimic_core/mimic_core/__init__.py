"""What every mimic package shares; nothing in here needs ROS except `mimic_core.ros`."""
