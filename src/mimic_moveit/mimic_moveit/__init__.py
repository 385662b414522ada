"""ros2_control and MoveIt 2 for the robots of the registry."""

from mimic_moveit.collisions import CollisionMatrix, collision_matrix
from mimic_moveit.controller_config import controller_parameters, controllers
from mimic_moveit.folder import configuration
from mimic_moveit.srdf import StaleSrdfError, check_srdf, make_srdf

__all__ = [
    'CollisionMatrix',
    'StaleSrdfError',
    'check_srdf',
    'collision_matrix',
    'configuration',
    'controller_parameters',
    'controllers',
    'make_srdf',
]
