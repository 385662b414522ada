"""Compiled loops of the tracker.

All in one file: numba's cache on disk notices changes of the file of a function, not of what it
calls in others.

A pose is held as R (3, 3) and m (3,) [m], the turn of the object and where its centre c is, both
in the optical frame: x = R (q - c) + m.
"""

import math
from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from mimic_core.arrays import DepthImage, FloatArray, IntArray

ByteImage = npt.NDArray[np.uint8]

# Kinds of pixels.
UNKNOWN: Final = 0  # no depth, or at an edge of it
HAND: Final = 1  # of a hand, or of another colour than the object
BACKGROUND: Final = 2  # the table, what is below it, or far away
OBJECT: Final = 3  # may be of an object

EDGE: Final = 0.012  # [m] between neighbours: an edge of depth at 0.5 m
EDGE_GROWTH: Final = 0.02  # [1] of the distance
SIGMA: Final = 0.002  # [m] of a depth camera's points at arm's length
NARROW: Final = 0.004  # [m] width of the kernel at the end
_NARROWING: Final = 0.65  # [1] an iteration
_CUT: Final = 3.0  # [1] times the kernel's width, beyond which a residual is not looked at
_WEIGHTS: Final = (200.0, 100.0, 60.0)  # points that each kind of residual counts for
_PRIOR: Final = (0.03, 0.15)  # [m], [rad] that a prediction is off by
_FACING: Final = 0.12  # [1] cosine between surface and line of sight
AGREES: Final = 0.006  # [m]
BEHIND: Final = 0.010  # [m] by which what is seen lies behind the mesh: it contradicts
_OUTLINE_SLACK: Final = 0.5  # [px] that edges of depth images are off by


@numba.njit(cache=True, nogil=True)
def face_at(x: float, y: float, z: float, origin: FloatArray, voxel: float, face: IntArray) -> int:
    """Return the triangle nearest to a point [m] in the object frame; -1 outside the grid."""
    i = math.floor((x - origin[0]) / voxel)
    j = math.floor((y - origin[1]) / voxel)
    k = math.floor((z - origin[2]) / voxel)
    if i < 0 or j < 0 or k < 0 or i >= face.shape[0] or j >= face.shape[1] or k >= face.shape[2]:
        return -1
    return int(face[i, j, k])


@numba.njit(cache=True, nogil=True)
def closest(corners: FloatArray, f: int, x: float, y: float, z: float, out: FloatArray) -> bool:
    """Write the point of triangle f closest to (x, y, z) [m]; return whether it is inside it.

    Source: Ericson 2005, Real-Time Collision Detection, 5.1.5.
    """
    ax, ay, az = corners[f, 0, 0], corners[f, 0, 1], corners[f, 0, 2]
    ux, uy, uz = corners[f, 1, 0] - ax, corners[f, 1, 1] - ay, corners[f, 1, 2] - az
    vx, vy, vz = corners[f, 2, 0] - ax, corners[f, 2, 1] - ay, corners[f, 2, 2] - az
    px, py, pz = x - ax, y - ay, z - az
    d1 = ux * px + uy * py + uz * pz
    d2 = vx * px + vy * py + vz * pz
    uu = ux * ux + uy * uy + uz * uz
    uv = ux * vx + uy * vy + uz * vz
    vv = vx * vx + vy * vy + vz * vz
    d3, d4 = d1 - uu, d2 - uv  # of the second corner
    d5, d6 = d1 - uv, d2 - vv  # of the third
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    inside = False
    if d1 <= 0.0 and d2 <= 0.0:
        s, t = 0.0, 0.0
    elif d3 >= 0.0 and d4 <= d3:
        s, t = 1.0, 0.0
    elif d6 >= 0.0 and d5 <= d6:
        s, t = 0.0, 1.0
    elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        s, t = d1 / (d1 - d3), 0.0
    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        s, t = 0.0, d2 / (d2 - d6)
    elif va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        t = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        s = 1.0 - t
    else:
        total = va + vb + vc
        s, t = vb / total, vc / total
        inside = True
    out[0] = ax + s * ux + t * vx
    out[1] = ay + s * uy + t * vy
    out[2] = az + s * uz + t * vz
    return inside


@numba.njit(cache=True, nogil=True)
def query(
    points: FloatArray,
    origin: FloatArray,
    voxel: float,
    face: IntArray,
    corners: FloatArray,
    nearest: FloatArray,
    faces: IntArray,
) -> None:
    """Write nearest points (N, 3) [m] and triangles (N,) of points (N, 3) [m]."""
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        f = face_at(x, y, z, origin, voxel, face)
        if f >= 0:
            faces[n] = f
            closest(corners, f, x, y, z, nearest[n])


@numba.njit(cache=True, nogil=True)
def classify(
    part: DepthImage, cover: ByteImage, corner: IntArray, optics: FloatArray, normal: FloatArray,
    offset: float, clearance: float, farthest: float, metres: FloatArray, kind: ByteImage,
) -> None:  # fmt: skip
    """Write depth [m] and kind of each pixel of a part (h, w) [mm] of a depth image."""
    rows, columns = part.shape
    for v in range(rows):
        for u in range(columns):
            z = part[v, u] * 1e-3
            metres[v, u] = z
            if cover[v, u]:
                kind[v, u] = HAND
                continue
            if z <= 0.0:
                kind[v, u] = UNKNOWN
                continue
            x = (u + corner[1] - optics[2]) / optics[0] * z
            y = (v + corner[0] - optics[3]) / optics[1] * z
            above = normal[0] * x + normal[1] * y + normal[2] * z + offset
            if above < clearance or z > farthest:
                kind[v, u] = BACKGROUND
                continue
            kind[v, u] = OBJECT
            limit = EDGE + EDGE_GROWTH * max(z - 0.5, 0.0)
            for dv in range(-1, 2):
                for du in range(-1, 2):
                    vv, uu = v + dv, u + du
                    if vv < 0 or uu < 0 or vv >= rows or uu >= columns:
                        continue
                    other = part[vv, uu] * 1e-3
                    if other > 0.0 and abs(other - z) > limit:
                        kind[v, u] = UNKNOWN


@numba.njit(cache=True, nogil=True)
def deproject_objects(
    depth: FloatArray, kind: ByteImage, corner: IntArray, optics: FloatArray, stride: int,
    out: FloatArray,
) -> int:  # fmt: skip
    """Write every stride-th pixel that may be of an object as a point [m]; return how many."""
    count = 0
    for v in range(0, depth.shape[0], stride):
        for u in range(0, depth.shape[1], stride):
            if kind[v, u] == OBJECT:
                z = depth[v, u]
                out[count, 0] = (u + corner[1] - optics[2]) / optics[0] * z
                out[count, 1] = (v + corner[0] - optics[3]) / optics[1] * z
                out[count, 2] = z
                count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _weight(r: float, width: float) -> float:
    """Return the weight of a residual [m], after Geman and McClure."""
    s = 1.0 + (r / width) ** 2
    return 1.0 / (s * s)


@numba.njit(cache=True, nogil=True)
def _add(H: FloatArray, g: FloatArray, a: FloatArray, n: FloatArray, r: float, w: float) -> None:
    j = np.empty(6)
    j[0] = a[1] * n[2] - a[2] * n[1]
    j[1] = a[2] * n[0] - a[0] * n[2]
    j[2] = a[0] * n[1] - a[1] * n[0]
    j[3], j[4], j[5] = n[0], n[1], n[2]
    for i in range(6):
        g[i] += w * j[i] * r
        for k in range(i + 1):
            H[i, k] += w * j[i] * j[k]


@numba.njit(cache=True, nogil=True)
def settle(
    R: FloatArray, m: FloatArray, R0: FloatArray, m0: FloatArray, centre: FloatArray,
    points: FloatArray, origin: FloatArray, voxel: float, face: IntArray, corners: FloatArray,
    normals: FloatArray, samples: FloatArray, sample_normals: FloatArray, both_ways: bool,
    two_sided: bool, depth: FloatArray, kind: ByteImage, corner: IntArray, optics: FloatArray,
    near_row: IntArray, near_column: IntArray, wide: float, iterations: int, frozen: FloatArray,
) -> None:  # fmt: skip
    """Move R and m to the best fit near the prediction R0 and m0; see align.align."""
    fx, fy, cx, cy = optics[0], optics[1], optics[2], optics[3]
    rows, columns = depth.shape
    width = wide
    q, p, n, a, x = np.empty(3), np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for _ in range(iterations):
        H, g = np.zeros((6, 6)), np.zeros(6)
        for part in range(3 if both_ways else 1):
            Hp, gp, total = np.zeros((6, 6)), np.zeros(6), 0.0
            if part == 0:
                for k in range(len(points)):
                    dx, dy, dz = points[k, 0] - m[0], points[k, 1] - m[1], points[k, 2] - m[2]
                    for i in range(3):
                        p[i] = R[0, i] * dx + R[1, i] * dy + R[2, i] * dz + centre[i]
                    f = face_at(p[0], p[1], p[2], origin, voxel, face)
                    if f < 0:
                        continue
                    inside = closest(corners, f, p[0], p[1], p[2], q)
                    ex, ey, ez = p[0] - q[0], p[1] - q[1], p[2] - q[2]
                    d = math.sqrt(ex * ex + ey * ey + ez * ez)
                    if d > _CUT * width:
                        continue
                    u0, u1, u2 = normals[f, 0], normals[f, 1], normals[f, 2]
                    if not two_sided:
                        s = 0.0
                        for i in range(3):
                            s += (R[i, 0] * u0 + R[i, 1] * u1 + R[i, 2] * u2) * points[k, i]
                        if s > 0.0:
                            continue
                    if not inside and d > 5e-4:  # at an edge the direction is that of the point
                        u0, u1, u2 = ex / d, ey / d, ez / d
                    r = u0 * ex + u1 * ey + u2 * ez
                    for i in range(3):
                        n[i] = R[i, 0] * u0 + R[i, 1] * u1 + R[i, 2] * u2
                        a[i] = (
                            R[i, 0] * (q[0] - centre[0])
                            + R[i, 1] * (q[1] - centre[1])
                            + R[i, 2] * (q[2] - centre[2])
                        )
                    w = _weight(r, width)
                    total += 1.0
                    _add(Hp, gp, a, n, r, w)
            else:
                for k in range(len(samples)):
                    for i in range(3):
                        a[i] = (
                            R[i, 0] * (samples[k, 0] - centre[0])
                            + R[i, 1] * (samples[k, 1] - centre[1])
                            + R[i, 2] * (samples[k, 2] - centre[2])
                        )
                        x[i] = a[i] + m[i]
                        n[i] = (
                            R[i, 0] * sample_normals[k, 0]
                            + R[i, 1] * sample_normals[k, 1]
                            + R[i, 2] * sample_normals[k, 2]
                        )
                    if x[2] < 0.05:
                        continue
                    facing = -(n[0] * x[0] + n[1] * x[1] + n[2] * x[2]) / math.sqrt(
                        x[0] * x[0] + x[1] * x[1] + x[2] * x[2]
                    )
                    if two_sided:
                        facing = abs(facing)
                    if facing < _FACING:
                        continue
                    total += 1.0
                    u = math.floor(fx * x[0] / x[2] + cx + 0.5) - corner[1]
                    v = math.floor(fy * x[1] / x[2] + cy + 0.5) - corner[0]
                    if u < 0 or v < 0 or u >= columns or v >= rows:
                        continue
                    z, what = depth[v, u], kind[v, u]
                    if part == 1:
                        if what != OBJECT or abs(z - x[2]) > _CUT * width / facing:
                            continue
                        rx = (u + corner[1] - cx) / fx * z - x[0]
                        ry = (v + corner[0] - cy) / fy * z - x[1]
                        r = n[0] * rx + n[1] * ry + n[2] * (z - x[2])
                        if abs(r) > _CUT * width:
                            continue
                        _add(Hp, gp, a, n, r, _weight(r, width))
                    else:
                        if what != BACKGROUND or z < x[2] + BEHIND:
                            continue
                        eu, ev = near_column[v, u] - u, near_row[v, u] - v
                        pixels = math.sqrt(float(eu * eu + ev * ev))
                        r = (pixels - _OUTLINE_SLACK) * x[2] / fx
                        if pixels <= _OUTLINE_SLACK or r > 4.0 * width:
                            continue
                        n[0], n[1] = eu / pixels, ev / pixels
                        n[2] = -(n[0] * x[0] + n[1] * x[1]) / x[2]
                        _add(Hp, gp, a, n, r, _weight(r, 2.0 * width))
            if total > 0.0:
                share = _WEIGHTS[part] / (max(total, 30.0) * SIGMA * SIGMA)
                for i in range(6):
                    g[i] += share * gp[i]
                    for k in range(i + 1):
                        H[i, k] += share * Hp[i, k]
        _prior(H, g, R, m, R0, m0)
        for i in range(6):
            for k in range(i):
                H[k, i] = H[i, k]
        if frozen[0] != 0.0 or frozen[1] != 0.0 or frozen[2] != 0.0:  # no turn about a round axis
            for i in range(3):
                n[i] = R[i, 0] * frozen[0] + R[i, 1] * frozen[1] + R[i, 2] * frozen[2]
            for i in range(3):
                for k in range(3):
                    H[i, k] += 1e9 * n[i] * n[k]
        step: FloatArray = np.linalg.solve(H, g).astype(np.float64)
        _turn(R, step[:3])
        for i in range(3):
            m[i] += step[3 + i]
        moved = math.sqrt(step[3] ** 2 + step[4] ** 2 + step[5] ** 2)
        turned = math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
        if width <= NARROW and moved < 1e-4 and turned < 1e-3:
            break
        width = max(width * _NARROWING, NARROW)


@numba.njit(cache=True, nogil=True)
def _prior(
    H: FloatArray, g: FloatArray, R: FloatArray, m: FloatArray, R0: FloatArray, m0: FloatArray
) -> None:
    """Pull to the prediction; small angles are enough for so weak a pull."""
    D = R0 @ R.T
    w = 1.0 / _PRIOR[1] ** 2
    turn = (0.5 * (D[2, 1] - D[1, 2]), 0.5 * (D[0, 2] - D[2, 0]), 0.5 * (D[1, 0] - D[0, 1]))
    for i in range(3):
        H[i, i] += w
        g[i] += w * turn[i]
        H[3 + i, 3 + i] += 1.0 / _PRIOR[0] ** 2
        g[3 + i] += (m0[i] - m[i]) / _PRIOR[0] ** 2


@numba.njit(cache=True, nogil=True)
def _turn(R: FloatArray, w: FloatArray) -> None:
    """Turn R by the rotation vector w [rad]; it stays orthonormal."""
    angle = math.sqrt(w[0] ** 2 + w[1] ** 2 + w[2] ** 2)
    if angle < 1e-12:
        return
    K = np.array(
        ((0.0, -w[2] / angle, w[1] / angle), (w[2] / angle, 0.0, -w[0] / angle),
         (-w[1] / angle, w[0] / angle, 0.0))
    )  # fmt: skip
    R[:] = (np.eye(3) + math.sin(angle) * K + (1.0 - math.cos(angle)) * (K @ K)) @ R
    U, _, V = np.linalg.svd(R)
    R[:] = U @ V


@numba.njit(cache=True, nogil=True)
def count_looks(
    R: FloatArray, m: FloatArray, centre: FloatArray, samples: FloatArray,
    sample_normals: FloatArray, two_sided: bool, depth: FloatArray, kind: ByteImage,
    corner: IntArray, optics: FloatArray, near_row: IntArray, near_column: IntArray,
    width: float, counts: FloatArray,
) -> None:  # fmt: skip
    """Count the samples (6,) that agree, contradict, are hidden, unknown, outside; closeness."""
    fx, fy, cx, cy = optics[0], optics[1], optics[2], optics[3]
    rows, columns = depth.shape
    x, n = np.empty(3), np.empty(3)
    for k in range(len(samples)):
        for i in range(3):
            x[i], n[i] = m[i], 0.0
            for j in range(3):
                x[i] += R[i, j] * (samples[k, j] - centre[j])
                n[i] += R[i, j] * sample_normals[k, j]
        if x[2] < 0.05:
            counts[4] += 1.0
            continue
        facing = -(n[0] * x[0] + n[1] * x[1] + n[2] * x[2]) / math.sqrt(
            x[0] * x[0] + x[1] * x[1] + x[2] * x[2]
        )
        if two_sided:
            facing = abs(facing)
        if facing < _FACING:
            continue
        u = math.floor(fx * x[0] / x[2] + cx + 0.5) - corner[1]
        v = math.floor(fy * x[1] / x[2] + cy + 0.5) - corner[0]
        if u < 0 or v < 0 or u >= columns or v >= rows:
            counts[4] += 1.0
            continue
        z, what = depth[v, u], kind[v, u]
        across = facing * (z - x[2])
        if what == HAND:
            counts[2] += 1.0
        elif what == OBJECT and abs(across) < AGREES:
            counts[0] += 1.0
            counts[5] += math.exp(-0.5 * (across / width) ** 2)
        elif z <= 0.0:
            counts[3] += 1.0
        elif z < x[2] - AGREES:
            counts[2] += 1.0
        elif z > x[2] + BEHIND:
            eu, ev = near_column[v, u] - u, near_row[v, u] - v
            if what == BACKGROUND and eu * eu + ev * ev < 6:  # an outline is no sharper
                counts[3] += 1.0
            else:
                counts[1] += 1.0
        else:
            counts[3] += 1.0


@numba.njit(cache=True, nogil=True)
def settle_all(
    rotations: FloatArray, centres: FloatArray, centre: FloatArray, points: FloatArray,
    origin: FloatArray, voxel: float, face: IntArray, corners: FloatArray, normals: FloatArray,
    none: FloatArray, two_sided: bool, depth: FloatArray, kind: ByteImage, corner: IntArray,
    optics: FloatArray, nowhere: IntArray, wide: float, iterations: int, frozen: FloatArray,
    tau: float, costs: FloatArray,
) -> None:  # fmt: skip
    """Move every pose to its best fit with the points alone, and write its cost."""
    p, q = np.empty(3), np.empty(3)
    for h in range(len(rotations)):
        R, m = rotations[h], centres[h]
        settle(R, m, R.copy(), m.copy(), centre, points, origin, voxel, face, corners, normals,
               none, none, False, two_sided, depth, kind, corner, optics, nowhere, nowhere,
               wide, iterations, frozen)  # fmt: skip
        total = 0.0
        for k in range(len(points)):
            dx, dy, dz = points[k, 0] - m[0], points[k, 1] - m[1], points[k, 2] - m[2]
            for i in range(3):
                p[i] = R[0, i] * dx + R[1, i] * dy + R[2, i] * dz + centre[i]
            f = face_at(p[0], p[1], p[2], origin, voxel, face)
            if f < 0:
                total += 1.0
                continue
            closest(corners, f, p[0], p[1], p[2], q)
            d2 = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2
            total += min(1.0, d2 / (tau * tau))
        costs[h] = total / max(len(points), 1)
