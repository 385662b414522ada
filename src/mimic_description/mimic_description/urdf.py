"""URDF text of a robot, from the xacro files of its arm and its hand."""

import functools
from pathlib import Path
from typing import Final, Literal
from xml.parsers.expat import ExpatError

import xacro

from mimic_core.errors import ConfigError
from mimic_description.registry import NONE, Kind, load_device, own_folder

Control = Literal['none', 'mock', 'topic', 'vendor']
Vector = tuple[float, float, float]
_ZERO: Final = (0.0, 0.0, 0.0)


def render_urdf(
    arm: str,
    hand: str,
    *,
    prefix: str = '',
    base_xyz: Vector = _ZERO,
    base_rpy: Vector = _ZERO,
    control: Control = 'none',
    hand_control: Control | None = None,
) -> str:
    """Return the URDF of an arm with a hand.

    Args:
        arm: Name of an arm, or 'none': the hand alone, its flange at base_link.
        hand: Name of a hand, or 'none': the arm alone.
        prefix: Put before every joint and link but `world`.
        base_xyz: Position of base_link in world [m].
        base_rpy: Roll, pitch, yaw of base_link in world [rad].
        control: Which ros2_control plugin the tags name.
        hand_control: That of the hand; the same where None.

    Raises:
        UnknownDeviceError: There is no such arm or hand.
        ConfigError: A xacro file cannot be read or is wrong.
    """
    return _render(
        arm,
        hand,
        _file(arm, 'arm'),
        _file(hand, 'hand'),
        prefix,
        ' '.join(f'{float(v):.9g}' for v in base_xyz),
        ' '.join(f'{float(v):.9g}' for v in base_rpy),
        control,
        hand_control or control,
    )


def _file(name: str, kind: Kind) -> tuple[Path, int]:
    """Return the xacro file of a device and its time of change, the key of the cache."""
    if name == NONE:
        return Path(NONE), 0
    file = load_device(name, kind).urdf_file
    if not file.is_file():
        raise ConfigError(f"{kind} '{name}' has no xacro file {file}")
    return file, file.stat().st_mtime_ns


@functools.lru_cache(maxsize=128)
def _render(
    arm: str,
    hand: str,
    arm_file: tuple[Path, int],
    hand_file: tuple[Path, int],
    prefix: str,
    base_xyz: str,
    base_rpy: str,
    control: str,
    hand_control: str,
) -> str:
    arguments = {
        'arm': arm,
        'hand': hand,
        'prefix': prefix,
        'base_xyz': base_xyz,
        'base_rpy': base_rpy,
        'control': control,
        'hand_control': hand_control,
        'arm_file': str(arm_file[0]),
        'hand_file': str(hand_file[0]),
    }
    system = own_folder() / 'urdf' / 'system.urdf.xacro'
    try:
        document = xacro.process_file(str(system), mappings=arguments)
    except (xacro.XacroException, ExpatError, OSError) as error:
        raise ConfigError(f'xacro of arm {arm} with hand {hand}: {error}') from error
    text: str = document.toprettyxml(indent='  ')
    return text
