"""Puts the packages together: launch files, configuration, demo and lockstep pipeline."""
