"""What an episode of shadowing holds, as arrays: the input of the demo's report and video."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray
from mimic_core.frames import BASE, PALM
from mimic_core.hand import Method, Side
from mimic_core.keypoints import NUM_KEYPOINTS
from mimic_description import RobotModel
from mimic_recording.reader import Episode

_NO_HAND = np.full((NUM_KEYPOINTS, 3), np.nan)
SIDES: tuple[Side, ...] = ('left', 'right')
METHODS: tuple[Method, ...] = ('depth', 'pnp')
STATES = ('idle', 'shadow', 'policy', 'replay', 'hold', 'stopped')


@dataclass(frozen=True)
class Series:
    """N samples in time."""

    stamps: FloatArray  # (N,) [s] capture
    received: FloatArray  # (N,) [s] log time
    values: FloatArray  # (N, …)

    def at(self, time: float) -> FloatArray | None:
        """Return the last value at or before a time [s], None before the first."""
        index = int(np.searchsorted(self.stamps, time, side='right')) - 1
        value: FloatArray | None = self.values[index] if index >= 0 else None
        return value


@dataclass
class Streams:
    """One episode."""

    hands: Series  # (N, 21, 3) [m] optical frame, NaN without a hand
    pixels: Series  # (N, 21, 2) [px]
    confidence: Series  # (N, 21)
    kinds: Series  # (N, 2) side and method, numbers of mimic_interfaces/Hand; NaN without a hand
    truth: Series  # (N, 21, 3) [m] optical frame, of the virtual demonstrator; N = 0 without one
    visible: Series  # (N, 21) 1 where a landmark is not hidden; as truth
    joints: Series  # (N, J) [rad] or [m] measured
    palm: Series  # (N, 3) [m] measured palm in base_link
    shadow: Series  # (N, 3) [m] wanted palm in base_link, NaN without a command
    shadow_errors: Series  # (N, 3) palm [m], orientation [rad], tips [m]
    commands: Series  # (N, 1) shadow/command, stamps only
    control: Series  # (N, 3) state, latency [s], missed ticks
    grasp: Series  # (N, 3) [m] grasp center in world
    objects: dict[str, Series] = field(default_factory=dict)  # name → (N, 7) xyz, xyzw in world
    success: Series | None = None  # (N, 2) now, ever
    rates: dict[str, float] = field(default_factory=dict)  # [Hz] of each topic
    counts: dict[str, int] = field(default_factory=dict)
    task: str = ''
    duration: float = 0.0  # [s]


def read_streams(path: Path, robot: RobotModel) -> Streams:
    """Read what the report needs from an episode; a topic that is absent gives empty series.

    Args:
        path: Folder of the episode.
        robot: Whose joints were recorded.

    Raises:
        BagError: The episode cannot be read.
    """
    with Episode(path) as episode:
        rows: dict[str, list[tuple[float, float, Any]]] = {}
        wanted = {
            key: episode.find(key)
            for key in (
                'hand_tracking/hands',
                'demonstrator/status',
                'joint_states',
                'shadow/status',
                'shadow/command',
                'control/status',
                'twin/status',
            )
        }
        keys = {topic: key for key, topic in wanted.items() if topic is not None}
        for message, msg in episode.read(keys):
            stamp = msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9
            rows.setdefault(keys[message.topic], []).append((stamp, message.log_time * 1e-9, msg))
        counts = {name: info.count for name, info in episode.topics.items()}
        duration = episode.duration
        rates = {name: count / duration if duration else 0.0 for name, count in counts.items()}

    def series(key: str, extract: Callable[[Any], Any], shape: tuple[int, ...]) -> Series:
        taken = rows.get(key, [])
        values = np.array([extract(msg) for _, _, msg in taken])
        return Series(
            np.array([s for s, _, _ in taken]),
            np.array([r for _, r, _ in taken]),
            values.reshape(len(taken), *shape) if taken else np.zeros((0, *shape)),
        )

    def points(hand: Any) -> FloatArray:
        return np.array([(p.x, p.y, p.z) for p in hand.keypoints])

    def best(msg: Any) -> Any:
        return max(msg.hands, key=lambda h: h.score, default=None)

    def of_hand(attribute: str, size: int) -> Callable[[Any], FloatArray]:
        def extract(msg: Any) -> FloatArray:
            hand = best(msg)
            if hand is None:
                return np.full(size, np.nan)
            return np.asarray(getattr(hand, attribute), dtype=np.float64)

        return extract

    twin = rows.get('twin/status', [])
    names = [o.name for o in twin[0][2].objects] if twin else []
    names_of_joints = robot.joint_names
    known: dict[str, float] = {}  # arm and hand may have drivers of their own

    def measured(msg: Any) -> FloatArray:
        known.update(zip(msg.name, msg.position, strict=False))
        return np.array([known.get(name, np.nan) for name in names_of_joints])

    q = series('joint_states', measured, (len(names_of_joints),))
    xyz = lambda p: (p.x, p.y, p.z)  # noqa: E731
    return Streams(
        hands=series(
            'hand_tracking/hands',
            lambda m: _NO_HAND if best(m) is None else points(best(m)),
            (NUM_KEYPOINTS, 3),
        ),
        pixels=series('hand_tracking/hands', of_hand('pixels', 42), (NUM_KEYPOINTS, 2)),
        confidence=series('hand_tracking/hands', of_hand('confidence', 21), (NUM_KEYPOINTS,)),
        kinds=series(
            'hand_tracking/hands',
            lambda m: (np.nan, np.nan) if best(m) is None else (best(m).side, best(m).method),
            (2,),
        ),
        truth=series('demonstrator/status', points, (NUM_KEYPOINTS, 3)),
        visible=series(
            'demonstrator/status', lambda m: np.asarray(m.visible, float), (NUM_KEYPOINTS,)
        ),
        joints=q,
        palm=_palm(robot, q),
        shadow=series(
            'shadow/status',
            lambda m: np.full(3, np.nan) if m.reason else xyz(m.target.position),
            (3,),
        ),
        shadow_errors=series(
            'shadow/status', lambda m: (m.position_error, m.orientation_error, m.tip_error), (3,)
        ),
        commands=series('shadow/command', lambda m: (0.0,), (1,)),
        control=series('control/status', lambda m: (m.state, m.latency, m.missed_ticks), (3,)),
        grasp=series('twin/status', lambda m: xyz(m.grasp_center.position), (3,)),
        objects={name: series('twin/status', partial(_object, name=name), (7,)) for name in names},
        success=series('twin/status', lambda m: (m.success, m.ever_success), (2,)),
        rates=rates,
        counts=counts,
        task=twin[0][2].task if twin else '',
        duration=duration,
    )


def _palm(robot: RobotModel, joints: Series) -> Series:
    """Return where the palm was (N, 3) [m] in base_link; NaN where a joint was not measured."""
    model, data = robot.pin_model, robot.pin_model.createData()
    palm, base = robot.frame(PALM), robot.frame(BASE)
    values = np.full((len(joints.stamps), 3), np.nan)
    for i, q in enumerate(joints.values):
        if np.isfinite(q).all():
            pin.framesForwardKinematics(model, data, robot.full(q))
            values[i] = data.oMf[base].actInv(data.oMf[palm]).translation
    return Series(joints.stamps, joints.received, values)


def _object(msg: Any, name: str) -> tuple[float, ...]:
    for item in msg.objects:
        if item.name == name:
            p, o = item.pose.position, item.pose.orientation
            return (p.x, p.y, p.z, o.x, o.y, o.z, o.w)
    return (np.nan,) * 7
