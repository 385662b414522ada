"""Compiled loops that both solvers share: forward kinematics and the box-constrained QP.

Everything here works on the arrays of a `tables.Chain`. Nothing allocates in an inner loop,
nothing is random, and no fast-math is used, so equal inputs give equal outputs on one machine.
"""

import math

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_retargeting.compiled import compiled
from mimic_retargeting.tables import Chain


@compiled
def forward(chain: Chain, q: FloatArray, rotation: FloatArray, position: FloatArray) -> None:
    """Write reference_T_joint of every joint.

    Args:
        chain: The kinematics, N joints.
        q: (C,) actuated joint positions [rad] or [m].
        rotation: (N, 3, 3) out.
        position: (N, 3) out [m].
    """
    placed = np.empty((3, 3))
    for j in range(chain.parent.shape[0]):
        parent = chain.parent[j]
        t = chain.translation[j]
        if parent < 0:
            for a in range(3):
                position[j, a] = t[a]
                for b in range(3):
                    placed[a, b] = chain.rotation[j, a, b]
        else:
            for a in range(3):
                r0, r1, r2 = (
                    rotation[parent, a, 0],
                    rotation[parent, a, 1],
                    rotation[parent, a, 2],
                )
                position[j, a] = position[parent, a] + r0 * t[0] + r1 * t[1] + r2 * t[2]
                for b in range(3):
                    placed[a, b] = (
                        r0 * chain.rotation[j, 0, b]
                        + r1 * chain.rotation[j, 1, b]
                        + r2 * chain.rotation[j, 2, b]
                    )
        value = chain.multiplier[j] * q[chain.column[j]] + chain.offset[j]
        x, y, z = chain.axis[j, 0], chain.axis[j, 1], chain.axis[j, 2]
        if chain.prismatic[j] == 1:
            for a in range(3):
                position[j, a] += value * (placed[a, 0] * x + placed[a, 1] * y + placed[a, 2] * z)
                for b in range(3):
                    rotation[j, a, b] = placed[a, b]
        else:
            c, s = math.cos(value), math.sin(value)
            v = 1.0 - c
            m00, m01, m02 = c + v * x * x, v * x * y - s * z, v * x * z + s * y
            m10, m11, m12 = v * x * y + s * z, c + v * y * y, v * y * z - s * x
            m20, m21, m22 = v * x * z - s * y, v * y * z + s * x, c + v * z * z
            for a in range(3):
                p0, p1, p2 = placed[a, 0], placed[a, 1], placed[a, 2]
                rotation[j, a, 0] = p0 * m00 + p1 * m10 + p2 * m20
                rotation[j, a, 1] = p0 * m01 + p1 * m11 + p2 * m21
                rotation[j, a, 2] = p0 * m02 + p1 * m12 + p2 * m22


@compiled
def attach(
    rotation: FloatArray, position: FloatArray, joint: int, xyz: FloatArray, out: FloatArray
) -> None:
    """Write to `out` (3,) the place [m] of a point `xyz` (3,) fixed to a joint (-1: reference)."""
    for a in range(3):
        if joint < 0:
            out[a] = xyz[a]
        else:
            out[a] = (
                position[joint, a]
                + rotation[joint, a, 0] * xyz[0]
                + rotation[joint, a, 1] * xyz[1]
                + rotation[joint, a, 2] * xyz[2]
            )


@compiled
def world_axes(chain: Chain, rotation: FloatArray, axes: FloatArray) -> None:
    """Write to `axes` (N, 3) the axis of every joint in the reference frame."""
    for j in range(chain.parent.shape[0]):
        for a in range(3):
            axes[j, a] = (
                rotation[j, a, 0] * chain.axis[j, 0]
                + rotation[j, a, 1] * chain.axis[j, 1]
                + rotation[j, a, 2] * chain.axis[j, 2]
            )


@compiled
def cholesky(matrix: FloatArray, size: int) -> bool:
    """Factor the leading block of a symmetric matrix in place (lower); False if not definite."""
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not total > 1e-14 * abs(matrix[i, i]) + 1e-300:
                    return False
                matrix[i, i] = math.sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    return True


@compiled
def cholesky_solve(factor: FloatArray, size: int, x: FloatArray) -> None:
    """Solve in place with the factor of `cholesky`."""
    for i in range(size):
        total = x[i]
        for k in range(i):
            total -= factor[i, k] * x[k]
        x[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * x[k]
        x[i] = total / factor[i, i]


@compiled
def box_qp(
    H: FloatArray,
    g: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    x: FloatArray,
    state: IntArray,
) -> bool:
    """Minimise ½ xᵀHx + gᵀx with lower <= x <= upper, exactly, by block principal pivoting.

    Source: Portugal, Judice, Vicente 1994 (blocks), Murty 1974 (single exchanges, which end).

    Args:
        H: (n, n) symmetric positive definite.
        g: (n,) gradient at zero.
        lower: (n,) bounds.
        upper: (n,) bounds, >= lower.
        x: (n,) out.
        state: (n,) in: guess of -1 (at lower), 0 (free), 1 (at upper); out: the same of x.

    Returns:
        False if H is not positive definite on the free variables; x is then not written.
    """
    n = g.shape[0]
    factor = np.empty((n, n))
    rhs = np.empty(n)
    value = np.empty(n)
    free = np.empty(n, dtype=np.int64)
    wrong = np.empty(n, dtype=np.int64)
    fewest, patience = n + 1, 3
    scale = 0.0
    for i in range(n):
        scale = max(scale, abs(g[i]))
    for _ in range(20 + 8 * n):
        count = 0
        for i in range(n):
            if state[i] == 0 and upper[i] <= lower[i]:
                state[i] = -1
            if state[i] == 0:
                free[count] = i
                count += 1
            else:
                value[i] = lower[i] if state[i] < 0 else upper[i]
        for a in range(count):
            i = free[a]
            total = -g[i]
            for k in range(n):
                if state[k] != 0:
                    total -= H[i, k] * value[k]
            rhs[a] = total
            for b in range(a + 1):
                factor[a, b] = H[i, free[b]]
        if not cholesky(factor, count):
            return False
        cholesky_solve(factor, count, rhs)
        for a in range(count):
            value[free[a]] = rhs[a]
        # What violates a bound or a sign of a multiplier changes sides.
        violated, last = 0, -1
        for i in range(n):
            wrong[i] = 0
            if state[i] == 0:
                slack = 1e-12 * (1.0 + upper[i] - lower[i])
                if value[i] < lower[i] - slack:
                    wrong[i] = -1
                elif value[i] > upper[i] + slack:
                    wrong[i] = 1
                if wrong[i] != 0:
                    violated += 1
                    last = i
            elif upper[i] > lower[i]:
                gradient = g[i]
                for k in range(n):
                    gradient += H[i, k] * value[k]
                if gradient * state[i] > 1e-12 * (1e-12 + scale):
                    wrong[i] = 2
                    violated += 1
                    last = i
        if violated == 0:
            break
        single = False
        if violated < fewest:
            fewest, patience = violated, 3
        elif patience > 0:
            patience -= 1
        else:
            single = True
        for i in range(n):
            if wrong[i] != 0 and (not single or i == last):
                state[i] = 0 if wrong[i] == 2 else wrong[i]
    for i in range(n):
        x[i] = min(max(value[i], lower[i]), upper[i])
    return True


@compiled
def place_points(
    chain: Chain, q: FloatArray, rotation: FloatArray, position: FloatArray, points: FloatArray
) -> None:
    """Write reference_T_joint (see `forward`) and the places of the points (M, 3) [m]."""
    forward(chain, q, rotation, position)
    for k in range(chain.point_joint.shape[0]):
        attach(rotation, position, chain.point_joint[k], chain.point_xyz[k], points[k])
