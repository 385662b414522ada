"""Known objects: a mesh from a file, checked, with points on its surface."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import trimesh

from mimic_core.arrays import FloatArray, IntArray, checked
from mimic_core.errors import ConfigError
from mimic_object_tracking.nearest import NearestGrid
from mimic_object_tracking.symmetry import Symmetry, find_symmetry, symmetry_of

SAMPLES: Final = 2000  # points on the surface with which poses are compared
SMALLEST, LARGEST = 0.01, 1.5  # [m] diagonal of an object that a hand moves
_USUAL: Final = 0.2  # [m]
_FLAT: Final = 1e-4  # [m] thickness of what has none
_UNITS: Final = {
    'millimetres': 1e-3,
    'centimetres': 1e-2,
    'inches': 0.0254,
    'kilometres, or divided by 1000 once too often,': 1e3,
}


@dataclass(frozen=True)
class ObjectModel:
    """A rigid object of known shape. Its frame is that of its mesh."""

    name: str
    vertices: FloatArray  # (V, 3) [m]
    faces: IntArray  # (F, 3) counter-clockwise from outside
    normals: FloatArray  # (F, 3) unit, outwards
    points: FloatArray  # (N, 3) [m] evenly on the surface
    point_normals: FloatArray  # (N, 3) unit
    holes: int  # openings of the surface
    symmetry: Symmetry
    grid: NearestGrid = field(repr=False)

    @property
    def two_sided(self) -> bool:
        """The surface is open, so its inside may be seen too."""
        return self.holes > 0

    @property
    def centre(self) -> FloatArray:
        """Middle of the bounding box (3,) [m]."""
        middle: FloatArray = 0.5 * (self.vertices.min(axis=0) + self.vertices.max(axis=0))
        return middle

    @property
    def radius(self) -> float:
        """Distance of the farthest vertex from the centre [m]."""
        return float(np.linalg.norm(self.vertices - self.centre, axis=1).max())

    @property
    def diameter(self) -> float:
        """Twice the radius [m]."""
        return 2.0 * self.radius

    def trimesh(self) -> trimesh.Trimesh:
        """Return the mesh as trimesh has it."""
        return trimesh.Trimesh(self.vertices, self.faces, process=False)

    def describe(self) -> str:
        """Return one line for people."""
        size = ' x '.join(f'{1e3 * edge:.0f}' for edge in np.ptp(self.vertices, axis=0))
        shape = f'{self.holes} holes' if self.holes else 'closed'
        return f'{self.name}: {size} mm, {len(self.faces)} faces, {shape}, {self.symmetry.name}'


def load_object(path: Path, scale: float = 1.0, symmetry: str = 'auto') -> ObjectModel:
    """Return the object of a mesh file.

    Args:
        path: .obj, .stl, .ply, .off, .glb or what else trimesh reads.
        scale: Metres in one unit of the file [m].
        symmetry: 'auto', or see `symmetry_of`.

    Raises:
        ConfigError: No file, no mesh in it, a flat one, a scale that is not above 0, or of a size
            that no hand moves; then it names the unit in which the file probably is.
    """
    path = Path(path)
    if not 0.0 < scale < math.inf:  # one below 0 would turn it inside out, as in a mirror
        raise ConfigError(f'{path}: its scale is {scale:g}, not metres in one unit of it, above 0')
    if not path.is_file():
        raise ConfigError(f'there is no mesh {path}')
    try:
        mesh = trimesh.load_mesh(path)
    except (
        ValueError, TypeError, KeyError, IndexError, OSError, AttributeError, NotImplementedError,
    ) as error:  # fmt: skip
        raise ConfigError(f'{path} cannot be read as a mesh: {error}') from error
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise ConfigError(f'{path} holds no triangles: a mesh is needed, not a cloud of points')
    return make_object(
        path.stem, mesh.vertices * scale, mesh.faces, symmetry=symmetry, source=str(path)
    )


def make_object(
    name: str,
    vertices: FloatArray,
    faces: IntArray,
    *,
    symmetry: str = 'auto',
    source: str = '',
) -> ObjectModel:
    """Return the object of vertices (V, 3) [m] and triangles (F, 3).

    Raises:
        ConfigError: See `load_object`.
        NotFiniteError: A vertex is NaN.
    """
    source = source or name
    points = checked(vertices, (None, 3), f'vertices of {source}')
    mesh = trimesh.Trimesh(points, np.asarray(faces, np.int64), process=True)
    mesh.update_faces(mesh.nondegenerate_faces())
    if len(mesh.faces) == 0:
        raise ConfigError(f'{source} holds no triangles with an area')
    check_size(source, float(np.linalg.norm(np.ptp(mesh.vertices, axis=0))))
    if (thin := thickness(mesh.triangles.reshape(-1, 3))) < _FLAT:
        raise ConfigError(
            f'{source} is flat: it is {1e3 * thin:.2f} mm thick; give it its thickness, at least '
            f'{1e3 * _FLAT:g} mm'
        )
    holes = count_holes(mesh)
    mesh.fix_normals()  # outwards, also of several parts
    samples, index = trimesh.sample.sample_surface_even(mesh, SAMPLES, seed=0)
    corners = np.ascontiguousarray(mesh.vertices, np.float64)
    triangles = np.ascontiguousarray(mesh.faces, np.int64)
    normals = np.ascontiguousarray(mesh.face_normals, np.float64)
    surface = np.ascontiguousarray(samples, np.float64)
    middle = 0.5 * (mesh.bounds[0] + mesh.bounds[1])
    found = find_symmetry(mesh) if symmetry == 'auto' else symmetry_of(symmetry, middle)
    return ObjectModel(
        name=name,
        vertices=corners,
        faces=triangles,
        normals=normals,
        points=surface,
        point_normals=np.ascontiguousarray(normals[index]),
        holes=holes,
        symmetry=found,
        grid=NearestGrid.build(mesh),
    )


def check_size(source: str, diagonal: float) -> None:
    """Raise ConfigError for a mesh that is too large or too small; `diagonal` [m]."""
    if SMALLEST <= diagonal <= LARGEST:
        return
    fitting = {u: f for u, f in _UNITS.items() if SMALLEST <= diagonal * f <= LARGEST}
    size = f'{diagonal:.4g} m' if diagonal > 1.0 else f'{1e3 * diagonal:.4g} mm'
    text = f'{source} measures {size} from corner to corner, which no hand moves'
    if fitting:
        unit = min(fitting, key=lambda u: abs(np.log(diagonal * fitting[u] / _USUAL)))
        text += (
            f'; it is probably in {unit} which makes {1e3 * diagonal * fitting[unit]:.0f} mm: '
            f'then scale it by {fitting[unit]:g}'
        )
    raise ConfigError(text)


def thickness(points: FloatArray) -> float:
    """Return how far points (V, 3) [m] reach along the direction in which they vary least [m]."""
    around = points - points.mean(axis=0)
    return float(np.ptp(around @ np.linalg.eigh(around.T @ around)[1][:, 0]))


def count_holes(mesh: trimesh.Trimesh) -> int:
    """Return the number of openings: connected groups of edges that only one triangle has."""
    edges = mesh.edges_sorted
    groups = trimesh.grouping.group_rows(edges, require_count=1)
    if len(groups) == 0:
        return 0
    return len(trimesh.graph.connected_components(edges[groups], min_len=2))
