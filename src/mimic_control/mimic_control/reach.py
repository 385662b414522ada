"""How far a joint can move what hangs on it."""

import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray


def reach(model: pin.Model, joint: int, beyond: float) -> FloatArray:
    """Return (N,) [m/rad] bounds of the motion of a body per motion of each joint.

    It is the length of the chain from the joint to the body, so it holds in every posture; 1 for
    a prismatic joint, 0 for a joint that does not carry the body.

    Args:
        model: Of the robot.
        joint: Pinocchio id of the joint that carries the body.
        beyond: Farthest point of the body from that joint's frame [m].
    """
    weights = np.zeros(model.nq)
    length = beyond
    while joint > 0:
        item = model.joints[joint]
        prismatic = 'P' in item.shortname().removeprefix('JointModel')[:1]
        weights[item.idx_q] = 1.0 if prismatic else length
        if prismatic:
            index = item.idx_q
            length += max(
                abs(float(model.lowerPositionLimit[index])),
                abs(float(model.upperPositionLimit[index])),
            )
        length += float(np.linalg.norm(model.jointPlacements[joint].translation))
        joint = int(model.parents[joint])
    return weights
