"""How a joint answers its commands, as `identify` measures it and the twin takes it; its file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_description.fields import Fields

ORDERS: Final = (0, 1, 2)
MAX_DELAY: Final = 1.0  # [s]
MIN_DELAY: Final = -0.1  # [s]: a drive that jumps to the end of each command is ahead of it
MAX_TIME_CONSTANT: Final = 10.0  # [s]
MAX_DAMPING: Final = 20.0  # [1]


@dataclass(frozen=True)
class JointResponse:
    """From a joint's command u to its position q.

    q = offset + gain * play(H u(t - delay)), where H is 1, 1/(T s + 1) or
    1/(T^2 s^2 + 2 D T s + 1) by its order, with T the time constant and D the damping, and play
    lets the position rest while its input turns back by less than the backlash.
    """

    delay: float = 0.0  # [s] behind the command's points in their own times
    order: int = 0  # 0, 1 or 2
    time_constant: float = 0.0  # [s] > 0, 0 for order 0
    damping: float = 1.0  # [1] > 0, of order 2
    gain: float = 1.0  # [1] static
    offset: float = 0.0  # [rad] or [m]
    backlash: float = 0.0  # [rad] or [m] the whole width, >= 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ('delay', MIN_DELAY, MAX_DELAY), ('time_constant', 0.0, MAX_TIME_CONSTANT),
            ('damping', 0.01, MAX_DAMPING), ('gain', 0.01, 100.0), ('offset', -10.0, 10.0),
            ('backlash', 0.0, 10.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not low <= value <= high:  # NaN fails
                raise ConfigError(f'{name} = {value} is outside [{low}, {high}]')
        if self.order not in ORDERS:
            raise ConfigError(f'order is {self.order!r}, not 0, 1 or 2')
        if (self.order == 0) != (self.time_constant == 0.0):
            raise ConfigError(f'order {self.order} with time_constant {self.time_constant} s')

    @property
    def lag(self) -> float:
        """How far a slow motion stays behind [s]: the delay and what the dynamics add."""
        return self.delay + (1.0, 1.0, 2.0 * self.damping)[self.order] * self.time_constant

    @property
    def bandwidth(self) -> float:
        """Frequency at which the amplitude falls to 0.71 of the static one [Hz]; may be inf."""
        if self.order == 0:
            return float('inf')
        if self.order == 1:
            return float(1.0 / (2.0 * np.pi * self.time_constant))
        a = 1.0 - 2.0 * self.damping**2
        return float(np.sqrt(a + np.sqrt(a * a + 1.0)) / (2.0 * np.pi * self.time_constant))

    def inverse(self, q: float) -> float:
        """Return the command [rad] or [m] that rests at a position, backlash aside."""
        return (q - self.offset) / self.gain


def amplitude(response: JointResponse, frequency: FloatArray) -> FloatArray:
    """Return the dynamic gain [1] of a response at frequencies (N,) [Hz], static gain aside."""
    s = 2j * np.pi * frequency * response.time_constant
    if response.order == 2:
        return np.asarray(np.abs(1.0 / (s * s + 2.0 * response.damping * s + 1.0)))
    return np.asarray(np.abs(1.0 / (s + 1.0)))


def save_responses(
    path: Path,
    responses: Mapping[str, JointResponse],
    facts: Mapping[str, Any] | None = None,
    comment: str = '',
) -> None:
    """Write responses by joint, with facts about them that nobody needs to read.

    Raises:
        ConfigError: It cannot be written.
    """
    rows = {
        name: {f.name: _plain(getattr(response, f.name)) for f in fields(response)}
        for name, response in responses.items()
    }
    document: dict[str, Any] = {'joints': rows}
    if facts:
        document['facts'] = dict(facts)
    head = ''.join(f'# {line}\n' for line in comment.splitlines())
    text = head + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=140)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise ConfigError(f'{path} cannot be written: {error.strerror}') from error


def load_responses(path: Path) -> dict[str, JointResponse]:
    """Return the responses of a file by joint.

    Raises:
        ConfigError: It cannot be read, or says something impossible: which joint and field.
        UnknownNameError: It has a field that there is not.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path} cannot be read: {error}') from error
    except yaml.YAMLError as error:
        raise ConfigError(f'{path} is no YAML: {error}') from error
    if not isinstance(data, Mapping) or not isinstance(data.get('joints'), Mapping):
        raise ConfigError(f"{path}: must be a mapping with 'joints'")
    for key in data:
        if key not in ('joints', 'facts'):
            raise UnknownNameError(f'key in {path}', str(key), ('joints', 'facts'))
    return {str(name): _response(row, f'{path}: {name}') for name, row in data['joints'].items()}


def select_responses(
    responses: Mapping[str, JointResponse], joints: tuple[str, ...]
) -> tuple[JointResponse, ...]:
    """Return the response of each of J joints; those that are not named are ideal.

    Raises:
        UnknownNameError: One is of a joint that is not one of these.
    """
    for name in responses:
        if name not in joints:
            raise UnknownNameError('joint in the file of responses', name, joints)
    return tuple(responses.get(name, JointResponse()) for name in joints)


def _response(row: Any, where: str) -> JointResponse:
    given = Fields(row, where)
    values: dict[str, Any] = {}
    for field in fields(JointResponse):
        values[field.name] = given.number(field.name, field.default)
    given.done()
    if values['order'] not in ORDERS:
        raise ConfigError(f'{where}: order is {values["order"]}, not 0, 1 or 2')
    values['order'] = int(values['order'])
    try:
        return JointResponse(**values)
    except ConfigError as error:
        raise ConfigError(f'{where}: {error}') from error


def _plain(value: float) -> float | int:
    return value if isinstance(value, int) else float(f'{value:.6g}')
