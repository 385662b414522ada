"""A check of what a gate sent that shares no code with it: from URDF text and registry file.

Rates are differences of the positions; places and distances come from models that are built here.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import coal
import numpy as np
import numpy.typing as npt
import pinocchio as pin
import yaml

Floats = npt.NDArray[np.float64]

RELATIVE: Final = 1e-6  # [1] of a rate limit
LENGTH: Final = 1e-6  # [m]


@dataclass
class Facts:
    """One robot as its files tell it."""

    urdf: str
    devices: Sequence[Path]  # registry files, arm first
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        root = ElementTree.fromstring(self.urdf)
        self.joints = {j.get('name', ''): j for j in root.iter('joint') if j.get('type')}
        self.registry: list[dict[str, Any]] = [
            yaml.safe_load(path.read_text()) for path in self.devices
        ]
        limits = [self.joints[name].find('limit') for name in self.names]
        self.lower, self.upper, self.speed = (
            np.array([float(x.get(key, '0')) for x in limits if x is not None])
            for key in ('lower', 'upper', 'velocity')
        )
        self.acceleration, self.jerk = (
            np.concatenate([
                np.broadcast_to(np.array(entry[key], dtype=float), len(entry['joints']))
                for entry in self.registry
            ])
            for key in ('max_acceleration', 'max_jerk')
        )  # fmt: skip

    def groups(self) -> dict[str, str]:
        """Return for each link the first of those that are fixed to it."""
        parents = {
            j.find('child').get('link', ''): (j.find('parent').get('link', ''), j.get('type'))  # type: ignore[union-attr]
            for j in self.joints.values()
        }

        def root_of(link: str) -> str:
            while link in parents and parents[link][1] == 'fixed':
                link = parents[link][0]
            return link

        links = set(parents) | {parent for parent, _ in parents.values()}
        return {link: root_of(link) for link in links}

    def below(self, link: str) -> set[str]:
        """Return a link and all that hangs on it."""
        found: set[str | None] = {link}
        before = 0
        while len(found) != before:
            before = len(found)
            for joint in self.joints.values():
                if joint.find('parent').get('link') in found:  # type: ignore[union-attr]
                    found.add(joint.find('child').get('link', ''))  # type: ignore[union-attr]
        return {name for name in found if name}


@dataclass
class Checker:
    """Looks at the outputs of one gate, one after the other."""

    facts: Facts
    home: Floats
    rate: float = 100.0  # [Hz]
    margin: float = 0.01  # [m] between parts
    clearance: float = 0.001  # [m] to the table
    outputs: int = 0
    distances: int = 0
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        facts = self.facts
        self._model = pin.buildModelFromXML(facts.urdf)
        self._data = self._model.createData()
        self._shapes = pin.buildGeomFromUrdfString(
            self._model, facts.urdf, pin.GeometryType.COLLISION
        )
        self._last: list[Floats] = []
        self._prepare_pairs()
        arm = facts.registry[0]
        self._points = [self._model.getFrameId('flange')]
        names = ['palm', 'grasp_center'] if len(facts.registry) > 1 else []
        for entry in facts.registry[1:]:
            names += list((entry.get('tip_frames') or {}).values())
        self._points += [self._model.getFrameId(name) for name in names]
        box = arm['workspace']
        self._low, self._high = np.array(box['box_min'], float), np.array(box['box_max'], float)
        self._low[2] = max(self._low[2], box['min_height'])
        at_home = self._measure(self.home, np.arange(len(self._pairs)))
        wanted = np.where(self._is_table, self.clearance, self.margin)
        nearest = dict.fromkeys(self._links, np.inf)  # of two links: some have many shapes
        for links, distance in zip(self._links, at_home, strict=True):
            nearest[links] = min(nearest[links], float(distance))
        half = 0.5 * np.array([nearest[links] for links in self._links])
        self._least = np.minimum(wanted, np.maximum(half, 0.0))
        self._bound, self._seen = at_home, self._poses()

    def check(self, q: Floats, *, restart: bool) -> None:
        """Take the next output (J,); restart: a new sequence begins here, at rest."""
        facts = self.facts
        if not np.isfinite(q).all():
            self.violations.append(f'{self.outputs}: not finite')
            return
        self.outputs += 1
        rows = [q] if restart or not self._last else [*self._last, q]
        self._judge('position', np.maximum(facts.lower - q, q - facts.upper) / 1e-9)
        full = [rows[0]] * (4 - len(rows)) + rows
        one = np.diff(full, axis=0) * self.rate
        two = np.diff(one, axis=0) * self.rate
        three = np.diff(two, axis=0)[0] * self.rate
        self._judge('speed', np.abs(one[-1]) / facts.speed / (1.0 + RELATIVE))
        self._judge('acceleration', np.abs(two[-1]) / facts.acceleration / (1.0 + RELATIVE))
        self._judge('jerk', np.abs(three) / facts.jerk / (1.0 + RELATIVE))
        self._last = rows[-3:]
        self._check_places(q)
        self._check_distances(q)

    def _judge(self, what: str, ratio: Floats) -> None:
        if (ratio > 1.0).any():
            i = int(np.argmax(ratio))
            self.violations.append(
                f'{self.outputs}: {self.facts.names[i]} {what} × {ratio[i]:.6f}'
            )

    def _full(self, q: Floats) -> Floats:
        full = np.zeros(self._model.nq)
        at = dict(zip(self.facts.names, q, strict=True))
        for name, joint in self.facts.joints.items():
            if joint.get('type') == 'fixed':
                continue
            copy = joint.find('mimic')
            value = at.get(name, 0.0) if copy is None else (
                at[copy.get('joint', '')] * float(copy.get('multiplier', '1'))
                + float(copy.get('offset', '0'))
            )  # fmt: skip
            full[self._model.joints[self._model.getJointId(name)].idx_q] = value
        return full

    def _check_places(self, q: Floats) -> None:
        pin.framesForwardKinematics(self._model, self._data, self._full(q))
        base = self._data.oMf[self._model.getFrameId('base_link')]
        for point in self._points:
            p = base.actInv(self._data.oMf[point]).translation
            if (np.maximum(self._low - p, p - self._high) > LENGTH).any():
                self.violations.append(f'{self.outputs}: {self._model.frames[point].name} at {p}')

    def _prepare_pairs(self) -> None:
        facts = self.facts
        groups = facts.groups()
        neighbours = {
            frozenset((groups[j.find('parent').get('link', '')],  # type: ignore[union-attr]
                       groups[j.find('child').get('link', '')]))  # type: ignore[union-attr]
            for j in facts.joints.values() if j.get('type') != 'fixed'
        }  # fmt: skip
        ignored = {
            frozenset(pair)
            for e in facts.registry
            for pair in e.get('self_collision_ignore') or []
        }
        hand = facts.below('flange')
        links = [
            self._model.frames[item.parentFrame].name for item in self._shapes.geometryObjects
        ]
        table = coal.Halfspace(np.array([0.0, 0.0, 1.0]), 0.0)
        base = pin.SE3.Identity()
        pin.framesForwardKinematics(self._model, self._data, self._full(self.home))
        base = self._data.oMf[self._model.getFrameId('base_link')]
        self._pairs = [
            (i, j)
            for i in range(len(links)) for j in range(i)
            if groups[links[i]] != groups[links[j]]
            and frozenset((groups[links[i]], groups[links[j]])) not in neighbours
            and frozenset((links[i], links[j])) not in ignored
            and not (links[i] in hand and links[j] in hand)
        ]  # fmt: skip
        number = self._shapes.addGeometryObject(pin.GeometryObject('table', 0, 0, base, table))
        moving = [i for i in range(number) if self._shapes.geometryObjects[i].parentJoint > 0]
        self._is_table = np.array([False] * len(self._pairs) + [True] * len(moving))
        self._pairs += [(i, number) for i in moving]
        for i, j in self._pairs:
            self._shapes.addCollisionPair(pin.CollisionPair(i, j))
        self._shape_data = self._shapes.createData()
        names = [*links, 'table']
        self._links = [frozenset((names[i], names[j])) for i, j in self._pairs]
        self._first, self._second = np.array(self._pairs).T
        self._centres, radii = [], []
        for item in self._shapes.geometryObjects:
            if item.name == 'table':  # it does not move
                self._centres.append(np.zeros(3))
                radii.append(0.0)
                continue
            item.geometry.computeLocalAABB()
            self._centres.append(np.array(item.geometry.aabb_center))
            radii.append(float(item.geometry.aabb_radius))
        self._radii = np.array(radii)

    def _measure(self, q: Floats, pairs: npt.NDArray[np.int64]) -> Floats:
        pin.updateGeometryPlacements(
            self._model, self._data, self._shapes, self._shape_data, self._full(q)
        )
        return self._measured(pairs)

    def _measured(self, pairs: npt.NDArray[np.int64]) -> Floats:
        self.distances += len(pairs)
        shapes, data = self._shapes, self._shape_data
        return np.array([pin.computeDistance(shapes, data, int(i)).min_distance for i in pairs])

    def _poses(self) -> tuple[Floats, Floats]:
        """Return (G, 3) the centres and (G, 3, 3) the turns of all shapes as placed last."""
        places = self._shape_data.oMg
        centres = np.array([m.act(c) for m, c in zip(places, self._centres, strict=True)])
        return centres, np.array([m.rotation for m in places])

    def _check_distances(self, q: Floats) -> None:
        pin.updateGeometryPlacements(
            self._model, self._data, self._shapes, self._shape_data, self._full(q)
        )
        centres, turns = self._poses()
        moved = np.linalg.norm(centres - self._seen[0], axis=1)
        moved += self._radii * np.linalg.norm(turns - self._seen[1], axis=(1, 2))
        self._seen = centres, turns
        self._bound = self._bound - moved[self._first] - moved[self._second]
        near = np.flatnonzero(self._bound < self._least)
        if len(near) == 0:
            return
        self._bound[near] = self._measured(near)
        for i in near[self._bound[near] < self._least[near] - LENGTH]:
            a, b = (self._shapes.geometryObjects[k].name for k in self._pairs[i])
            short = self._least[i] - self._bound[i]
            self.violations.append(f'{self.outputs}: {a} and {b} {short:.6f} m too near')
