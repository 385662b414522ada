"""Parameters of the object tracker."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class SightParams:
    """How objects are found in a picture, live or recorded."""

    markers: str = param(
        'File that says which ArUco or AprilTag markers are on the objects; empty: none.', ''
    )
    estimator: str = param("'shape' (built in), 'foundation_pose' or 'module:Class'.", 'shape')
    segmenter: str = param("'depth' (built in), 'sam2' or 'module:Class'.", 'depth')
    clearance: float = param(
        'Height above the table up to which a pixel is of the table [m].', 0.006,
        low=0.001, high=0.05,
    )  # fmt: skip
    farthest: float = param('Objects are nearer than this [m].', 1.6, low=0.2, high=6.0)


@dataclass(frozen=True, kw_only=True)
class ObjectTrackingParams(SightParams):
    """Checked once, when the node starts."""

    objects: tuple[str, ...] = param(
        'Mesh files of the objects, in metres; an object is named as the stem of its file.'
    )
    mesh_scale: float = param('Metres in one unit of the mesh files [m].', 1.0, low=1e-6, high=1e4)
    symmetry: str = param(
        "Turns that look the same: 'auto', 'none', a round axis ('z'), or axes with counts "
        "('x2,z4').",
        'auto',
    )
    hide_hands: bool = param('Leave out the pixels of tracked hands.', True)
    depth_wait: float = param(
        'Longest wait for the depth of a colour image [s].', 0.030, low=0.0, high=0.2
    )
    start_confidence: float = param('To start with a pose [1].', 0.55, low=0.05, high=0.99)
    least_confidence: float = param('To go on with a pose [1].', 0.30, low=0.02, high=0.95)
    max_gap: float = param(
        'An object keeps its place this long unseen, then all is searched [s].', 1.0,
        low=0.0, high=10.0,
    )  # fmt: skip
    search_period: float = param(
        'From the end of one search of the whole image to the next [s].', 0.3, low=0.0, high=10.0
    )
