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
        errors: (B, 2) out: what is missing before the bound on the change: [m], [rad].
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
        tool_error(chain, now, tool, target_R[b], target_p[b], rotation, position, tool_p, error)
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
            reach_ = form[s, 4]
            along = 0.0
            for c in range(3):
                height += rotation[j, 2, c] * place_[s, c]
                along = 0.0
                for e in range(3):
                    along += rotation[j, 2, e] * turn[s, e, c]
                reach_ += abs(along) * form[s, c]
            reach_ += form[s, 3] * np.sqrt(max(1.0 - along * along, 0.0))
            out[b, 2] = max(out[b, 2], table - (height - reach_))


@compiled
def send(
    q: FloatArray,
    v: FloatArray,
    a: FloatArray,
    point: FloatArray,
    speed: FloatArray,
    elapsed: float,
    period: float,
    horizons: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    max_v: FloatArray,
    max_a: FloatArray,
    max_j: FloatArray,
    goal_v: FloatArray,
    past: float,
) -> None:
    """Move what B gates send one period on towards points that go on at a speed.

    On the quintic of the first horizon whose path keeps the bounds; where none does, at the bounds
    of acceleration and jerk as fast as may be.

    Args:
        q: (B, J) in and out: what is sent [rad] or [m].
        v: (B, J) in and out: its speed.
        a: (B, J) in and out: its acceleration.
        point: (B, J) asked for last.
        speed: (B, J) with which that goes on.
        elapsed: Since then [s].
        period: Of this step [s].
        horizons: (H,) of paths, the shortest first [s].
        lower: (J,) bounds of q.
        upper: (J,) bounds of q.
        max_v: (J,) of speed.
        max_a: (J,) of acceleration.
        max_j: (J,) of jerk.
        goal_v: (J,) of the speed at the end of a path.
        past: Share of the way by which a path may run past its end [1].
    """
    for row in range(q.shape[0]):
        for j in range(q.shape[1]):
            now_q, now_v, now_a = q[row, j], v[row, j], a[row, j]
            going, found = speed[row, j], False
            for h in horizons:
                end = point[row, j] + going * (elapsed + h)
                goal = min(max(end, lower[j]), upper[j])
                final = min(max(going, -goal_v[j]), goal_v[j]) if goal == end else 0.0
                # Relative to where the goal would have been now, in units of the horizon.
                x0, v0, a0 = now_q - goal + final * h, (now_v - final) * h, now_a * h * h
                d, e = -x0 - v0 - 0.5 * a0, -v0 - a0
                c3 = 10.0 * d - 4.0 * e - 0.5 * a0
                c4 = -15.0 * d + 7.0 * e + a0
                c5 = 6.0 * d - 3.0 * e - 0.5 * a0
                side = 1.0 if x0 >= 0.0 else -1.0
                over = past * abs(x0) + max_v[j] * period
                fine = abs(6.0 * c3) <= max_j[j] * h * h * h
                for k in range(1, 5):
                    s = 0.25 * k
                    x = x0 + s * (v0 + s * (0.5 * a0 + s * (c3 + s * (c4 + s * c5))))
                    slope = v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)))
                    bend = a0 + s * (6 * c3 + s * (12 * c4 + s * 20 * c5))
                    turn = 6 * c3 + s * (24 * c4 + s * 60 * c5)
                    fine = (
                        fine
                        and -side * x <= over
                        and abs(slope / h + final) <= max(max_v[j], abs(now_v))
                        and abs(bend) <= max_a[j] * h * h
                        and abs(turn) <= max_j[j] * h * h * h
                    )
                if not fine:
                    continue
                s = period / h
                x = x0 + s * (v0 + s * (0.5 * a0 + s * (c3 + s * (c4 + s * c5))))
                slope = v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)))
                bend = a0 + s * (6 * c3 + s * (12 * c4 + s * 20 * c5))
                q[row, j] = goal + final * (period - h) + x
                v[row, j] = slope / h + final
                a[row, j] = bend / (h * h)
                found = True
                break
            if not found:
                goal = min(max(point[row, j] + going * elapsed, lower[j]), upper[j])
                off, excess = now_q - goal, now_v - min(max(going, -goal_v[j]), goal_v[j])
                reach = max_a[j] / max_j[j] + 0.5 * abs(excess) / max_a[j]  # [s] until it rests
                wanted = -max_a[j] if off + excess * reach > 0.0 else max_a[j]
                new = min(max(wanted, now_a - max_j[j] * period), now_a + max_j[j] * period)
                q[row, j] = now_q + period * now_v + period * period * (2.0 * now_a + new) / 6.0
                v[row, j] = now_v + 0.5 * period * (now_a + new)
                a[row, j] = new
