"""Measured comparisons: `./mimic bench`."""
