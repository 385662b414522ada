"""A triangle mesh of the zero level of a sampled field (naive surface nets).

One vertex for each grid cell that the surface crosses, at the mean of the crossings of its edges;
one quad, cut in two, for each grid edge that it crosses. Closed where the field is closed.
Source: S. F. Frisken Gibson, Constrained elastic surface nets, 1998.
"""

from itertools import combinations

import numpy as np

from mimic_core.arrays import FloatArray, IntArray


def surface_nets(
    field: FloatArray, x: FloatArray, y: FloatArray, z: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Return vertices (V, 3) and outward triangles (F, 3) of the surface where `field` is zero.

    Args:
        field: (X, Y, Z) samples, negative inside; positive on the border of the grid.
        x: (X,) growing coordinates of the samples [m].
        y: (Y,) the same.
        z: (Z,) the same.
    """
    inside = field < 0.0
    corners = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    nx, ny, nz = (n - 1 for n in field.shape)
    count = sum(inside[i : i + nx, j : j + ny, k : k + nz].astype(np.int8) for i, j, k in corners)
    cells = np.argwhere((count > 0) & (count < 8))  # (V, 3)
    number = np.full((nx, ny, nz), -1, dtype=np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))

    total, crossings = np.zeros((len(cells), 3)), np.zeros(len(cells))
    values = {c: field[tuple((cells + c).T)] for c in corners}
    axes = (x, y, z)
    points = {
        c: np.stack([axes[d][cells[:, d] + c[d]] for d in range(3)], axis=1) for c in corners
    }
    for a, b in combinations(corners, 2):
        if sum(p != q for p, q in zip(a, b, strict=True)) != 1:
            continue
        crossed = (values[a] < 0.0) != (values[b] < 0.0)
        span = np.where(crossed, values[a] - values[b], 1.0)
        share = (values[a] / span)[:, None]
        crossing = points[a] + share * (points[b] - points[a])
        total += np.where(crossed[:, None], crossing, 0.0)
        crossings += crossed
    vertices = total / crossings[:, None]

    faces = []
    for axis in range(3):
        step = np.zeros(3, dtype=np.int64)
        step[axis] = 1
        u, v = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
        u[(axis + 1) % 3], v[(axis + 2) % 3] = 1, 1
        low = tuple(slice(0, -1) if d == axis else slice(None) for d in range(3))
        high = tuple(slice(1, None) if d == axis else slice(None) for d in range(3))
        crossed_edges = np.argwhere(inside[low] != inside[high])
        quad = [number[tuple((crossed_edges - o).T)] for o in (u + v, v, 0 * u, u)]
        quads = np.stack(quad, axis=1)
        leaves = inside[tuple(crossed_edges.T)]  # the surface faces along +axis
        quads = np.where(leaves[:, None], quads, quads[:, ::-1])
        faces += [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]
    return vertices, np.concatenate(faces)
