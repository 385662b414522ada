"""Boxes, cylinders and spheres at a pose: what things are made of for physics and collision."""

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

from mimic_core.arrays import checked
from mimic_core.errors import ConfigError
from mimic_core.frames import from_xyz_quat

Form = Literal['box', 'cylinder', 'sphere']
_SIZES: Final = {'box': 3, 'cylinder': 2, 'sphere': 1}


@dataclass(frozen=True)
class Primitive:
    """A shape in the frame of a thing or, for what stands still, in world."""

    form: Form
    size: tuple[float, ...]  # [m] box: edges; cylinder: radius, height; sphere: radius
    xyz: tuple[float, float, float] = (0.0, 0.0, 0.0)  # [m]
    quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    @property
    def volume(self) -> float:
        """Of the shape [m^3]."""
        if self.form == 'box':
            return float(np.prod(self.size))
        if self.form == 'cylinder':
            return float(np.pi * self.size[0] ** 2 * self.size[1])
        return float(4.0 / 3.0 * np.pi * self.size[0] ** 3)

    def as_map(self) -> dict[str, Any]:
        """Return what a JSON file holds of it."""
        return {
            'form': self.form,
            'size': list(self.size),
            'xyz': list(self.xyz),
            'quat_xyzw': list(self.quat_xyzw),
        }


def primitives_of(items: Any, name: str) -> tuple[Primitive, ...]:
    """Return the primitives of a JSON list.

    Args:
        items: The list.
        name: Of its field, for messages.

    Raises:
        ConfigError: It is none, or a field is wrong; names the field.
        ShapeError, NotFiniteError: So are numbers of a field; names it.
    """
    if not isinstance(items, list):
        raise ConfigError(f'{name} is no list of primitives')
    found = []
    for row, item in enumerate(items):
        where = f'{name}[{row}]'
        if not isinstance(item, dict) or item.get('form') not in get_args(Form):
            raise ConfigError(f'{where}.form must be one of {", ".join(get_args(Form))}')
        size = checked(item.get('size'), (_SIZES[item['form']],), f'{where}.size')
        if (size <= 0).any():
            raise ConfigError(f'{where}.size must be > 0')
        xyz = checked(item.get('xyz', (0, 0, 0)), (3,), f'{where}.xyz')
        quat = checked(item.get('quat_xyzw', (0, 0, 0, 1)), (4,), f'{where}.quat_xyzw')
        from_xyz_quat(xyz, quat)
        found.append(
            Primitive(
                item['form'],
                tuple(map(float, size)),
                (float(xyz[0]), float(xyz[1]), float(xyz[2])),
                (float(quat[0]), float(quat[1]), float(quat[2]), float(quat[3])),
            )
        )
    return tuple(found)
