"""Starts XML launch files as `ros2 launch` does: `read` makes a plan, `Supervisor` runs it."""
