"""The flesh of a hand: a smooth union of round cones, meshed once and bound to the bones.

The mesh is that of a right hand at rest, in its palm frame. Each vertex has weights on the bones
of `HandModel.bones`, on their half-turned twins (which keep joints from collapsing when they bend)
and on the forearm; and two numbers that pick its colour from a palette.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.keypoints import CHAINS, INDEX
from mimic_sim.hand_model import NUM_BONES, HandModel, HandShape
from mimic_sim.surface_nets import surface_nets

FOREARM_BONE: Final = 2 * NUM_BONES  # after the bones and their half-turned twins
NUM_SKIN_BONES: Final = 2 * NUM_BONES + 1
FOREARM_LENGTH: Final = 0.27  # [m] wrist to elbow, hand of 190 mm
_CELL: Final = 0.0026  # [m] grid of the hand, hand of 190 mm
_FOREARM_CELL: Final = 0.012  # [m] along the forearm


@dataclass(frozen=True)
class HandMesh:
    """A skinned mesh."""

    vertices: FloatArray  # (V, 3) [m] palm frame of a right hand at rest
    faces: IntArray  # (F, 3) counter-clockwise seen from outside
    weights: FloatArray  # (V, 33) [1], rows sum to 1
    tone: FloatArray  # (V, 2) [1] 0..1: dorsal … palmar … nail; dark … light


@dataclass(frozen=True)
class _Cone:
    a: FloatArray  # (3,) [m]
    b: FloatArray  # (3,) [m]
    ra: float  # [m]
    rb: float  # [m]
    blend: float  # [m] smoothing length towards what is there already
    chain: int  # 0 thumb … 4 little, 5 palm, 6 forearm


@lru_cache(maxsize=8)
def hand_mesh(shape: HandShape) -> HandMesh:
    """Return the mesh of a hand of this shape; takes about a second, then it is remembered."""
    model = HandModel(shape)
    cones = _cones(model)
    scale = shape.scale
    x, y, z = _grid(cones, scale)
    vertices, faces = surface_nets(_field(cones, x, y, z), x, y, z)
    smooth = _averaging(faces, len(vertices))
    for _ in range(2):  # Taubin: smooths without shrinking
        vertices = vertices + 0.50 * (smooth @ vertices - vertices)
        vertices = vertices - 0.52 * (smooth @ vertices - vertices)
    distances = _chain_distances(cones, vertices)
    weights = _weights(model, vertices, distances, smooth)
    tone = _tone(model, cones, vertices, faces, smooth)
    return HandMesh(vertices, faces, weights, tone)


def skinned(mesh: HandMesh, palm_T_skin: FloatArray, rest: FloatArray) -> FloatArray:
    """Return the bent mesh (V, 3) [m] in the palm frame, by linear blending.

    The renderer does the same on its own; this is for tests and measurements.

    Args:
        mesh: Of `hand_mesh`.
        palm_T_skin: (33, 4, 4) of `skin_bones`, bent.
        rest: (33, 4, 4) of `skin_bones`, at rest.
    """
    move = palm_T_skin @ np.linalg.inv(rest)
    blended = np.einsum('vb,bij->vij', mesh.weights, move)
    moved: FloatArray = np.einsum('vij,vj->vi', blended[:, :3, :3], mesh.vertices)
    return moved + blended[:, :3, 3]


def skin_bones(model: HandModel, joints: FloatArray, palm_T_forearm: FloatArray) -> FloatArray:
    """Return `palm_T_bone` of all that the skin hangs on, (33, 4, 4), right hand.

    Args:
        model: The hand.
        joints: (20,) [rad].
        palm_T_forearm: (4, 4); identity when the forearm goes straight back from the hand.
    """
    full, half = model.bones(joints), model.bones(joints, fraction=0.5)
    return np.concatenate([full, half, palm_T_forearm[None]])


# Shape ---------------------------------------------------------------------------------------


def _cones(model: HandModel) -> list[_Cone]:
    """Return the parts in the order in which they are joined."""
    p, r, s = model.rest, model.radii, model.shape.scale
    thick = model.shape.thickness

    def at(*xyz: float) -> FloatArray:
        return np.array(xyz) * s

    parts = [
        _Cone(at(0.0, 0.0, -0.26), at(0.0, 0.0, -0.09), 0.037 * s, 0.030 * s, 0.0, 6),
        _Cone(at(0.0, 0.008, -0.1), at(-0.001, 0.009, -0.012), 0.024 * s, 0.0185 * s, 0.02 * s, 6),
        _Cone(at(0.0, -0.01, -0.1), at(-0.001, -0.01, -0.012), 0.023 * s, 0.0180 * s, 0.02 * s, 6),
    ]  # fmt: skip
    for k, finger in enumerate(('index', 'middle', 'ring', 'little')):
        knuckle = p[INDEX[f'{finger}_mcp']]
        base = np.array([0.0, 0.50 * knuckle[1], 0.004 * s])
        end = knuckle + at(0.001, 0.0, -0.003)
        rb = (0.0130, 0.0130, 0.0125, 0.0115)[k] * s * thick
        parts.append(_Cone(base, end, 0.0150 * s * thick, rb, 0.020 * s, 5))
    thumb = p[list(CHAINS[0])]
    parts += [
        # thenar and hypothenar eminences
        _Cone(at(0.008, 0.012, 0.016), thumb[1] + at(0.0, -0.004, -0.006), 0.0155 * s, 0.0150 * s,
              0.018 * s, 0),
        _Cone(at(0.006, -0.022, 0.016), at(0.006, -0.028, 0.055), 0.0130 * s, 0.0105 * s,
              0.018 * s, 5),
        _Cone(p[0] + at(0.002, 0.010, 0.0), thumb[0], 0.0160 * s, r[1], 0.018 * s, 0),
        _Cone(thumb[0], thumb[1], r[1], r[2], 0.015 * s, 0),
        _Cone(p[INDEX['index_mcp']] - at(-0.001, 0.002, 0.008), thumb[1], 0.0075 * s, 0.0080 * s,
              0.014 * s, 0),
        _Cone(thumb[1], thumb[2], r[2], r[3], 0.007 * s, 0),
        _Cone(thumb[2], thumb[3], r[3], r[4], 0.005 * s, 0),
    ]  # fmt: skip
    for f in range(1, 5):
        c = CHAINS[f]
        mid = 0.5 * (p[c[0]] + p[c[1]])
        mid_radius = 0.97 * 0.5 * (r[c[0]] + r[c[1]])
        parts.append(_Cone(p[c[0]], mid, r[c[0]], mid_radius, 0.006 * s, f))
        parts.append(_Cone(mid, p[c[1]], mid_radius, r[c[1]], 0.003 * s, f))
        for k in (1, 2):
            parts.append(_Cone(p[c[k]], p[c[k + 1]], r[c[k]], r[c[k + 1]], 0.004 * s, f))
    return parts


def _distance(cone: _Cone, points: FloatArray) -> FloatArray:
    """Return the distance (...) [m] of points (..., 3) to a cone with round ends."""
    along = cone.b - cone.a
    t = np.clip((points - cone.a) @ along / (along @ along), 0.0, 1.0)
    offset = points - cone.a - t[..., None] * along
    radius = cone.ra + t * (cone.rb - cone.ra)
    result: FloatArray = np.sqrt(np.einsum('...i,...i->...', offset, offset)) - radius
    return result


def _smooth_min(a: FloatArray, b: FloatArray, k: float) -> FloatArray:
    h = np.maximum(k - np.abs(a - b), 0.0) / k
    return np.minimum(a, b) - h * h * k * 0.25


def _grid(cones: list[_Cone], scale: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    low = np.min([np.minimum(c.a - c.ra, c.b - c.rb) for c in cones], axis=0) - 0.008 * scale
    high = np.max([np.maximum(c.a + c.ra, c.b + c.rb) for c in cones], axis=0) + 0.008 * scale
    cell, wrist = _CELL * scale, -0.035 * scale
    x, y = (np.arange(low[d], high[d] + cell, cell) for d in (0, 1))
    forearm = np.arange(wrist, low[2] - _FOREARM_CELL * scale, -_FOREARM_CELL * scale)[:0:-1]
    z = np.concatenate([forearm, np.arange(wrist, high[2] + cell, cell)])
    return x, y, z


def _field(cones: list[_Cone], x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Return the field (X, Y, Z) [m]; exact near its zero level, coarse elsewhere.

    Each part is evaluated in its own box only: farther away it cannot change the surface.
    """
    field = np.full((len(x), len(y), len(z)), 0.05)
    for cone in cones:
        margin = cone.blend + 0.006
        box = []
        for d, axis in enumerate((x, y, z)):
            low = min(cone.a[d] - cone.ra, cone.b[d] - cone.rb) - margin
            high = max(cone.a[d] + cone.ra, cone.b[d] + cone.rb) + margin
            box.append(slice(*np.searchsorted(axis, (low, high))))
        part = tuple(box)
        points = np.stack(np.meshgrid(x[box[0]], y[box[1]], z[box[2]], indexing='ij'), axis=-1)
        distance = _distance(cone, points)
        if cone.blend > 0.0:
            field[part] = _smooth_min(field[part], distance, cone.blend)
        else:
            field[part] = np.minimum(field[part], distance)
    return field


# Binding -------------------------------------------------------------------------------------


def _averaging(faces: IntArray, count: int) -> csr_matrix:
    """Return the (V, V) matrix that replaces each vertex by the mean of its neighbours."""
    i = faces[:, [0, 1, 2]].ravel()
    j = faces[:, [1, 2, 0]].ravel()
    ones = np.ones(2 * len(i))
    pairs = coo_matrix(
        (ones, (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(count, count)
    )
    links = (pairs.tocsr() > 0).astype(np.float64)
    degree = np.asarray(links.sum(axis=1)).ravel()
    return csr_matrix(diags(1.0 / np.maximum(degree, 1.0)) @ links)


def _chain_distances(cones: list[_Cone], vertices: FloatArray) -> FloatArray:
    """Return how far each vertex is from each chain's own flesh, (V, 7) [m]."""
    distances = np.full((len(vertices), 7), 0.1)
    for cone in cones:
        column = distances[:, cone.chain]
        np.minimum(column, _distance(cone, vertices), out=column)
    return distances


def _weights(
    model: HandModel, vertices: FloatArray, distances: FloatArray, smooth: csr_matrix
) -> FloatArray:
    """Return weights (V, 33) on the skin bones."""
    s = model.shape.scale
    membership = np.exp(-np.maximum(distances, 0.0) / (0.0018 * s))
    membership /= membership.sum(axis=1, keepdims=True)
    weights = np.zeros((len(vertices), NUM_SKIN_BONES))
    weights[:, 0] += membership[:, 5]
    weights[:, FOREARM_BONE] += membership[:, 6]
    for f, chain in enumerate(CHAINS):
        p, r = model.rest[list(chain)], model.radii[list(chain)]
        remaining = membership[:, f].copy()  # what is beyond the joint looked at
        for k in (2, 1, 0):
            into = _unit(p[k + 1] - p[k])
            back = into if k == 0 and f > 0 else _unit(p[k] - (p[k - 1] if k else model.rest[0]))
            width = (1.1 if k else (2.0 if f == 0 else 1.0)) * r[k]
            t = np.clip(0.5 + 0.5 * ((vertices - p[k]) @ _unit(into + back)) / width, 0.0, 1.0)
            t = t * t * (3.0 - 2.0 * t)
            bone = 1 + 3 * f + k
            weights[:, bone] += remaining * np.clip(2.0 * t - 1.0, 0.0, 1.0)
            weights[:, NUM_BONES + bone] += remaining * (1.0 - np.abs(2.0 * t - 1.0))
            remaining = remaining * np.clip(1.0 - 2.0 * t, 0.0, 1.0)
        weights[:, 0] += remaining
    # The wrist: from the forearm over to the palm within 50 mm.
    hand = np.clip(0.5 + (vertices[:, 2] + 0.006 * s) / (0.050 * s), 0.0, 1.0)
    hand = (hand * hand * (3.0 - 2.0 * hand))[:, None]
    carpal = weights.copy()
    carpal[:, 0] += carpal[:, FOREARM_BONE]
    carpal[:, FOREARM_BONE] = 0.0
    only_forearm = np.zeros_like(weights)
    only_forearm[:, FOREARM_BONE] = 1.0
    weights = hand * carpal + (1.0 - hand) * only_forearm
    for _ in range(6):
        weights = 0.5 * weights + 0.5 * (smooth @ weights)
    weights[weights < 0.01] = 0.0
    return weights / weights.sum(axis=1, keepdims=True)


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)


# Colour --------------------------------------------------------------------------------------


def vertex_normals(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """Return outward unit normals (V, 3), weighted by the area of the faces."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], area)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.maximum(length, 1e-12)


def _tone(
    model: HandModel,
    cones: list[_Cone],
    vertices: FloatArray,
    faces: IntArray,
    smooth: csr_matrix,
) -> FloatArray:
    """Return (V, 2): hue from dorsal (0.2) over palmar and tips (0.7) to nails (1); lightness."""
    s = model.shape.scale
    normals = vertex_normals(vertices, faces)
    hue = 0.42 + 0.16 * normals[:, 0]  # the palm is redder than the back
    light = np.full(len(vertices), 0.75)
    nails = np.zeros(len(vertices), dtype=np.bool_)
    rest_pads = model.pad_directions(np.zeros(20))
    for f, chain in enumerate(CHAINS):
        p, r = model.rest[list(chain)], model.radii[list(chain)]
        tip = np.linalg.norm(vertices - p[3], axis=1)
        hue += 0.20 * np.exp(-((tip / (1.3 * r[3])) ** 2))
        along = _unit(p[3] - p[2])
        back = -rest_pads[f]
        for k in (0, 1, 2):  # creases and a redder skin over the joints
            near = np.linalg.norm(vertices - p[k], axis=1) / r[k]
            axial = (vertices - p[k]) @ _unit(p[k + 1] - p[k])
            if k:
                crease = np.exp(-((axial / (0.16 * r[k])) ** 2)) * np.exp(-((near / 1.6) ** 4))
                light -= 0.20 * crease
            hue += 0.10 * np.exp(-((near / 1.2) ** 2)) * np.clip(normals @ back, 0.0, 1.0)
        centre = p[3] + back * 0.9 * r[3] - along * 0.30 * r[3]
        side = np.cross(along, back)
        d = vertices - centre
        oval = ((d @ along) / (0.80 * r[3])) ** 2 + ((d @ side) / (0.62 * r[3])) ** 2
        nails |= (oval < 1.0) & (normals @ back > 0.25)
    hue = np.where(nails, 1.0, np.minimum(hue, 0.80))
    light = np.where(nails, 0.85, light)
    light += 3.0 * np.minimum(_openness(cones, vertices, normals, 0.008 * s), 0.0) / (0.03 * s)
    tone = np.clip(np.stack([hue, light], axis=1), 0.0, 1.0)
    blurred = 0.5 * tone + 0.5 * (smooth @ tone)
    return np.where(tone[:, :1] == 1.0, tone, blurred)


def _openness(
    cones: list[_Cone], vertices: FloatArray, normals: FloatArray, reach: float
) -> FloatArray:
    """Return (V,) [m] <= 0: how much flesh there is around the air above each vertex."""
    above = vertices + reach * normals
    distance = np.full(len(vertices), 1.0)
    for cone in cones:
        np.minimum(distance, _distance(cone, above), out=distance)
    return np.minimum(distance - 0.8 * reach, 0.0)
