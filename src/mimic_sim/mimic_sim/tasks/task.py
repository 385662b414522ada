"""What a task is: objects on a table, a random start, a test of success on the physical state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.frames import transform
from mimic_core.primitives import Form, Primitive
from mimic_sim.tasks.showing import Move

Colour = tuple[float, float, float, float]  # rgba [1]

# Soft colours that stay apart on a pale table.
RED: Final = (0.86, 0.33, 0.28, 1.0)
GREEN: Final = (0.36, 0.66, 0.46, 1.0)
BLUE: Final = (0.29, 0.50, 0.75, 1.0)
YELLOW: Final = (0.95, 0.76, 0.30, 1.0)
PURPLE: Final = (0.58, 0.46, 0.70, 1.0)
TARGET_GREEN: Final = (0.16, 0.54, 0.34, 1.0)  # of marks: to be found in small pictures
PALE_GREY: Final = (0.70, 0.72, 0.74, 1.0)

REST_SPEED: Final = 0.02  # [m/s], an object slower than this is at rest
HOLD_FORCE: Final = 0.05  # [N], a robot that touches with less has let go


@dataclass(frozen=True)
class Part:
    """A piece that is rigidly joined to an object."""

    form: Form
    size: tuple[float, ...]  # [m] as that of an object
    position: tuple[float, float, float]  # [m] of its centre in the object's frame
    mass: float  # [kg]; 0: only its colour counts, nothing collides with it
    colour: Colour
    friction: float | None = None  # [1]; None: that of the object
    quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)  # in the object's frame


@dataclass(frozen=True)
class Slide:
    """The way of an object that only goes up and down in another one, as a peg in its hole."""

    within: str  # the object that it is in
    at: tuple[float, float, float]  # [m] its centre in that object's frame, at the upper end
    travel: float  # [m] down from there
    friction: float  # [N] that it takes to move it


@dataclass(frozen=True)
class Hinge:
    """The way of an object that only turns about its own x axis on another one, as a lid does."""

    within: str  # the object that carries it
    at: tuple[float, float, float]  # [m] its centre in that object's frame, at angle 0
    pivot: tuple[float, float, float]  # [m] a point of the axis in its own frame
    low: float  # [rad] of the angle
    high: float  # [rad]
    friction: float  # [N m] that it takes to turn it


@dataclass(frozen=True)
class SceneObject:
    """A body that moves freely or on another one.

    Its frame is at the centre of its main piece and z is up at rest, where `position` and
    `quat_xyzw` do not say otherwise.
    """

    name: str
    form: Form
    size: tuple[float, ...]  # [m] box: edges; cylinder: radius, height; sphere: radius
    mass: float  # [kg]
    colour: Colour
    friction: float = 1.0  # [1], of rubber or sanded wood
    parts: tuple[Part, ...] = ()
    stand: float | None = None  # [m], height of the frame where it stands; None: half its own
    slide: Slide | None = None
    hinge: Hinge | None = None
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)  # [m] of the main piece in the frame
    quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    @property
    def within(self) -> str:
        """The object on which it slides or turns; empty: it is free."""
        way = self.slide or self.hinge
        return '' if way is None else way.within

    @property
    def height(self) -> float:
        """Height of the centre above the table where it stands [m]."""
        if self.stand is not None:
            return self.stand
        return {'box': 0.5 * self.size[-1], 'cylinder': 0.5 * self.size[-1]}.get(
            self.form, self.size[0]
        )

    @property
    def width(self) -> float:
        """Between the faces on which a hand takes it [m]."""
        return self.size[0] if self.form == 'box' else 2.0 * self.size[0]

    @property
    def radius(self) -> float:
        """Radius of its footprint [m]."""
        if self.form == 'box':
            return 0.5 * float(np.hypot(self.size[0], self.size[1]))
        return self.size[0]


@dataclass(frozen=True)
class Marker:
    """A flat mark on the table; nothing collides with it."""

    name: str
    form: Literal['box', 'cylinder']
    size: tuple[float, ...]  # [m] box: edges x, y; cylinder: radius
    colour: Colour
    position: tuple[float, float] = (0.0, 0.0)  # [m] in world; a start may move it
    height: float = 0.0  # [m], of the surface on which a thing at this mark stands


@dataclass(frozen=True)
class WorkArea:
    """The part of the table that the arm works on."""

    centre: tuple[float, float]  # [m] in world
    radius: float  # [m]

    def at(self, forward: float, left: float) -> tuple[float, float]:
        """Return the point (x, y) [m] in world of a point given in radii from the centre."""
        x, y = self.centre
        return x + forward * self.radius, y + left * self.radius


@dataclass(frozen=True)
class Start:
    """Where things are at the beginning of a trial."""

    objects: Mapping[str, FloatArray]  # name -> world_T_object (4, 4)
    markers: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # [m] in world


@dataclass(frozen=True)
class ObjectState:
    """Physical state of one object."""

    pose: FloatArray  # world_T_object (4, 4)
    velocity: FloatArray  # (3,) [m/s] of its centre, in world
    robot_force: float  # [N] sum of contact forces with the robot
    robot_impulse: float = 0.0  # [N s] of these forces since the start

    @property
    def at_rest(self) -> bool:
        """It does not move."""
        return bool(np.linalg.norm(self.velocity) < REST_SPEED)

    @property
    def released(self) -> bool:
        """The robot does not touch it."""
        return self.robot_force < HOLD_FORCE


@dataclass(frozen=True)
class TaskState:
    """What the test of success sees."""

    objects: Mapping[str, ObjectState]
    markers: Mapping[str, tuple[float, float]]  # [m] in world
    start: Start


class Task(ABC):
    """One task on the table in front of one arm.

    A task is a subclass in a file of its own, in this folder or in a folder that the environment
    variable MIMIC_TASK_PATH names; its `name` is how launch files and tools call it.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    time_limit: ClassVar[float] = 40.0  # [s] in which a policy must do it, and a person show it

    def __init__(self, area: WorkArea) -> None:
        """Args: area: where the arm of this twin works."""
        self.area: Final = area

    @property
    @abstractmethod
    def objects(self) -> tuple[SceneObject, ...]:
        """All objects; the first one is what the task is about."""

    @property
    @abstractmethod
    def markers(self) -> tuple[Marker, ...]:
        """All marks on the table; the one named 'target' is where the object goes."""

    @property
    def fixtures(self) -> tuple[Primitive, ...]:
        """What stands still, in world; it is part of the table."""
        return ()

    @abstractmethod
    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a random start.

        Args:
            rng: The only source of chance.
            trial: Number of the trial, for tasks that go through places in turn.
        """

    @abstractmethod
    def success(self, state: TaskState) -> bool:
        """Tell from the physical state whether the task is done."""

    def show(self, places: Mapping[str, FloatArray]) -> tuple[Move, ...]:
        """Return how a person does it; empty: the first object is carried to the target.

        Args:
            places: (3,) [m] in world of the centre of each object, and as 'target' of where that
                of the first one is to be.
        """
        del places  # for tasks that are done otherwise
        return ()


def pose_on_table(obj: SceneObject, xy: tuple[float, float], yaw: float) -> FloatArray:
    """Return world_T_object of an object on the table at (x, y) [m], turned by yaw [rad]."""
    return transform(
        Rotation.from_euler('z', yaw).as_matrix(), np.array([xy[0], xy[1], obj.height])
    )


def lies_within(
    state: ObjectState, obj: SceneObject, xy: tuple[float, float], radius: float
) -> bool:
    """Tell whether an object was put down within a circle on the table, free and at rest."""
    position = state.pose[:3, 3]
    on_table = position[2] < 1.5 * obj.radius + 0.01
    near = float(np.hypot(position[0] - xy[0], position[1] - xy[1])) <= radius
    return bool(on_table and near and state.released and state.at_rest)


def scattered(
    rng: np.random.Generator,
    area: WorkArea,
    count: int,
    distance: float,
    taken: tuple[tuple[float, float], ...] = (),
) -> tuple[tuple[float, float], ...]:
    """Return random points of the area that keep a distance [m] to each other and to those taken.

    Raises:
        ConfigError: The area is too small for so many points.
    """
    points: list[tuple[float, float]] = []
    for _ in range(1000):
        if len(points) == count:
            return tuple(points)
        angle, r = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform())
        x, y = area.at(float(r * np.cos(angle)), float(r * np.sin(angle)))
        if all(np.hypot(x - u, y - v) >= distance for u, v in (*taken, *points)):
            points.append((x, y))
    raise ConfigError(f'no room for {count} points {distance} m apart within {area.radius} m')


def checked_start(task: Task, start: Start) -> Start:
    """Return a start after a look at its names and numbers.

    Raises:
        UnknownNameError: It places something that the task does not have.
        ConfigError: It leaves out an object.
        NotFiniteError: A number is NaN.
    """
    names = {obj.name for obj in task.objects}
    for name, pose in start.objects.items():
        if name not in names:
            raise UnknownNameError(f'object of task {task.name}', name, names)
        checked(pose, (4, 4), f'start of {name}')
    if missing := names - set(start.objects):
        raise ConfigError(f'task {task.name}: the start leaves out {sorted(missing)}')
    marks = {mark.name for mark in task.markers}
    for name, xy in start.markers.items():
        if name not in marks:
            raise UnknownNameError(f'marker of task {task.name}', name, marks)
        checked(xy, (2,), f'start of {name}')
    return start
