"""Compiled loops of the hand solver: objective, exact derivatives, bounded Newton steps."""

import math

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_retargeting.compiled import compiled
from mimic_retargeting.kernels import attach, box_qp, forward, world_axes
from mimic_retargeting.tables import Chain

SQUARED, HUBER, HUBER_COMPONENTS = 0, 1, 2


@compiled
def loss(
    kind: int, delta: float, r: FloatArray, slope: FloatArray, curvature: FloatArray
) -> float:
    """Return ρ(r) of one residual and write its derivatives.

    SQUARED: |r|². HUBER: smooth L1 of |r|. HUBER_COMPONENTS: sum of smooth L1 of x, y, z. Smooth
    L1 is s²/2δ below δ and s − δ/2 above.

    Args:
        kind: One of the three.
        delta: δ [m].
        r: (3,) [m].
        slope: (3,) out, ∂ρ/∂r.
        curvature: (3, 3) out, ∂²ρ/∂r².
    """
    curvature[:, :] = 0.0
    value = 0.0
    if kind == SQUARED:
        for a in range(3):
            value += r[a] * r[a]
            slope[a] = 2.0 * r[a]
            curvature[a, a] = 2.0
    elif kind == HUBER:
        length = math.sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2])
        if length < delta:
            value = 0.5 * length * length / delta
            for a in range(3):
                slope[a] = r[a] / delta
                curvature[a, a] = 1.0 / delta
        else:
            value = length - 0.5 * delta
            for a in range(3):
                slope[a] = r[a] / length
            for a in range(3):
                for b in range(3):
                    unit = 1.0 if a == b else 0.0
                    curvature[a, b] = (unit - slope[a] * slope[b]) / length
    else:
        for a in range(3):
            size = abs(r[a])
            if size < delta:
                value += 0.5 * size * size / delta
                slope[a] = r[a] / delta
                curvature[a, a] = 1.0 / delta
            else:
                value += size - 0.5 * delta
                slope[a] = 1.0 if r[a] > 0.0 else -1.0
    return value


@compiled
def evaluate(
    chain: Chain,
    q: FloatArray,
    first: IntArray,
    second: IntArray,
    target: FloatArray,
    weight: FloatArray,
    kind: int,
    delta: float,
    beta: float,
    q_last: FloatArray,
    derivatives: bool,
    g: FloatArray,
    H: FloatArray,
    H_gauss: FloatArray,
) -> float:
    """Return Σ w ρ(p_second − p_first − target) + β|q − q_last|² and write its derivatives.

    Args:
        chain: The hand, M points.
        q: (C,) joint positions.
        first: (T,) index of the point that a vector starts at, -1: the reference frame's origin.
        second: (T,) index of the point that it ends at.
        target: (T, 3) wanted vector [m].
        weight: (T,) >= 0; terms of weight 0 are left out.
        kind: Loss.
        delta: Of the loss [m].
        beta: Weight of the change of the joints.
        q_last: (C,) where the change counts from.
        derivatives: Write the next three.
        g: (C,) out, gradient.
        H: (C, C) out, exact Hessian.
        H_gauss: (C, C) out, the same without second derivatives of the kinematics.
    """
    joints, columns = chain.parent.shape[0], q.shape[0]
    rotation = np.empty((joints, 3, 3))
    position = np.empty((joints, 3))
    axes = np.empty((joints, 3))
    forward(chain, q, rotation, position)
    value = 0.0
    for c in range(columns):
        change = q[c] - q_last[c]
        value += beta * change * change
    if derivatives:
        world_axes(chain, rotation, axes)
        for c in range(columns):
            g[c] = 2.0 * beta * (q[c] - q_last[c])
            for d in range(columns):
                H[c, d] = 0.0
                H_gauss[c, d] = 0.0
            H_gauss[c, c] = 2.0 * beta
    r = np.empty(3)
    slope = np.empty(3)
    curvature = np.empty((3, 3))
    start = np.empty(3)
    end = np.empty(3)
    place = np.empty(3)
    jacobian = np.empty((3, columns))
    column_of = np.empty((joints, 3))
    touched = np.empty(columns, dtype=np.int64)
    marked = np.zeros(columns, dtype=np.int64)
    for t in range(first.shape[0]):
        if not weight[t] > 0.0:
            continue
        attach(rotation, position, chain.point_joint[second[t]], chain.point_xyz[second[t]], end)
        if first[t] < 0:
            start[:] = 0.0
        else:
            attach(
                rotation, position, chain.point_joint[first[t]], chain.point_xyz[first[t]], start
            )
        for a in range(3):
            r[a] = end[a] - start[a] - target[t, a]
        value += weight[t] * loss(kind, delta, r, slope, curvature)
        if not derivatives:
            continue
        count = 0
        for side in range(2):
            point = second[t] if side == 0 else first[t]
            if point < 0:
                continue
            sign = 1.0 if side == 0 else -1.0
            for a in range(3):
                place[a] = end[a] if side == 0 else start[a]
            j = chain.point_joint[point]
            while j >= 0:
                c = chain.column[j]
                if marked[c] == 0:
                    marked[c] = 1
                    touched[count] = c
                    count += 1
                    for a in range(3):
                        jacobian[a, c] = 0.0
                x, y, z = axes[j, 0], axes[j, 1], axes[j, 2]
                if chain.prismatic[j] == 1:
                    column_of[j, 0], column_of[j, 1], column_of[j, 2] = x, y, z
                else:
                    u = place[0] - position[j, 0]
                    v = place[1] - position[j, 1]
                    w = place[2] - position[j, 2]
                    column_of[j, 0] = y * w - z * v
                    column_of[j, 1] = z * u - x * w
                    column_of[j, 2] = x * v - y * u
                factor = sign * chain.multiplier[j]
                for a in range(3):
                    jacobian[a, c] += factor * column_of[j, a]
                j = chain.parent[j]
            # ∂²p/∂q_i∂q_j = a_i × ∂p/∂q_j for a joint i that carries joint j.
            j = chain.point_joint[point]
            while j >= 0:
                i = j
                cx, cy, cz = column_of[j, 0], column_of[j, 1], column_of[j, 2]
                while i >= 0:
                    if chain.prismatic[i] == 0:
                        x, y, z = axes[i, 0], axes[i, 1], axes[i, 2]
                        bend = (
                            slope[0] * (y * cz - z * cy)
                            + slope[1] * (z * cx - x * cz)
                            + slope[2] * (x * cy - y * cx)
                        )
                        bend *= sign * weight[t] * chain.multiplier[i] * chain.multiplier[j]
                        ci, cj = chain.column[i], chain.column[j]
                        H[ci, cj] += bend
                        if i != j:
                            H[cj, ci] += bend
                    i = chain.parent[i]
                j = chain.parent[j]
        for m in range(count):
            c = touched[m]
            marked[c] = 0
            s0 = weight[t] * (
                curvature[0, 0] * jacobian[0, c]
                + curvature[0, 1] * jacobian[1, c]
                + curvature[0, 2] * jacobian[2, c]
            )
            s1 = weight[t] * (
                curvature[1, 0] * jacobian[0, c]
                + curvature[1, 1] * jacobian[1, c]
                + curvature[1, 2] * jacobian[2, c]
            )
            s2 = weight[t] * (
                curvature[2, 0] * jacobian[0, c]
                + curvature[2, 1] * jacobian[1, c]
                + curvature[2, 2] * jacobian[2, c]
            )
            g[c] += weight[t] * (
                slope[0] * jacobian[0, c] + slope[1] * jacobian[1, c] + slope[2] * jacobian[2, c]
            )
            for k in range(count):
                d = touched[k]
                H_gauss[c, d] += s0 * jacobian[0, d] + s1 * jacobian[1, d] + s2 * jacobian[2, d]
    if derivatives:
        for c in range(columns):
            for d in range(columns):
                H[c, d] += H_gauss[c, d]
    return value


@compiled
def minimise(
    chain: Chain,
    q: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    first: IntArray,
    second: IntArray,
    target: FloatArray,
    weight: FloatArray,
    kind: int,
    delta: float,
    beta: float,
    q_last: FloatArray,
    max_iterations: int,
    tolerance: float,
) -> tuple[float, int]:
    """Move q (C,) to a minimum of `evaluate` within bounds; return the objective and iterations.

    Each step minimises a quadratic model inside the box exactly: the Newton model where it is
    convex, else the Gauss-Newton one, plus a damping that grows until the objective falls.
    """
    columns = q.shape[0]
    g = np.empty(columns)
    H = np.empty((columns, columns))
    H_gauss = np.empty((columns, columns))
    model = np.empty((columns, columns))
    low = np.empty(columns)
    high = np.empty(columns)
    step = np.empty(columns)
    trial = np.empty(columns)
    state = np.zeros(columns, dtype=np.int64)
    for c in range(columns):
        q[c] = min(max(q[c], lower[c]), upper[c])
    cost = evaluate(
        chain, q, first, second, target, weight, kind, delta, beta, q_last, True, g, H, H_gauss
    )
    damping = 0.0
    for iteration in range(max_iterations):
        scale = 1e-12
        for c in range(columns):
            scale = max(scale, H_gauss[c, c])
            low[c], high[c] = lower[c] - q[c], upper[c] - q[c]
        improved = False
        for _ in range(12):
            solved = False
            for convex in range(2):
                for c in range(columns):
                    for d in range(columns):
                        model[c, d] = H[c, d] if convex == 0 else H_gauss[c, d]
                    model[c, c] += damping * scale + 1e-9 * scale
                solved = box_qp(model, g, low, high, step, state)
                if solved:
                    break
            if not solved:
                damping = max(4.0 * damping, 1e-4)
                continue
            largest, predicted = 0.0, 0.0
            for c in range(columns):
                largest = max(largest, abs(step[c]))
                total = g[c]
                for d in range(columns):
                    total += 0.5 * model[c, d] * step[d]
                predicted -= total * step[c]
                trial[c] = min(max(q[c] + step[c], lower[c]), upper[c])
            if largest < tolerance:
                return cost, iteration
            trial_cost = evaluate(
                chain, trial, first, second, target, weight, kind, delta, beta, q_last, False,
                g, H, H_gauss,
            )  # fmt: skip
            if trial_cost <= cost - 0.01 * predicted:
                improved = True
                # The model was good: trust it more.
                damping = 0.0 if cost - trial_cost > 0.5 * predicted else damping
                break
            damping = max(4.0 * damping, 1e-3)
        if not improved:
            return cost, iteration
        for c in range(columns):
            q[c] = trial[c]
        cost = evaluate(
            chain, q, first, second, target, weight, kind, delta, beta, q_last, True, g, H, H_gauss
        )
    return cost, max_iterations
