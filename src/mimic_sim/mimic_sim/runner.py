"""A twin that runs by the clock: trajectories in, control periods out, pictures beside it."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final, Literal

from mimic_core.camera import Frame
from mimic_core.command import NamedPositions
from mimic_core.errors import UnknownNameError
from mimic_description import RobotModel
from mimic_sim.pacing import Pacer
from mimic_sim.scene import AGENT_CAMERA, TIMESTEP, WRIST_CAMERA
from mimic_sim.trajectory import TrajectoryFollower
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinNodeParams
from mimic_sim.view import ViewThread

Part = Literal['arm', 'hand']

_MAX_PERIODS: Final = 5  # in one tick, so that commands get through in between


class TwinRunner:
    """What the twin's node does, without ROS. Times are published times [s], see `Pacer`."""

    def __init__(
        self,
        robot: RobotModel,
        params: TwinNodeParams,
        on_frame: Callable[[str, Frame], None],
    ) -> None:
        """Build the twin; `start` starts its clock.

        Args:
            robot: The robot of the parameters.
            params: Of the node.
            on_frame: Called in a thread of its own with each picture and its camera's name.

        Raises:
            UnknownNameError: There is no such task, or no wrist camera without a hand.
        """
        self._robot, self._params, self._on_frame = robot, params, on_frame
        self._period = 1.0 / params.rate
        rates = {AGENT_CAMERA: params.agent_camera_rate, WRIST_CAMERA: params.wrist_camera_rate}
        self.cameras: Final = MappingProxyType({c: r for c, r in rates.items() if r > 0.0})
        self._due: dict[str, float] = {}
        self._dropped = 0
        self._views: ViewThread | None = None
        self.twin = Twin(robot, params.task, params.seed, params)
        for camera in self.cameras:
            if camera not in self.twin.cameras():
                raise UnknownNameError('camera of this robot', camera, self.twin.cameras())
        split = len(robot.arm_joints)
        self._followers: dict[Part, TrajectoryFollower] = {
            'arm': TrajectoryFollower(robot.arm_joints, robot.home[:split]),
            'hand': TrajectoryFollower(robot.hand_joints, robot.home[split:]),
        }
        self.start(0.0, 0.0)
        self._use(self.twin)

    def start(self, origin: float, wall: float) -> None:
        """Start the clock now.

        Args:
            origin: Published time at the start [s].
            wall: Steady wall time now [s].
        """
        self._pacer = Pacer(self._period, self._params.real_time_factor, origin, wall)

    @property
    def time(self) -> float:
        """Published time of the present state [s]."""
        return self._pacer.time

    @property
    def lost(self) -> float:
        """Wall time that the machine could not keep up with, in all [s]."""
        return self._pacer.lost

    @property
    def dropped(self) -> int:
        """Pictures that were due and not made, because the one before was not ready."""
        return self._dropped + (self._views.dropped if self._views is not None else 0)

    def real_time_factor(self, wall: float) -> float:
        """Return simulated over wall time in the last second [1]."""
        return self._pacer.real_time_factor(wall)

    def command(self, part: Part, command: NamedPositions, wall: float | None = None) -> None:
        """Follow a trajectory from now on.

        Args:
            part: Whose joints.
            command: What to follow.
            wall: Steady wall time of its arrival [s], which counts where joints answer as
                measured; without it, and elsewhere, the beginning of the period does.

        Raises:
            UnknownNameError: It names a joint that this part does not have.
            StaleInputError: It ended in the past.
        """
        now = self.time
        if wall is not None and self.twin.responds:
            now = self._pacer.at(wall)
        self._followers[part].start(command, now)

    def periods(self, wall: float) -> Iterator[None]:
        """Simulate the control periods that are due, and stop after each for its messages.

        Args:
            wall: Steady wall time now [s].
        """
        for _ in range(min(self._pacer.due(wall), _MAX_PERIODS)):
            self._simulate()
            self._pacer.advance(wall)
            self._request_pictures()
            yield

    def _simulate(self) -> None:
        """Simulate one period.

        One command holds for all of it, or one for each step where joints answer as measured.
        """
        count = round(self._period / TIMESTEP) if self.twin.responds else 1
        begin, split = self.time, len(self._robot.arm_joints)
        q = self.twin.commanded
        for number in range(1, count + 1):
            end = begin + number * self._period / count
            q[:split] = self._followers['arm'].sample(end)
            q[split:] = self._followers['hand'].sample(end)
            self.twin.command(q)
            self.twin.step(self._period / count)

    def due(self, what: str, rate: float) -> bool:
        """Tell, once for each period of a rate [Hz], that something is to be done now."""
        now, at = self.time, self._due.get(what, 0.0)
        if now < at - 0.5 * self._period:
            return False
        self._due[what] = at + 1.0 / rate if now < at + 1.0 / rate else now + 1.0 / rate
        return True

    def reset(self, task: str, seed: int) -> None:
        """Go to a start of a task; time goes on.

        Args:
            task: Empty: the present one.
            seed: Of the start; negative: the next one.

        Raises:
            UnknownNameError: There is no such task; the present one goes on.
        """
        if task and task != self.twin.task.name:
            wanted = self.twin.seed + 1 if seed < 0 else seed
            self._use(Twin(self._robot, task, wanted, self._params))
        else:
            self.twin.reset(None if seed < 0 else seed)
        split = len(self._robot.arm_joints)
        self._followers['arm'].hold(self._robot.home[:split])
        self._followers['hand'].hold(self._robot.home[split:])

    def close(self) -> None:
        """End the thread of the cameras."""
        if self._views is not None:
            self._dropped += self._views.dropped
            self._views.close()
            self._views = None

    def _request_pictures(self) -> None:
        if self._views is None:
            return
        wanted = [camera for camera, rate in self.cameras.items() if self.due(camera, rate)]
        if not wanted:
            return
        snapshot = self.twin.snapshot(self.time)  # one for both cameras
        for camera in wanted:
            self._views.request(camera, snapshot)

    def _use(self, twin: Twin) -> None:
        self.close()
        self.twin = twin
        if self.cameras:
            self._views = ViewThread(twin.new_view(), self._on_frame)
