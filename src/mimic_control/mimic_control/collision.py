"""Distances between the parts of the robot, and to the table."""

from typing import Final

import coal
import numpy as np
import pinocchio as pin

from mimic_control.pairs import PairGuard
from mimic_control.params import GateParams
from mimic_core.frames import BASE, transform
from mimic_description import RobotModel

TABLE: Final = 'table'
_TABLE_SIZE: Final = (6.0, 6.0, 1.0)  # [m]


class CollisionGuard(PairGuard):
    """Keeps the parts of the robot off each other and the table; fingers may touch each other."""

    def __init__(self, robot: RobotModel, params: GateParams) -> None:
        """Args: robot: the fingers of its hand may touch each other; params: margins, table."""
        geometry = robot.collision_model(within_hand=False)
        moving = [i for i, o in enumerate(geometry.geometryObjects) if o.parentJoint > 0]
        count = len(geometry.collisionPairs)
        world_T_base = robot.fk(robot.home, BASE)
        if robot.arm is not None:
            centre = np.array([0.0, 0.0, params.table_height - 0.5 * _TABLE_SIZE[2]])
            place = world_T_base @ transform(np.eye(3), centre)
            table = geometry.addGeometryObject(
                pin.GeometryObject(TABLE, 0, 0, pin.SE3(place), coal.Box(*_TABLE_SIZE))
            )
            for i in moving:
                geometry.addCollisionPair(pin.CollisionPair(i, table))
        wanted = np.full(len(geometry.collisionPairs), params.table_clearance)
        wanted[:count] = params.collision_margin
        super().__init__(robot, geometry, wanted)
        self._flat[count:] = True
        self._flat_normal = world_T_base[:3, 2]
        self._flat_point = world_T_base[:3, 3] + params.table_height * self._flat_normal
