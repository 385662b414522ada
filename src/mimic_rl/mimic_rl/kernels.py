"""Compiled loops over B robots: joint targets of palm poses, places of palm and finger tips."""

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_retargeting.arm_kernels import tool_error, tool_jacobian
from mimic_retargeting.compiled import compiled
from mimic_retargeting.kernels import cholesky, cholesky_solve, place_points
from mimic_retargeting.tables import Chain


@compiled
def reach(
    chain: Chain,
    q: FloatArray,
    target_p: FloatArray,
    target_R: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    max_step: FloatArray,
    posture: FloatArray,
    pull: float,
    lever: float,
    damping: float,
    iterations: int,
    errors: FloatArray,
) -> None:
    """Move the arm of each robot towards a pose of its palm, by damped least squares.

    Args:
        chain: From the base to the palm, A joints, C columns = A.
        q: (B, A) in: joints now; out: joints after, within their bounds and at most `max_step`
            from where they were.
        target_p: (B, 3) wanted place [m].
        target_R: (B, 3, 3) wanted orientation.
        lower: (A,) bounds.
        upper: (A,) bounds.
        max_step: (A,) farthest change of a joint.
        posture: (A,) to which freedom is drawn.
        pull: Share of the way to it in an iteration [1].
        lever: Makes an error of 1 rad as bad as one of so many metres [m/rad].
        damping: Of the least squares [m²].
        iterations: Steps of the search.
        errors: (B, 2) out: what is missing before the bound on the change: [m], [rad]; (0, 2)
            where nobody asks.
    """
    count, joints = q.shape
    links = chain.parent.shape[0]
    rotation = np.empty((links, 3, 3))
    position = np.empty((links, 3))
    axes = np.empty((links, 3))
    tool = np.zeros(3)
    tool_p = np.empty(3)
    error = np.empty(6)
    jacobian = np.empty((6, joints))
    gram = np.empty((6, 6))
    free = np.empty(joints)
    x = np.empty(6)
    now = np.empty(joints)
    for b in range(count):
        for c in range(joints):
            now[c] = q[b, c]
        for _ in range(iterations):
            tool_error(
                chain, now, tool, target_R[b], target_p[b], rotation, position, tool_p, error
            )
            tool_jacobian(chain, rotation, position, tool_p, axes, jacobian)
            for a in range(3, 6):
                error[a] *= lever
                for c in range(joints):
                    jacobian[a, c] *= lever
            for c in range(joints):
                free[c] = pull * (posture[c] - now[c])
            for a in range(6):
                x[a] = error[a]
                for c in range(joints):
                    x[a] -= jacobian[a, c] * free[c]
                for e in range(a + 1):
                    total = 0.0
                    for c in range(joints):
                        total += jacobian[a, c] * jacobian[e, c]
                    gram[a, e] = total
                    gram[e, a] = total
                gram[a, a] += damping
            cholesky(gram, 6)
            cholesky_solve(gram, 6, x)
            for c in range(joints):
                step = free[c]
                for a in range(6):
                    step += jacobian[a, c] * x[a]
                now[c] = min(max(now[c] + min(max(step, -0.5), 0.5), lower[c]), upper[c])
        if len(errors) > 0:
            tool_error(
                chain, now, tool, target_R[b], target_p[b], rotation, position, tool_p, error
            )
            errors[b, 0] = np.sqrt(error[0] ** 2 + error[1] ** 2 + error[2] ** 2)
            errors[b, 1] = np.sqrt(error[3] ** 2 + error[4] ** 2 + error[5] ** 2)
        share = 1.0  # one for all joints keeps the direction of the palm
        for c in range(joints):
            change = abs(now[c] - q[b, c])
            if share * change > max_step[c]:
                share = max_step[c] / change
        for c in range(joints):
            q[b, c] += share * (now[c] - q[b, c])


@compiled
def place(chain: Chain, q: FloatArray, points: FloatArray, palm_R: FloatArray) -> None:
    """Write where the points of each robot are.

    Args:
        chain: M points, the first is the palm.
        q: (B, J) joints.
        points: (B, M, 3) out [m].
        palm_R: (B, 3, 3) out.
    """
    links = chain.parent.shape[0]
    rotation = np.empty((links, 3, 3))
    position = np.empty((links, 3))
    j = chain.point_joint[0]
    fixed = chain.point_rotation[0]
    for b in range(q.shape[0]):
        place_points(chain, q[b], rotation, position, points[b])
        for r in range(3):
            for c in range(3):
                palm_R[b, r, c] = (
                    rotation[j, r, 0] * fixed[0, c]
                    + rotation[j, r, 1] * fixed[1, c]
                    + rotation[j, r, 2] * fixed[2, c]
                )


@compiled
def missing(
    chain: Chain,
    q: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    table: float,
    joint: IntArray,
    place_: FloatArray,
    turn: FloatArray,
    form: FloatArray,
    ball: FloatArray,
    out: FloatArray,
) -> None:
    """Write by what each robot must move for its points to be in a box, its shapes over a table.

    Args:
        chain: Its points are those of the box.
        q: (B, J) joints.
        lower: (3,) of the box [m].
        upper: (3,) of the box [m].
        table: Lowest height of a shape [m].
        joint: (S,) of the chain, that carries a shape.
        place_: (S, 3) of the middle of a shape in the frame of its joint [m].
        turn: (S, 3, 3) joint_R_shape.
        form: (S, 5) half the edges x, y, z, radius of a rim about z, radius of a ball all around
            [m].
        ball: (S,) radius of a ball around a shape [m].
        out: (B, 3) out [m].
    """
    links = chain.parent.shape[0]
    rotation = np.empty((links, 3, 3))
    position = np.empty((links, 3))
    points = np.empty((chain.point_joint.shape[0], 3))
    for b in range(q.shape[0]):
        place_points(chain, q[b], rotation, position, points)
        for a in range(3):
            up = 0.0
            down = 0.0
            for k in range(points.shape[0]):
                up = max(up, lower[a] - points[k, a])
                down = max(down, points[k, a] - upper[a])
            out[b, a] = up - down
        for s in range(joint.shape[0]):
            j = joint[s]
            height = position[j, 2]
            for c in range(3):
                height += rotation[j, 2, c] * place_[s, c]
            if table - (height - ball[s]) <= out[b, 2]:
                continue
            reach_ = form[s, 4]
            along = 0.0
            for c in range(3):
                along = 0.0
                for e in range(3):
                    along += rotation[j, 2, e] * turn[s, e, c]
                reach_ += abs(along) * form[s, c]
            reach_ += form[s, 3] * np.sqrt(max(1.0 - along * along, 0.0))
            out[b, 2] = max(out[b, 2], table - (height - reach_))
