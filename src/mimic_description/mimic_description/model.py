"""The kinematic model of a robot: joints, limits, postures, coupled joints, frames, collisions."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

import coal
import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.frames import PALM, WORLD
from mimic_core.limits import JointLimits
from mimic_description.registry import NONE, Device, load_device
from mimic_description.tree import Shape, Tree, parse_urdf
from mimic_description.urdf import Control, Vector, render_urdf

_ZERO: Final = (0.0, 0.0, 0.0)
_MEETS: Final = 0.03  # [m] from the thumb's tip, of a tip that meets it in a pinch


class UnknownFrameError(UnknownNameError):
    """The robot has no frame of this name; the message lists those that it has."""


@dataclass(frozen=True, eq=False)
class RobotModel:
    """Facts about one robot. Arrays are read only; `pin_model` is shared: do not change it.

    J actuated joints, arm first, then hand, each in the order of its registry entry; N joints of
    the pinocchio model, which also holds the coupled ones.
    """

    arm: Device | None
    hand: Device | None
    prefix: str
    urdf: str
    tree: Tree
    pin_model: pin.Model
    arm_joints: tuple[str, ...]
    hand_joints: tuple[str, ...]
    limits: JointLimits  # J
    max_effort: FloatArray  # (J,) [N m] or [N]
    coupling: FloatArray  # (N, J)
    coupling_offset: FloatArray  # (N,) [rad] or [m]
    q_index: tuple[int, ...]  # (J,) where each actuated joint stands in the N

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Actuated joints, with prefix."""
        return self.arm_joints + self.hand_joints

    @functools.cached_property
    def home(self) -> FloatArray:
        """(J,) the home posture."""
        return _frozen(np.array([*_posture(self.arm, 'home'), *_posture(self.hand, 'home')]))

    @property
    def hand_open(self) -> FloatArray:
        """(J of the hand,) the open posture."""
        return self.hand_posture('open')

    @property
    def hand_closed(self) -> FloatArray:
        """(J of the hand,) the closed posture."""
        return self.hand_posture('closed')

    @property
    def pinch_way(self) -> tuple[FloatArray, FloatArray]:
        """Two (J of the hand,) postures between which fingers and thumb close on a thing."""
        assert self.hand is not None  # asked for hands only
        named = self.hand.postures
        begin = self.hand_posture('wide' if 'wide' in named else 'open')
        return begin, self.hand_posture('pinch' if 'pinch' in named else 'closed')

    @functools.cached_property
    def digest(self) -> str:
        """Of what motions depend on: the description, postures, workspace and retargeting."""
        entries = [
            (d.postures, d.tip_frames, d.retargeting, d.grasp, d.workspace)
            for d in (self.arm, self.hand)
            if d is not None
        ]
        description = ElementTree.canonicalize(self.urdf)  # comments hold the path of the file
        return hashlib.sha256(repr((description, entries)).encode()).hexdigest()

    @functools.cached_property
    def pinch_fingers(self) -> tuple[str, ...]:
        """The fingers whose tips meet the thumb's in a pinch: the index finger, perhaps others.

        Others only where the hand names the posture `wide`, from which all its fingers come.
        """
        if self.hand is None or 'wide' not in self.hand.postures:
            return ('index',)
        q = self.home.copy()
        q[len(self.arm_joints) :] = self.pinch_way[1]
        tips = {f: self.fk(q, link, PALM)[:3, 3] for f, link in self.tip_frames().items()}
        away = {f: float(np.linalg.norm(tip - tips['thumb'])) for f, tip in tips.items()}
        return tuple(f for f in tips if f == 'index' or (f != 'thumb' and away[f] < _MEETS))

    def hand_posture(self, name: str) -> FloatArray:
        """Return (J of the hand,) a posture of the registry entry; empty without a hand.

        Raises:
            UnknownNameError: The hand has no such posture.
        """
        return _frozen(np.array(_posture(self.hand, name)))

    def posture(self, hand: str = 'home', arm: str = 'home') -> FloatArray:
        """Return (J,) a posture of the arm with one of the hand.

        Raises:
            UnknownNameError: The device has no such posture.
        """
        return np.array([*_posture(self.arm, arm), *_posture(self.hand, hand)])

    def full(self, q: FloatArray) -> FloatArray:
        """Return (N,) positions of all joints, coupled ones included, of (J,) actuated ones.

        Raises:
            ShapeError: `q` is not (J,).
            NotFiniteError: `q` holds NaN or infinity.
        """
        values = checked(q, (len(self.q_index),), 'q')
        positions: FloatArray = self.coupling @ values + self.coupling_offset
        return positions

    def frame(self, name: str) -> int:
        """Return the pinocchio id of a frame: a link by its name, with or without prefix.

        Raises:
            UnknownFrameError: There is none; names the near ones.
        """
        frames = self._frames
        for candidate in (self.prefix + name, name):
            if candidate in frames:
                return frames[candidate]
        raise UnknownFrameError('frame', name, frames)

    def fk(self, q: FloatArray, frame: str, relative_to: str = WORLD) -> FloatArray:
        """Return `relative_to_T_frame` (4, 4) at (J,) joint positions. For loops use pinocchio.

        Raises:
            UnknownFrameError: There is no such frame.
            ShapeError: `q` is not (J,).
        """
        data = self.pin_model.createData()
        pin.framesForwardKinematics(self.pin_model, data, self.full(q))
        world_T_reference = data.oMf[self.frame(relative_to)]
        matrix: FloatArray = world_T_reference.actInv(data.oMf[self.frame(frame)]).homogeneous
        return matrix

    def tip_frames(self) -> Mapping[str, str]:
        """Return the tip link of each finger, with prefix."""
        if self.hand is None:
            return {}
        return {finger: self.prefix + link for finger, link in self.hand.tip_frames.items()}

    @functools.cached_property
    def ignored_pairs(self) -> frozenset[frozenset[str]]:
        """Pairs of links whose contact means nothing: neighbours, and those the registry names."""
        groups = self.tree.groups()
        neighbours = {
            frozenset((groups[j.parent], groups[j.child]))
            for j in self.tree.joints
            if j.kind != 'fixed'
        }
        links = [name for name, link in self.tree.links.items() if link.shapes]
        pairs = set()
        for i, a in enumerate(links):
            for b in links[:i]:
                if groups[a] == groups[b] or frozenset((groups[a], groups[b])) in neighbours:
                    pairs.add(frozenset((a, b)))
        for device in (self.arm, self.hand):
            for a, b in () if device is None else device.self_collision_ignore:
                pairs.add(frozenset((self.prefix + a, self.prefix + b)))
        return frozenset(pairs)

    def collision_model(self, *, within_hand: bool = True) -> pin.GeometryModel:
        """Return a new pinocchio GeometryModel of coal primitives with its collision pairs set.

        A geometry is named '<link>:<number>'. Neighbours and the pairs that the registry ignores
        are no pairs.

        Args:
            within_hand: Also pair the links of the hand with each other; without them fingers
                may touch, as in every pinch.
        """
        geometry = pin.GeometryModel()
        owner: list[str] = []
        for link in self.tree.links.values():
            frame = self.pin_model.frames[self._frames[link.name]]
            for number, shape in enumerate(link.shapes):
                placement = frame.placement * pin.SE3(shape.link_T_shape)
                geometry.addGeometryObject(
                    pin.GeometryObject(
                        f'{link.name}:{number}',
                        frame.parentJoint,
                        self._frames[link.name],
                        placement,
                        _coal_shape(shape),
                    )
                )
                owner.append(link.name)
        hand = self._hand_links
        for i, a in enumerate(owner):
            for j in range(i):
                b = owner[j]
                if a == b or frozenset((a, b)) in self.ignored_pairs:
                    continue
                if not within_hand and a in hand and b in hand:
                    continue
                geometry.addCollisionPair(pin.CollisionPair(j, i))
        return geometry

    @functools.cached_property
    def _frames(self) -> dict[str, int]:
        return {
            f.name: i for i, f in enumerate(self.pin_model.frames) if f.type == pin.FrameType.BODY
        }

    @functools.cached_property
    def _hand_links(self) -> frozenset[str]:
        """Links below the flange."""
        below = {f'{self.prefix}flange'}
        for joint in self.tree.joints:
            if joint.parent in below:
                below.add(joint.child)
        return frozenset(below)


def load_robot(
    arm: str,
    hand: str,
    prefix: str = '',
    *,
    base_xyz: Vector = _ZERO,
    base_rpy: Vector = _ZERO,
    control: Control = 'none',
) -> RobotModel:
    """Return the model of an arm with a hand; 'none' stands for no arm or no hand.

    The model is cached: equal arguments give the same object.

    Raises:
        UnknownDeviceError: There is no such arm or hand.
        ConfigError: Registry and xacro do not fit together, or one of them is wrong.
    """
    arm_device = None if arm == NONE else load_device(arm, 'arm')
    hand_device = None if hand == NONE else load_device(hand, 'hand')
    urdf = render_urdf(
        arm, hand, prefix=prefix, base_xyz=base_xyz, base_rpy=base_rpy, control=control
    )
    return _build(arm_device, hand_device, prefix, urdf)


def hand_model(hand: str, prefix: str = '') -> RobotModel:
    """Return the model of a hand alone, its flange at base_link."""
    return load_robot(NONE, hand, prefix)


_CACHE: dict[tuple[int, int, str, str], RobotModel] = {}


def _build(arm: Device | None, hand: Device | None, prefix: str, urdf: str) -> RobotModel:
    # Devices are cached by their registry, so identity stands for their content.
    key = (id(arm), id(hand), prefix, urdf)
    if key not in _CACHE:
        _CACHE[key] = build_model(arm, hand, prefix, urdf)
    return _CACHE[key]


def build_model(arm: Device | None, hand: Device | None, prefix: str, urdf: str) -> RobotModel:
    """Return the model of a URDF text that the given devices describe.

    Raises:
        ConfigError: A joint or link of the registry is not in the URDF, or the other way round.
    """
    tree = parse_urdf(urdf)
    model = pin.buildModelFromXML(urdf)
    arm_joints = _checked_names(arm, prefix, tree)
    hand_joints = _checked_names(hand, prefix, tree)
    names = arm_joints + hand_joints
    moving = [j for j in tree.joints if j.kind != 'fixed']
    extra = {j.name for j in moving if j.coupling is None} - set(names)
    if extra:
        raise ConfigError(f'joints of the URDF that no registry entry lists: {sorted(extra)}')

    column = {name: i for i, name in enumerate(names)}
    coupling = np.zeros((model.nq, len(names)))
    offset = np.zeros(model.nq)
    for joint in moving:
        row = model.joints[model.getJointId(joint.name)].idx_q
        if joint.coupling is None:
            coupling[row, column[joint.name]] = 1.0
        elif joint.coupling.joint in column:
            coupling[row, column[joint.coupling.joint]] = joint.coupling.multiplier
            offset[row] = joint.coupling.offset
        else:
            raise ConfigError(
                f"joint '{joint.name}' is coupled to '{joint.coupling.joint}', "
                'which is no actuated joint'
            )
    actuated = [tree.joint(name) for name in names]
    limits = JointLimits(
        lower=np.array([j.lower for j in actuated]),
        upper=np.array([j.upper for j in actuated]),
        max_speed=np.array([j.max_speed for j in actuated]),
        max_acceleration=np.array([v for d in (arm, hand) if d for v in d.max_acceleration]),
        max_jerk=np.array([v for d in (arm, hand) if d for v in d.max_jerk]),
    )
    return RobotModel(
        arm=arm,
        hand=hand,
        prefix=prefix,
        urdf=urdf,
        tree=tree,
        pin_model=model,
        arm_joints=arm_joints,
        hand_joints=hand_joints,
        limits=limits,
        max_effort=_frozen(np.array([j.max_effort for j in actuated])),
        coupling=_frozen(coupling),
        coupling_offset=_frozen(offset),
        q_index=tuple(int(model.joints[model.getJointId(n)].idx_q) for n in names),
    )


def _checked_names(device: Device | None, prefix: str, tree: Tree) -> tuple[str, ...]:
    """Return the joints of a device with prefix; check that the URDF has all that it names."""
    if device is None:
        return ()
    joints = {j.name: j for j in tree.joints if j.kind != 'fixed'}
    for name in device.joints:
        joint = joints.get(prefix + name)
        if joint is None:
            raise UnknownNameError(f'joint in the xacro of {device.name}', prefix + name, joints)
        if joint.coupling is not None:
            raise ConfigError(f"{device.file}: joint '{name}' is coupled, so it is not actuated")
    links = set(device.tip_frames.values())
    links |= {link for pair in device.self_collision_ignore for link in pair}
    if device.retargeting is not None:
        links |= set(device.retargeting.keypoints.values())
        links |= {x for v in device.retargeting.vectors for x in (v.from_link, v.to_link)}
    for link in sorted(links):
        if prefix + link not in tree.links:
            raise UnknownFrameError(f'link that {device.file.name} names', link, tree.links)
    return tuple(prefix + name for name in device.joints)


def _posture(device: Device | None, name: str) -> tuple[float, ...]:
    return () if device is None else device.posture(name)


def _frozen(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array


def _coal_shape(shape: Shape) -> coal.CollisionGeometry:
    if shape.kind == 'box':
        return coal.Box(*shape.size)
    if shape.kind == 'sphere':
        return coal.Sphere(shape.size[0])
    if shape.kind == 'cylinder':
        return coal.Cylinder(*shape.size)
    return coal.Capsule(*shape.size)
