"""The MuJoCo twin with its tasks, and the virtual demonstrator."""
