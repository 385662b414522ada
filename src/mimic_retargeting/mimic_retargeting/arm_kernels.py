"""Compiled loops of the arm's inverse kinematics.

Priorities are weights that differ by orders of magnitude: the minimum of a box-constrained
least-squares problem with stiff weights tends to the strict hierarchy, bounds included, and one
exact QP solves all levels at once. Source: Bjorck, Numerical Methods for Least Squares Problems,
1996, section 5.1.
"""

import math

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_retargeting.compiled import compiled
from mimic_retargeting.kernels import box_qp, cholesky, cholesky_solve, forward, world_axes
from mimic_retargeting.tables import Chain


@compiled
def rotation_error(target: FloatArray, actual: FloatArray, out: FloatArray) -> float:
    """Write the rotation vector (3,) [rad] from `actual` to `target` (3, 3); return its length."""
    m = np.empty((3, 3))  # target · actualᵀ
    for a in range(3):
        for b in range(3):
            m[a, b] = (
                target[a, 0] * actual[b, 0]
                + target[a, 1] * actual[b, 1]
                + target[a, 2] * actual[b, 2]
            )
    x, y, z = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    sine = 0.5 * math.sqrt(x * x + y * y + z * z)
    cosine = 0.5 * (m[0, 0] + m[1, 1] + m[2, 2] - 1.0)
    angle = math.atan2(sine, cosine)
    if sine > 1e-6:
        factor = 0.5 * angle / sine
        out[0], out[1], out[2] = factor * x, factor * y, factor * z
    elif cosine > 0.0:
        out[0], out[1], out[2] = 0.5 * x, 0.5 * y, 0.5 * z
    else:  # half a turn: the axis is the largest column of m + 1
        best = 0
        for a in range(1, 3):
            if m[a, a] > m[best, best]:
                best = a
        length = 0.0
        for a in range(3):
            out[a] = 0.5 * (m[a, best] + m[best, a]) + (1.0 if a == best else 0.0)
            length += out[a] * out[a]
        length = math.sqrt(length)
        for a in range(3):
            out[a] *= angle / length
    return angle


@compiled
def place_tool(
    chain: Chain,
    q: FloatArray,
    tool: FloatArray,
    rotation: FloatArray,
    position: FloatArray,
    tool_R: FloatArray,
    tool_p: FloatArray,
) -> None:
    """Write the pose of a point `tool` (3,) [m] in the chain's last frame: (3, 3) and (3,) [m]."""
    forward(chain, q, rotation, position)
    last = chain.point_joint.shape[0] - 1
    joint = chain.point_joint[last]
    xyz = np.empty(3)
    fixed = chain.point_rotation[last]
    for a in range(3):
        xyz[a] = chain.point_xyz[last, a] + (
            fixed[a, 0] * tool[0] + fixed[a, 1] * tool[1] + fixed[a, 2] * tool[2]
        )
    for a in range(3):
        tool_p[a] = position[joint, a]
        for b in range(3):
            tool_p[a] += rotation[joint, a, b] * xyz[b]
            tool_R[a, b] = (
                rotation[joint, a, 0] * fixed[0, b]
                + rotation[joint, a, 1] * fixed[1, b]
                + rotation[joint, a, 2] * fixed[2, b]
            )


@compiled
def tool_error(
    chain: Chain,
    q: FloatArray,
    tool: FloatArray,
    target_R: FloatArray,
    target_p: FloatArray,
    rotation: FloatArray,
    position: FloatArray,
    tool_p: FloatArray,
    error: FloatArray,
) -> None:
    """Write (6,) what is missing to the target: position [m], rotation vector [rad]."""
    tool_R = np.empty((3, 3))
    place_tool(chain, q, tool, rotation, position, tool_R, tool_p)
    for a in range(3):
        error[a] = target_p[a] - tool_p[a]
    rotation_error(target_R, tool_R, error[3:])


@compiled
def tool_jacobian(
    chain: Chain,
    rotation: FloatArray,
    position: FloatArray,
    tool_p: FloatArray,
    axes: FloatArray,
    jacobian: FloatArray,
) -> None:
    """Write (6, C): how the tool's place and rotation change with each actuated joint."""
    world_axes(chain, rotation, axes)
    jacobian[:, :] = 0.0
    j = chain.point_joint[chain.point_joint.shape[0] - 1]
    while j >= 0:
        c = chain.column[j]
        x, y, z = axes[j, 0], axes[j, 1], axes[j, 2]
        m = chain.multiplier[j]
        if chain.prismatic[j] == 1:
            jacobian[0, c] += m * x
            jacobian[1, c] += m * y
            jacobian[2, c] += m * z
        else:
            u = tool_p[0] - position[j, 0]
            v = tool_p[1] - position[j, 1]
            w = tool_p[2] - position[j, 2]
            jacobian[0, c] += m * (y * w - z * v)
            jacobian[1, c] += m * (z * u - x * w)
            jacobian[2, c] += m * (x * v - y * u)
            jacobian[3, c] += m * x
            jacobian[4, c] += m * y
            jacobian[5, c] += m * z
        j = chain.parent[j]


@compiled
def weakest_direction(
    jacobian: FloatArray, rows: int, lever: float, direction: FloatArray
) -> float:
    """Return the smallest singular value [m] and write the joint direction (C,) that has it.

    Args:
        jacobian: (6, C).
        rows: 3: of the position only; 6: of the pose, rotations times `lever`.
        lever: [m].
        direction: (C,) out, of unit length.
    """
    columns = jacobian.shape[1]
    size = min(rows, columns)
    gram = np.zeros((size, size))
    trace = 0.0
    for a in range(size):
        for b in range(a + 1):
            total = 0.0
            if rows <= columns:
                factor = (lever if a > 2 else 1.0) * (lever if b > 2 else 1.0)
                for c in range(columns):
                    total += jacobian[a, c] * jacobian[b, c]
                total *= factor
            else:
                for r in range(rows):
                    factor = lever * lever if r > 2 else 1.0
                    total += factor * jacobian[r, a] * jacobian[r, b]
            gram[a, b] = total
            gram[b, a] = total
        trace += gram[a, a]
    factored = gram.copy()
    for a in range(size):
        factored[a, a] += 1e-12 * trace
    vector = np.empty(size)
    for a in range(size):
        vector[a] = 1.0 + 0.1 * a
    if not cholesky(factored, size):
        direction[:] = 0.0
        return 0.0
    for _ in range(4):  # inverse iteration
        cholesky_solve(factored, size, vector)
        length = 0.0
        for a in range(size):
            length += vector[a] * vector[a]
        length = math.sqrt(length)
        for a in range(size):
            vector[a] /= length
    squared = 0.0
    for a in range(size):
        for b in range(size):
            squared += vector[a] * gram[a, b] * vector[b]
    length = 0.0
    for c in range(columns):
        if rows <= columns:
            direction[c] = 0.0
            for a in range(size):
                direction[c] += (lever if a > 2 else 1.0) * jacobian[a, c] * vector[a]
        else:
            direction[c] = vector[c]
        length += direction[c] * direction[c]
    length = math.sqrt(length)
    for c in range(columns):
        direction[c] /= length + 1e-300
    return math.sqrt(max(squared, 0.0))


@compiled
def merit(
    error: FloatArray,
    q: FloatArray,
    weights: FloatArray,
    posture: FloatArray,
    start: FloatArray,
    damped: FloatArray,
    damping: FloatArray,
) -> float:
    """Return what `pose_in_box` minimises."""
    value = 0.0
    for a in range(3):
        value += weights[0] * error[a] * error[a] + weights[1] * error[a + 3] * error[a + 3]
    for c in range(q.shape[0]):
        value += weights[2] * (q[c] - posture[c]) ** 2
    for k in range(damped.shape[0]):
        along = 0.0
        for c in range(q.shape[0]):
            along += damped[k, c] * (q[c] - start[c])
        value += damping[k] * along * along
    return value


@compiled
def pose_in_box(
    chain: Chain,
    q: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    tool: FloatArray,
    target_R: FloatArray,
    target_p: FloatArray,
    weights: FloatArray,
    posture: FloatArray,
    start: FloatArray,
    damped: FloatArray,
    damping: FloatArray,
    position_tolerance: float,
    rotation_tolerance: float,
    max_iterations: int,
    error: FloatArray,
) -> int:
    """Move q (C,) to the least squares of pose, posture and damped directions inside a box.

    Args:
        chain: The kinematics; its last point is the tool's frame.
        q: (C,) in: start; out: result.
        lower: (C,) bounds.
        upper: (C,) bounds.
        tool: (3,) the followed point in the tool's frame [m].
        target_R: (3, 3) wanted orientation.
        target_p: (3,) wanted place [m].
        weights: (3,) of position [1/m²], of orientation [1/rad²], of posture [1/rad²].
        posture: (C,) wanted where the pose leaves freedom.
        start: (C,) from where movement along the damped directions counts.
        damped: (D, C) unit directions.
        damping: (D,) their weights [1/rad²].
        position_tolerance: End when both errors are below, unless weights[2] > 0 [m].
        rotation_tolerance: The same [rad].
        max_iterations: Steps at most.
        error: (6,) out, what is missing at the result.

    Returns:
        Number of steps.
    """
    joints, columns = chain.parent.shape[0], q.shape[0]
    rotation = np.empty((joints, 3, 3))
    position = np.empty((joints, 3))
    axes = np.empty((joints, 3))
    tool_p = np.empty(3)
    jacobian = np.empty((6, columns))
    H = np.empty((columns, columns))
    g = np.empty(columns)
    low = np.empty(columns)
    high = np.empty(columns)
    step = np.empty(columns)
    trial = np.empty(columns)
    trial_error = np.empty(6)
    state = np.zeros(columns, dtype=np.int64)
    for c in range(columns):
        q[c] = min(max(q[c], lower[c]), upper[c])
    tool_error(chain, q, tool, target_R, target_p, rotation, position, tool_p, error)
    cost = merit(error, q, weights, posture, start, damped, damping)
    trust, slow = 1e-9, 0
    for iteration in range(max_iterations):
        if weights[2] == 0.0 and (
            error[0] ** 2 + error[1] ** 2 + error[2] ** 2 < position_tolerance**2
            and error[3] ** 2 + error[4] ** 2 + error[5] ** 2 < rotation_tolerance**2
        ):
            return iteration
        tool_jacobian(chain, rotation, position, tool_p, axes, jacobian)
        scale = 0.0
        for c in range(columns):
            g[c] = weights[2] * (q[c] - posture[c])
            for a in range(3):
                g[c] -= weights[0] * jacobian[a, c] * error[a]
                g[c] -= weights[1] * jacobian[a + 3, c] * error[a + 3]
            for d in range(c + 1):
                total = 0.0
                for a in range(3):
                    total += weights[0] * jacobian[a, c] * jacobian[a, d]
                    total += weights[1] * jacobian[a + 3, c] * jacobian[a + 3, d]
                H[c, d] = total
            H[c, c] += weights[2]
        for k in range(damped.shape[0]):
            along = 0.0
            for c in range(columns):
                along += damped[k, c] * (q[c] - start[c])
            for c in range(columns):
                g[c] += damping[k] * damped[k, c] * along
                for d in range(c + 1):
                    H[c, d] += damping[k] * damped[k, c] * damped[k, d]
        for c in range(columns):
            for d in range(c):
                H[d, c] = H[c, d]
            scale = max(scale, H[c, c])
            low[c], high[c] = lower[c] - q[c], upper[c] - q[c]
        accepted = False
        largest = 0.0
        old = cost
        for _ in range(10):
            for c in range(columns):
                H[c, c] += trust * scale
            solved = box_qp(H, g, low, high, step, state)
            for c in range(columns):
                H[c, c] -= trust * scale
            if not solved:
                trust = max(10.0 * trust, 1e-8)
                continue
            predicted = 0.0
            largest = 0.0
            for c in range(columns):
                total = g[c]
                for d in range(columns):
                    total += 0.5 * H[c, d] * step[d]
                predicted -= 2.0 * total * step[c]
                largest = max(largest, abs(step[c]))
                trial[c] = min(max(q[c] + step[c], lower[c]), upper[c])
            if largest < 1e-10:
                return iteration
            tool_error(
                chain, trial, tool, target_R, target_p, rotation, position, tool_p, trial_error
            )
            trial_cost = merit(trial_error, trial, weights, posture, start, damped, damping)
            if trial_cost < cost - 1e-3 * predicted:
                accepted = True
                if cost - trial_cost > 0.7 * predicted:
                    trust = max(0.1 * trust, 1e-9)
                elif cost - trial_cost < 0.25 * predicted:
                    trust *= 4.0
                break
            trust = max(8.0 * trust, 1e-6)
        if not accepted:
            return iteration
        for c in range(columns):
            q[c] = trial[c]
        for a in range(6):
            error[a] = trial_error[a]
        cost = trial_cost
        if weights[2] == 0.0:  # a search: give up a start that gets nowhere
            slow = slow + 1 if old - cost < 0.02 * cost else 0
            done = slow >= 4
        else:
            done = old - cost < 1e-10 * cost and largest < 1e-6
        if done:
            return iteration + 1
    return max_iterations


@compiled
def search(
    chain: Chain,
    starts: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    tool: FloatArray,
    target_R: FloatArray,
    target_p: FloatArray,
    weights: FloatArray,
    position_tolerance: float,
    rotation_tolerance: float,
    max_iterations: int,
    best: FloatArray,
    best_error: FloatArray,
) -> int:
    """Try starts (S, C) in order until one reaches the pose; keep the best.

    Args:
        chain: See `pose_in_box`, as the arguments up to max_iterations.
        starts: (S, C).
        lower: (C,).
        upper: (C,).
        tool: (3,).
        target_R: (3, 3).
        target_p: (3,).
        weights: (3,), the last must be 0.
        position_tolerance: [m].
        rotation_tolerance: [rad].
        max_iterations: For each start.
        best: (C,) out.
        best_error: (6,) out.

    Returns:
        Number of starts that were tried; S + 1 when none reached the pose.
    """
    columns = best.shape[0]
    q = np.empty(columns)
    error = np.empty(6)
    none = np.empty((0, columns))
    nothing = np.empty(0)
    lowest = np.inf
    for s in range(starts.shape[0]):
        for c in range(columns):
            q[c] = starts[s, c]
        pose_in_box(
            chain, q, lower, upper, tool, target_R, target_p, weights, q, q, none, nothing,
            0.2 * position_tolerance, 0.2 * rotation_tolerance, max_iterations, error,
        )  # fmt: skip
        offset = error[0] ** 2 + error[1] ** 2 + error[2] ** 2
        turn = error[3] ** 2 + error[4] ** 2 + error[5] ** 2
        cost = weights[0] * offset + weights[1] * turn
        if cost < lowest:
            lowest = cost
            for c in range(columns):
                best[c] = q[c]
            for a in range(6):
                best_error[a] = error[a]
        if offset < position_tolerance**2 and turn < rotation_tolerance**2:
            return s + 1
    return starts.shape[0] + 1
