"""Driver of the KUKA LBR iiwa behind its ROS 2 stacks."""
