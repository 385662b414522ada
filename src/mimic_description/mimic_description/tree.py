"""A URDF as plain data: links, joints, shapes. Capsules are put together again."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.frames import from_xyz_rpy

ShapeKind = Literal['box', 'cylinder', 'sphere', 'capsule']


@dataclass(frozen=True)
class Shape:
    """A primitive of a link. The axis of a cylinder or capsule is its own z."""

    kind: ShapeKind
    size: tuple[float, ...]  # [m] box: edges; sphere: radius; cylinder, capsule: radius, length
    link_T_shape: FloatArray  # (4, 4)
    rgba: tuple[float, float, float, float]  # [1]


@dataclass(frozen=True)
class Inertial:
    """Mass and inertia of a link."""

    mass: float  # [kg]
    com: FloatArray  # (3,) [m], in the link
    inertia: FloatArray  # (3, 3) [kg m^2], about com, axes of the link


@dataclass(frozen=True)
class Link:
    """A body, or a bare frame where it has neither shape nor mass."""

    name: str
    inertial: Inertial | None
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Coupling:
    """Position of a joint = multiplier * position of another + offset."""

    joint: str
    multiplier: float
    offset: float


@dataclass(frozen=True)
class Joint:
    """A joint between two links."""

    name: str
    kind: Literal['revolute', 'prismatic', 'fixed']
    parent: str
    child: str
    parent_T_child: FloatArray  # (4, 4) at position 0
    axis: FloatArray  # (3,) unit, in the child
    lower: float  # [rad] or [m]
    upper: float
    max_effort: float  # [N m] or [N]
    max_speed: float  # [rad/s] or [m/s]
    coupling: Coupling | None


@dataclass(frozen=True)
class Tree:
    """All links and joints; a joint comes after the joint of its parent link."""

    root: str
    links: dict[str, Link]
    joints: tuple[Joint, ...]

    def joint(self, name: str) -> Joint:
        """Return a joint by name."""
        return next(j for j in self.joints if j.name == name)

    def groups(self) -> dict[str, str]:
        """Return for each link the name of the first link of the rigid body that it belongs to."""
        group = {self.root: self.root}
        for joint in self.joints:
            group[joint.child] = group[joint.parent] if joint.kind == 'fixed' else joint.child
        return group


def parse_urdf(text: str) -> Tree:
    """Return the tree of a URDF text.

    Raises:
        ConfigError: Not XML, a kind of joint or shape that mimic does not use, or not one tree.
    """
    try:
        robot = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ConfigError(f'URDF is not XML: {error}') from error
    colours = {
        str(m.get('name')): _numbers(m.find('color'), 'rgba', '0.7 0.7 0.7 1')
        for m in robot.findall('material')
        if m.find('color') is not None
    }
    links = {str(e.get('name')): _link(e, colours) for e in robot.findall('link')}
    joints = [_joint(e) for e in robot.findall('joint')]
    for joint in joints:
        for name in (joint.parent, joint.child):
            if name not in links:
                raise ConfigError(f"joint '{joint.name}' names the unknown link '{name}'")
    roots = set(links) - {j.child for j in joints}
    if len(roots) != 1:
        raise ConfigError(f'URDF must have one root link, not {sorted(roots)}')
    root = roots.pop()
    ordered: list[Joint] = []
    todo = [root]
    while todo:
        parent = todo.pop(0)
        for joint in joints:
            if joint.parent == parent:
                ordered.append(joint)
                todo.append(joint.child)
    return Tree(root, links, tuple(ordered))


def _numbers(element: ElementTree.Element | None, key: str, default: str) -> FloatArray:
    text = default if element is None else element.get(key, default)
    try:
        return np.array([float(v) for v in text.split()])
    except ValueError as error:
        raise ConfigError(f'URDF: {key}="{text}" is not a list of numbers') from error


def _number(element: ElementTree.Element | None, key: str, default: str) -> float:
    return float(_numbers(element, key, default)[0])


def _origin(element: ElementTree.Element) -> FloatArray:
    origin = element.find('origin')
    return from_xyz_rpy(_numbers(origin, 'xyz', '0 0 0'), _numbers(origin, 'rpy', '0 0 0'))


def _link(element: ElementTree.Element, colours: dict[str, FloatArray]) -> Link:
    name = str(element.get('name'))
    inertial = element.find('inertial')
    rgba = []
    for visual in element.findall('visual'):
        material = visual.find('material')
        colour = None if material is None else colours.get(str(material.get('name')))
        rgba.append(np.array([0.7, 0.7, 0.7, 1.0]) if colour is None else colour)
    collisions = element.findall('collision')
    if len(rgba) != len(collisions):
        rgba = [np.array([0.7, 0.7, 0.7, 1.0])] * len(collisions)
    shapes = [_shape(c, colour, name) for c, colour in zip(collisions, rgba, strict=True)]
    return Link(name, None if inertial is None else _inertial(inertial), _with_capsules(shapes))


def _inertial(element: ElementTree.Element) -> Inertial:
    pose = _origin(element)
    ixx, iyy, izz, ixy, ixz, iyz = (
        _number(element.find('inertia'), key, '0')
        for key in ('ixx', 'iyy', 'izz', 'ixy', 'ixz', 'iyz')
    )
    inertia = np.array([[ixx, ixy, ixz], [ixy, iyy, iyz], [ixz, iyz, izz]])
    rotation = pose[:3, :3]
    mass = _number(element.find('mass'), 'value', '0')
    return Inertial(mass, pose[:3, 3], rotation @ inertia @ rotation.T)


def _shape(element: ElementTree.Element, rgba: FloatArray, link: str) -> Shape:
    geometry = element.find('geometry')
    form = None if geometry is None or len(geometry) == 0 else geometry[0]
    red, green, blue, alpha = (float(v) for v in rgba)
    pose, colour = _origin(element), (red, green, blue, alpha)
    if form is not None and form.tag == 'box':
        return Shape('box', tuple(_numbers(form, 'size', '').tolist()), pose, colour)
    if form is not None and form.tag == 'sphere':
        return Shape('sphere', (_number(form, 'radius', '0'),), pose, colour)
    if form is not None and form.tag == 'cylinder':
        size = (_number(form, 'radius', '0'), _number(form, 'length', '0'))
        return Shape('cylinder', size, pose, colour)
    raise ConfigError(f"link '{link}': a shape must be a box, a cylinder or a sphere")


def _with_capsules(shapes: list[Shape]) -> tuple[Shape, ...]:
    """Replace each cylinder that is followed by its two end spheres with one capsule."""
    merged: list[Shape] = []
    i = 0
    while i < len(shapes):
        shape = shapes[i]
        if i + 2 < len(shapes) and _is_capsule(*shapes[i : i + 3]):
            shape = Shape('capsule', shape.size, shape.link_T_shape, shape.rgba)
            i += 2
        merged.append(shape)
        i += 1
    return tuple(merged)


def _is_capsule(cylinder: Shape, top: Shape, bottom: Shape) -> bool:
    if (cylinder.kind, top.kind, bottom.kind) != ('cylinder', 'sphere', 'sphere'):
        return False
    radius, length = cylinder.size
    half = cylinder.link_T_shape[:3, 2] * length / 2
    centre = cylinder.link_T_shape[:3, 3]
    return bool(
        np.allclose([top.size[0], bottom.size[0]], radius, atol=1e-6)
        and np.allclose(top.link_T_shape[:3, 3], centre + half, atol=1e-5)
        and np.allclose(bottom.link_T_shape[:3, 3], centre - half, atol=1e-5)
    )


def _joint(element: ElementTree.Element) -> Joint:
    name, kind = str(element.get('name')), str(element.get('type'))
    if kind not in ('revolute', 'prismatic', 'fixed'):
        raise ConfigError(f"joint '{name}': type '{kind}' is not revolute, prismatic or fixed")
    limit, mimic = element.find('limit'), element.find('mimic')
    if kind != 'fixed' and limit is None:
        raise ConfigError(f"joint '{name}' has no <limit>")
    parent, child = element.find('parent'), element.find('child')
    if parent is None or child is None:
        raise ConfigError(f"joint '{name}' needs a parent and a child")
    axis = _numbers(element.find('axis'), 'xyz', '1 0 0')
    coupling = None
    if mimic is not None:
        coupling = Coupling(
            str(mimic.get('joint')),
            _number(mimic, 'multiplier', '1'),
            _number(mimic, 'offset', '0'),
        )
    return Joint(
        name=name,
        kind='revolute' if kind == 'revolute' else 'prismatic' if kind == 'prismatic' else 'fixed',
        parent=str(parent.get('link')),
        child=str(child.get('link')),
        parent_T_child=_origin(element),
        axis=axis / np.linalg.norm(axis),
        lower=_number(limit, 'lower', '0'),
        upper=_number(limit, 'upper', '0'),
        max_effort=_number(limit, 'effort', '0'),
        max_speed=_number(limit, 'velocity', '0'),
        coupling=coupling,
    )
