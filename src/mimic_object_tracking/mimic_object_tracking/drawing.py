"""Draws an object on a picture, for people."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_object_tracking.mesh import ObjectModel

_EDGE: Final = (255, 214, 0)
_AXES: Final = ((230, 60, 50), (60, 180, 75), (60, 110, 230))
_SHARP: Final = 0.35  # [rad] between faces: an edge that is drawn


def save_picture(path: Path, picture: Image) -> None:
    """Write a picture (H, W, 3) rgb.

    Raises:
        OSError: It cannot be written: no folder, no permission, a full disk.
    """
    data = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    path.write_bytes(data.tobytes())


def draw_object(
    image: Image, model: ObjectModel, camera_T_object: FloatArray, intrinsics: Intrinsics,
    label: str = '',
) -> Image:  # fmt: skip
    """Return a copy of a picture (H, W, 3) with outline, edges and axes of an object.

    Args:
        image: Undistorted.
        model: The object.
        camera_T_object: (4, 4) in the optical frame.
        intrinsics: Of the picture.
        label: Written beside it.
    """
    canvas = np.ascontiguousarray(image).copy()
    vertices = model.vertices @ camera_T_object[:3, :3].T + camera_T_object[:3, 3]
    if (vertices[:, 2] < 0.05).any():
        return canvas
    pixels = intrinsics.project(vertices)
    for a, b in _edges(model, vertices, camera_T_object):
        _line(canvas, pixels[a], pixels[b], _EDGE, 1)
    origin = camera_T_object[:3, 3]
    for axis, colour in enumerate(_AXES):
        tip = origin + 0.6 * model.radius * camera_T_object[:3, axis]
        if min(origin[2], tip[2]) > 0.05:
            ends = intrinsics.project(np.stack([origin, tip]))
            _line(canvas, ends[0], ends[1], colour, 2)
    if label:
        at = np.rint([pixels[:, 0].min(), pixels[:, 1].min() - 8]).astype(int)
        for paint, width in (((25, 25, 25), 3), ((255, 255, 255), 1)):
            cv2.putText(canvas, label, (max(2, int(at[0])), max(14, int(at[1]))),
                        cv2.FONT_HERSHEY_SIMPLEX, 0.45, paint, width, cv2.LINE_AA)  # fmt: skip
    return canvas


def _edges(
    model: ObjectModel, vertices: FloatArray, camera_T_object: FloatArray
) -> list[tuple[int, int]]:
    """Return pairs of vertices: sharp edges towards the camera, and the outline."""
    mesh = model.trimesh()
    pairs, angles = mesh.face_adjacency, mesh.face_adjacency_angles
    edges = mesh.face_adjacency_edges
    normals = model.normals @ camera_T_object[:3, :3].T
    corners = vertices[model.faces[:, 0]]
    facing = (normals * corners).sum(axis=1) < 0.0
    first, second = facing[pairs[:, 0]], facing[pairs[:, 1]]
    shown = (first & second & (angles > _SHARP)) | (first != second)
    return [(int(a), int(b)) for a, b in edges[shown]]


def _line(
    canvas: Image, a: FloatArray, b: FloatArray, colour: tuple[int, int, int], width: int
) -> None:
    if np.abs(np.stack([a, b])).max() < 1e4:
        (u0, v0), (u1, v1) = np.rint(np.stack([a, b])).astype(int).tolist()
        cv2.line(canvas, (u0, v0), (u1, v1), colour, width, cv2.LINE_AA)
