"""Where the object is, as a tracker tells it: late, at its own rate, now and then not at all."""

from pathlib import Path
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import StaleInputError
from mimic_core.frames import from_xyz_quat, rotation_angle, to_quat_xyzw
from mimic_object_tracking.mesh import load_object, make_object
from mimic_object_tracking.symmetry import Symmetry
from mimic_rl.rewards import anchor_distance, place_anchors, rotation_matrices
from mimic_rl.run_folder import PracticeRun
from mimic_rl.shapes import object_mesh, round_about_body

# Between two poses a thing may seem to move and turn so far by errors of the tracker, and so fast
# in truth; what is beyond is a jump. Boxes that policies tip against a wall do 42 mm and 0.45 rad
# at most from picture to picture (7,043 at 30 Hz), errors of 5 mm and 3 degrees among it.
SHAKE, FASTEST = 0.04, 0.7  # [m], [m/s]
SHAKE_ANGLE, FASTEST_TURN = 0.35, 12.0  # [rad], [rad/s]
SETTLED: Final = 0.3  # [s] of steady sight, after which a jump counts as where the thing is
BACK: Final = 1.0  # [s] by which stamps go back when a clock was set, not when poses overtake


def names_of(run: PracticeRun) -> frozenset[str]:
    """Return how trackers may call the object: as the run does, or as its mesh file."""
    return frozenset({run.object.name, Path(run.object.mesh).stem} - {''})


def symmetry_of_run(run: PracticeRun, folder: Path) -> Symmetry:
    """Return which turns of the object look the same: as its run says, else by its shape.

    Raises:
        ConfigError: The mesh cannot be read.
    """
    thing = run.object
    if thing.mesh:
        model = load_object(folder / thing.mesh, symmetry=thing.symmetry)
    else:
        mesh = object_mesh(thing)
        vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64)
        model = make_object(thing.name, vertices, faces, symmetry=thing.symmetry)
    return round_about_body(model.symmetry, thing.parts)


class Sightings:
    """The last pose of the object, and since when it has been seen without a gap or a jump."""

    def __init__(self, symmetry: Symmetry, anchors: FloatArray, max_gap: float) -> None:
        """Args: symmetry: of the object; anchors: (A, 3) [m]; max_gap: between two poses [s]."""
        self._symmetry, self._anchors, self._max_gap = symmetry, anchors, max_gap
        self.pose: FloatArray | None = None  # (7,) xyz [m], quaternion xyzw, in base_link
        self.stamp = -np.inf  # [s] of it
        # (7,) the last pose before a jump and its stamp [s], until it is back there or believed
        self.before: tuple[FloatArray, float] | None = None
        self._since = -np.inf  # [s]
        self._named: FloatArray | None = None  # (7,) last pose that was no jump

    def add(self, base_T_object: FloatArray, stamp: float, reference: FloatArray | None) -> None:
        """Take a pose.

        Args:
            base_T_object: (4, 4) in base_link.
            stamp: Of the picture [s].
            reference: (7,) of all poses that look the same, the nearest to this one is meant;
                None: to those before, so that what turns far keeps the name of its turn.

        Raises:
            ShapeError: Not (4, 4).
            NotFiniteError: NaN or infinity.
            StaleInputError: The stamp is not after that of the last pose.
        """
        seen = checked(base_T_object, (4, 4), 'pose of the object')
        back = self.stamp - stamp
        if 0.0 <= back < BACK:
            raise StaleInputError(f'pose of the object: its stamp goes back by {back:.3f} s')
        like = self._named if reference is None else reference
        near = seen
        if like is not None:
            near = self._symmetry.nearest(seen, from_xyz_quat(like[:3], like[3:]))
        pose = np.concatenate([near[:3, 3], to_quat_xyzw(near)])
        gap = stamp - self.stamp
        if self.pose is None or not 0.0 < gap <= self._max_gap:
            self._since = stamp
        elif _jumps(self.pose, pose, gap):
            self._since, self.before = stamp, self.before or (self.pose, self.stamp)
        if self.before is not None and not _jumps(self.before[0], pose, 0.0):
            self.before = None
        self.pose, self.stamp = pose, stamp
        if reference is not None or like is None or self.steady >= SETTLED:
            self._named = pose  # a pose or two that are wrong name nothing

    def distance(self, pose: FloatArray, other: FloatArray) -> float:
        """Return the mean distance of the anchors at two poses (7,) [m]: turns count too."""
        first, second = (place_anchors(p, self._anchors) for p in (pose, other))
        return float(anchor_distance(first, second))

    @property
    def steady(self) -> float:
        """How long it has been seen without a gap or a jump [s]."""
        return self.stamp - self._since if self.pose is not None else 0.0

    def believe(self) -> None:
        """Take the last pose for where it is, whatever it jumped from."""
        self.before = None

    def clear(self) -> None:
        """Forget what was seen."""
        self.pose, self.before, self._named = None, None, None
        self.stamp = self._since = -np.inf


def _jumps(pose: FloatArray, other: FloatArray, gap: float) -> bool:
    """Return whether no thing gets from a pose (7,) to another in so long [s]."""
    moved = float(np.linalg.norm(other[:3] - pose[:3]))
    turned = rotation_angle(rotation_matrices(pose[3:]), rotation_matrices(other[3:]))
    return moved > SHAKE + FASTEST * gap or turned > SHAKE_ANGLE + FASTEST_TURN * gap
