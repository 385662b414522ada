"""What the gate lets through, for many robots at once: its workspace, and the table below."""

from typing import Final

import numpy as np

from mimic_control import GateParams
from mimic_control.workspace import WorkspaceBox
from mimic_core.arrays import FloatArray
from mimic_core.frames import BASE
from mimic_description import RobotModel
from mimic_description.tree import Shape
from mimic_retargeting.tables import build_chain
from mimic_rl.kernels import missing


class GateBounds:
    """How far robots are beyond what the gate lets through. J joints.

    Its points (flange, palm, grasp centre, finger tips) stay in its box, and all shapes over the
    table. That parts of the robot stay apart is left to the gate.
    """

    def __init__(self, robot: RobotModel, margin: float, params: GateParams | None = None) -> None:
        """Args: robot: with an arm; margin: to its bounds [m]; params: of the gate."""
        gate = params or GateParams()
        box = WorkspaceBox(robot, gate)
        self.lower: Final = box.lower + margin  # (3,) [m] in base_link
        self.upper: Final = box.upper - margin
        self._table = gate.table_height + gate.table_clearance + margin
        model = robot.pin_model
        shapes = [
            (link.name, shape)
            for link in robot.tree.links.values()
            for shape in link.shapes
            if model.frames[robot.frame(link.name)].parentJoint > 0  # it moves
        ]
        chain = build_chain(
            robot, robot.joint_names, BASE, [*box.points, *(name for name, _ in shapes)]
        )
        count = len(box.points)
        self._joint = chain.point_joint[count:].copy()  # (S,)
        self._chain = chain._replace(
            point_joint=chain.point_joint[:count],
            point_xyz=chain.point_xyz[:count],
            point_rotation=chain.point_rotation[:count],
        )
        # Where shapes are on their joints, from where their links are.
        turn, place = chain.point_rotation[count:], chain.point_xyz[count:]
        own = np.array([shape.link_T_shape for _, shape in shapes]).reshape(-1, 4, 4)
        self._turn = turn @ own[:, :3, :3]  # (S, 3, 3)
        self._place = place + np.einsum('sij,sj->si', turn, own[:, :3, 3])  # (S, 3) [m]
        self._form = np.array([_form(shape) for _, shape in shapes]).reshape(-1, 5)  # [m]
        half, round_ = self._form[:, :3], self._form[:, 3:]
        self._ball = np.linalg.norm(half, axis=1) + round_.sum(axis=1)  # (S,) [m]

    def missing(self, q: FloatArray) -> FloatArray:
        """Return (B, 3) by what the hands must move to be inside [m], in base_link, for (B, J)."""
        out = np.empty((len(q), 3))
        missing(
            self._chain, np.ascontiguousarray(q), self.lower, self.upper, self._table, self._joint,
            self._place, self._turn, self._form, self._ball, out,
        )  # fmt: skip
        return out


def _form(shape: Shape) -> tuple[float, float, float, float, float]:
    """Return half the edges, the radius of a rim about z and that of a ball all around [m]."""
    size = shape.size
    if shape.kind == 'box':
        return 0.5 * size[0], 0.5 * size[1], 0.5 * size[2], 0.0, 0.0
    if shape.kind == 'sphere':
        return 0.0, 0.0, 0.0, 0.0, size[0]
    if shape.kind == 'cylinder':
        return 0.0, 0.0, 0.5 * size[1], size[0], 0.0
    return 0.0, 0.0, 0.5 * size[1], 0.0, size[0]
