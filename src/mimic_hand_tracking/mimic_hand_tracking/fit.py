"""The fit of 21 joints to pixels, depth samples and a hand of known bone lengths.

Minimises, over the positions x of the joints in the optical frame,

    pixels      |π(x_j) − m_j|² / σ_m²                    robust, π in normalised coordinates
  + surface     (z of site s − sample)² / σ_d²            robust: occluders, holes, flying pixels
  + lengths     (|x_b − x_a| − l_e)² / σ_l²               bones and palm
  + directions  |x_b − x_a − l_e R d_e|² / (σ_r l_e)²     the detector's shape d, turned by R
  + motion      |x_j − p_j|² / σ_p²                       weak and robust: where it was going

by Gauss-Newton on the 63 coordinates with reweighting; the surface's kernel narrows from wide to
narrow so that the start need not be good. R follows in closed form at each iteration, drawn to
the identity with a weight. Compiled: about 10⁵ multiplications an iteration.
"""

import math
from typing import Final

import numba
import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.keypoints import NUM_KEYPOINTS
from mimic_hand_tracking.hand_model import EDGES
from mimic_hand_tracking.surface import SITE_A, SITE_B, SITE_T

K = NUM_KEYPOINTS
ITERATIONS: Final = 8
WIDE, NARROW = 0.035, 0.012  # [m] scale of the surface's kernel, at the start and at the end
NARROWING = 0.75  # [1] an iteration
# [1] What is hidden is behind what hides it, but nobody sees through a hand: samples behind a
# joint are believed over a longer distance than samples in front of it.
BEHIND: Final = 3.0
SIGMA_DEPTH: Final = 0.004  # [m] sensor, skin and the inset together
SIGMA_DIRECTION: Final = 0.25  # [rad] of the detector's bones
ROTATION_PRIOR: Final = 0.15  # [1] pull of R to the identity, in units of the whole hand
PIXEL_KERNEL: Final = 3.0  # [1] in sigmas
MOTION_KERNEL: Final = 0.05  # [m] a joint farther from its prediction is not drawn to it
BEHIND_BY: Final = 0.4  # [1] of the two radii: fingers do not pass through each other
SELF_OCCLUSION_AT: Final = 3  # iteration from which fingers may hide each other


@numba.njit(cache=True, fastmath=False)
def _cholesky_solve(H: FloatArray, g: FloatArray) -> None:  # g becomes H⁻¹ g; uses H
    n = len(g)
    for j in range(n):
        s = H[j, j]
        for k in range(j):
            s -= H[j, k] * H[j, k]
        d = math.sqrt(max(s, 1e-9))
        H[j, j] = d
        for i in range(j + 1, n):
            s = H[i, j]
            for k in range(j):
                s -= H[i, k] * H[j, k]
            H[i, j] = s / d
    for i in range(n):
        s = g[i]
        for k in range(i):
            s -= H[i, k] * g[k]
        g[i] = s / H[i, i]
    for i in range(n - 1, -1, -1):
        s = g[i]
        for k in range(i + 1, n):
            s -= H[k, i] * g[k]
        g[i] = s / H[i, i]


@numba.njit(cache=True)
def _rotation(x: FloatArray, directions: FloatArray, lengths: FloatArray, edges: IntArray,
              prior: float) -> FloatArray:  # fmt: skip
    """Return the (3, 3) rotation that takes the detector's directions to the present bones."""
    M = np.zeros((3, 3))
    total = 0.0
    for e in range(len(edges)):
        a, b = edges[e, 0], edges[e, 1]
        w = lengths[e]
        total += w * lengths[e]
        for i in range(3):
            for j in range(3):
                M[i, j] += w * (x[b, i] - x[a, i]) * directions[e, j]
    for i in range(3):
        M[i, i] += prior * total
    U, _, Vt = np.linalg.svd(M)
    R = U @ Vt
    if np.linalg.det(R) < 0:
        U[:, 2] = -U[:, 2]
        R = U @ Vt
    return R


@numba.njit(cache=True)
def self_occluded(x: FloatArray, radii: FloatArray, edges: IntArray, num_bones: int) -> FloatArray:
    """Return (21,) 1 where another finger's bone passes in front of a joint, else 0.

    Args:
        x: (21, 3) [m] joints in the optical frame.
        radii: (21,) [m] of the fingers at the joints.
        edges: (E, 2) pairs of joints, the bones first.
        num_bones: How many of them are bones.
    """
    hidden = np.zeros(K)
    for j in range(K):
        for e in range(num_bones):
            a, b = edges[e, 0], edges[e, 1]
            if a == 0:
                if j < 3 or j % 4 == 1:  # the palm does not hide itself
                    continue
            elif j == 0 or ((j - 1) // 4 == (b - 1) // 4 and a - 1 <= j <= b + 1):
                continue  # nor a bone its neighbours
            if x[a, 2] < 0.05 or x[b, 2] < 0.05 or x[j, 2] < 0.05:
                continue
            au, av = x[a, 0] / x[a, 2], x[a, 1] / x[a, 2]
            bu, bv = x[b, 0] / x[b, 2] - au, x[b, 1] / x[b, 2] - av
            ju, jv = x[j, 0] / x[j, 2] - au, x[j, 1] / x[j, 2] - av
            t = (ju * bu + jv * bv) / max(bu * bu + bv * bv, 1e-12)
            t = min(max(t, 0.0), 1.0)
            r = (1.0 - t) * radii[a] + t * radii[b]
            z = (1.0 - t) * x[a, 2] + t * x[b, 2]
            gap = math.hypot(ju - t * bu, jv - t * bv) * z
            if gap < 0.8 * r and z < x[j, 2] - BEHIND_BY * (r + radii[j]):
                hidden[j] = 1.0
                break
    return hidden


@numba.njit(cache=True)
def _fit(
    x: FloatArray, rays: FloatArray, sigma_rays: FloatArray, samples: FloatArray,
    lengths: FloatArray, sigma_lengths: FloatArray, directions: FloatArray,
    predicted: FloatArray, sigma_predicted: float, radii: FloatArray,
    edges: IntArray, num_bones: int, site_a: IntArray, site_b: IntArray, site_t: FloatArray,
    sigma_depth: float, sigma_direction: float, rotation_prior: float,
    iterations: int, kernel: float, narrowing: float, narrow: float,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:  # fmt: skip
    x = x.copy()
    n = 3 * K
    num_sites, num_samples = samples.shape
    support = np.zeros(num_sites)
    hidden = np.zeros(K)
    inlier = np.ones(K)
    H = np.zeros((n, n))
    g = np.zeros(n)
    for iteration in range(iterations):
        H[:] = 0.0
        g[:] = 0.0
        # Pixels
        for j in range(K):
            z = max(x[j, 2], 0.05)
            u, v = x[j, 0] / z, x[j, 1] / z
            ru, rv = (u - rays[j, 0]) / sigma_rays[j], (v - rays[j, 1]) / sigma_rays[j]
            off = (ru * ru + rv * rv) / (PIXEL_KERNEL * PIXEL_KERNEL)
            inlier[j] = 1.0 / (1.0 + off)
            # Not redescending: a joint that lets go of its pixel has nothing else to hold it.
            w = 1.0 / (math.sqrt(1.0 + off) * (z * sigma_rays[j]) ** 2)
            i = 3 * j
            # d(u)/dx = (1, 0, -u) / z, d(v)/dx = (0, 1, -v) / z
            eu, ev = (u - rays[j, 0]) * z, (v - rays[j, 1]) * z
            H[i, i] += w
            H[i + 1, i + 1] += w
            H[i + 2, i] -= w * u
            H[i + 2, i + 1] -= w * v
            H[i + 2, i + 2] += w * (u * u + v * v)
            g[i] -= w * eu
            g[i + 1] -= w * ev
            g[i + 2] += w * (u * eu + v * ev)
        # Surface
        if iteration == SELF_OCCLUSION_AT or iteration == iterations - 1:
            hidden = self_occluded(x, radii, edges, num_bones)
        for s in range(num_sites):
            a, b, t = site_a[s], site_b[s], site_t[s]
            z = (1.0 - t) * x[a, 2] + t * x[b, 2]
            total, moment, q_sum = 0.0, 0.0, 0.0
            for k in range(num_samples):
                if math.isnan(samples[s, k]):
                    continue
                r = samples[s, k] - z
                scale = kernel * BEHIND if r > 0.0 else kernel
                q = 1.0 / (1.0 + (r / scale) ** 2)
                q_sum += q * q
                total += q * q
                moment += q * q * r
            support[s] = q_sum / num_samples
            if total <= 0.0 or hidden[a] + hidden[b] > 0.0:
                continue
            scale = 1.0 / (num_samples * sigma_depth * sigma_depth)
            total *= scale
            moment *= scale
            ia, ib = 3 * a + 2, 3 * b + 2
            if a == b:
                H[ia, ia] += total
                g[ia] += moment
            else:
                H[ia, ia] += total * (1.0 - t) * (1.0 - t)
                H[ib, ib] += total * t * t
                H[ib, ia] += total * t * (1.0 - t)  # a bone's child has the higher index
                g[ia] += moment * (1.0 - t)
                g[ib] += moment * t
        # Lengths and directions
        R = _rotation(x, directions, lengths, edges, rotation_prior)
        for e in range(len(edges)):
            a, b = edges[e, 0], edges[e, 1]
            ia, ib = 3 * a, 3 * b
            length = lengths[e]
            w_dir = 1.0 / (sigma_direction * length) ** 2
            d0, d1, d2 = x[b, 0] - x[a, 0], x[b, 1] - x[a, 1], x[b, 2] - x[a, 2]
            norm = max(math.sqrt(d0 * d0 + d1 * d1 + d2 * d2), 1e-6)
            w_len = 1.0 / sigma_lengths[e] ** 2
            unit = (d0 / norm, d1 / norm, d2 / norm)
            delta = (d0, d1, d2)
            for i in range(3):
                wanted = length * (
                    R[i, 0] * directions[e, 0]
                    + R[i, 1] * directions[e, 1]
                    + R[i, 2] * directions[e, 2]
                )
                force = w_dir * (delta[i] - wanted) + w_len * (norm - length) * unit[i]
                g[ib + i] -= force
                g[ia + i] += force
                for k in range(3):
                    h = w_len * unit[i] * unit[k]
                    if i == k:
                        h += w_dir
                    if k <= i:
                        H[ia + i, ia + k] += h
                        H[ib + i, ib + k] += h
                    H[ib + i, ia + k] -= h
        # Motion
        for j in range(K):
            off = 0.0
            for i in range(3):
                off += (predicted[j, i] - x[j, i]) ** 2
            q = 1.0 / (1.0 + off / (MOTION_KERNEL * MOTION_KERNEL))
            w = q * q / (sigma_predicted * sigma_predicted)
            for i in range(3):
                H[3 * j + i, 3 * j + i] += w + 1e-3
                g[3 * j + i] += w * (predicted[j, i] - x[j, i])
        _cholesky_solve(H, g)
        for j in range(K):
            for i in range(3):
                x[j, i] += g[3 * j + i]
        kernel = max(kernel * narrowing, narrow)
    return x, support, hidden, inlier


def fit_joints(
    start: FloatArray,
    rays: FloatArray,
    sigma_rays: FloatArray,
    samples: FloatArray,
    lengths: FloatArray,
    sigma_lengths: FloatArray,
    directions: FloatArray,
    predicted: FloatArray,
    sigma_predicted: float,
    radii: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the joints of a hand and what supports them.

    Args:
        start: (21, 3) [m] first guess in the optical frame.
        rays: (21, 2) [1] landmarks in normalised image coordinates, undistorted.
        sigma_rays: (21,) [1] their uncertainty.
        samples: (S, P) [m] depth of the sites by the depth image, NaN where unknown.
        lengths: (E,) [m] of the edges of the hand.
        sigma_lengths: (E,) [m] their uncertainty.
        directions: (E, 3) [1] unit vectors of the edges by the detector, optical axes.
        predicted: (21, 3) [m] where the joints were going.
        sigma_predicted: Uncertainty of that [m]; infinity for a new hand.
        radii: (21,) [m] of the hand at its joints.

    Returns:
        The joints (21, 3) [m]; the support (S,) [1] of each site by the depth image; 1 where a
        joint is hidden behind another finger (21,); the weight of each joint's pixel (21,) [1].
    """
    x, support, hidden, inlier = _fit(
        start, rays, sigma_rays, samples, lengths, sigma_lengths, directions,
        predicted, sigma_predicted, radii, EDGES, 20, SITE_A, SITE_B, SITE_T,
        SIGMA_DEPTH, SIGMA_DIRECTION, ROTATION_PRIOR,
        ITERATIONS, WIDE, NARROWING, NARROW,
    )  # fmt: skip
    return x, support, hidden, inlier
