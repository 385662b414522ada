"""The whole system: launch files, configuration, the demo, and the chain in one process."""
