"""A container for Python nodes, and the launcher for machines without `ros2 launch`."""
