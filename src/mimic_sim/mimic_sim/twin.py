"""The twin: a robot, a table and a task in MuJoCo, commanded and measured as the real ones are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import UnknownNameError
from mimic_core.frames import GRASP_CENTER, transform
from mimic_description import RobotModel
from mimic_description.mujoco_model import NATURAL_FREQUENCY, robot_indices, robot_spec
from mimic_description.response import load_responses, select_responses
from mimic_sim.response import ResponseFilter
from mimic_sim.scene import AGENT_CAMERA, TIMESTEP, WRIST_CAMERA, add_scene
from mimic_sim.tasks import WorkArea, load_task
from mimic_sim.tasks.task import checked_start
from mimic_sim.things import Things, contacts
from mimic_sim.twin_params import TwinParams
from mimic_sim.view import Snapshot, View

_AREA_SHARE: Final = 0.6  # of the way from the centre of the workspace to its nearest side
_AREA_MAX: Final = 0.18  # [m]
_HAND_ALONE_AREA: Final = WorkArea((0.0, 0.0), 0.15)
_DEFAULT_PARAMS: Final = TwinParams()


class Twin:
    """One robot at one task. The same seed and commands give the same states, bit for bit.

    J actuated joints in the order of `robot.joint_names`.
    """

    def __init__(
        self,
        robot: RobotModel,
        task: str = 'pick_place',
        seed: int = 0,
        params: TwinParams = _DEFAULT_PARAMS,
    ) -> None:
        """Build the model and reset it.

        Args:
            robot: From `mimic_description.load_robot`.
            task: Name of a task.
            seed: Of the random start.
            params: Looks, and the answer of the joints.

        Raises:
            UnknownNameError: There is no such task, or the file of responses is of another robot.
            ConfigError: The file of responses is wrong.
        """
        self.robot: Final = robot
        self.params: Final = params
        self.area: Final = work_area(robot)
        self.task: Final = load_task(task, self.area)
        self.model: Final = _compile(robot, self, params)
        self.data: Final = mujoco.MjData(self.model)
        self._index()
        self._view: Final = self.new_view()
        self._command = robot.home.copy()
        self._filter = _response_filter(robot, params)
        self._ticks = 0  # physics steps since reset
        self._clock = 0.0  # [s] that steps were asked for
        self._ever_success = False
        self.seed = seed
        self.reset(seed)

    # --- commands and time ---------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> None:
        """Put the robot home and the objects to a start of the task.

        Args:
            seed: Of the start, >= 0; None: one more than the last.
        """
        self.seed = self.seed + 1 if seed is None else seed
        rng = np.random.default_rng(self.seed)
        start = checked_start(self.task, self.task.start(rng, self.seed))
        mujoco.mj_resetData(self.model, self.data)
        self._things.reset(start)
        self._joints.place(self.robot, self.data, self.robot.home)
        self._command = self.robot.home.copy()
        if self._filter is not None:
            self._filter.reset(self.robot.home)
        self._ticks, self._clock, self._ever_success = 0, 0.0, False
        mujoco.mj_forward(self.model, self.data)

    def command(self, q: FloatArray) -> None:
        """Set position targets; they hold until the next command.

        Args:
            q: (J,) [rad] or [m]; clipped to the joints' bounds, as the real drives do.

        Raises:
            ShapeError: Not (J,).
            NotFiniteError: NaN or infinity; the last command stays.
        """
        self._command = self.robot.limits.clip(
            checked(q, (len(self.robot.joint_names),), 'command')
        )
        if self._filter is None:
            self.data.ctrl[self._joints.ctrl] = self._command

    def step(self, duration: float = TIMESTEP) -> None:
        """Advance by a duration [s]; what is less than a physics step waits for the next call."""
        self._clock += duration
        target = round(self._clock / TIMESTEP)
        if target > self._ticks:
            if self._filter is None:
                mujoco.mj_step(self.model, self.data, nstep=target - self._ticks)
            else:
                for _ in range(target - self._ticks):
                    self.data.ctrl[self._joints.ctrl] = self._filter.step(self._command)
                    mujoco.mj_step(self.model, self.data)
            forces = self._things.forces()
            self._things.pass_time(forces, (target - self._ticks) * TIMESTEP)
            self._ticks = target
            self._ever_success = self._ever_success or self._things.success(forces)

    @property
    def responds(self) -> bool:
        """Its joints answer as a file says: commands count when they come, not by periods."""
        return self._filter is not None

    @property
    def time(self) -> float:
        """Simulated time since the reset [s]."""
        return self._ticks * TIMESTEP

    @property
    def commanded(self) -> FloatArray:
        """(J,) the targets that hold now [rad] or [m]."""
        return self._command.copy()

    # --- what is measured ----------------------------------------------------------------------

    def joint_state(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (J,) positions, velocities, efforts: [rad, rad/s, N m] or [m, m/s, N]."""
        return (
            self.data.qpos[self._joints.qpos].copy(),
            self.data.qvel[self._joints.qvel].copy(),
            self.data.actuator_force[self._joints.ctrl].copy(),
        )

    def objects(self) -> dict[str, FloatArray]:
        """Return world_T_object (4, 4) of every object."""
        return self._things.poses()

    def markers(self) -> dict[str, tuple[float, float]]:
        """Return the middle (x, y) [m] of every mark in world."""
        return self._things.markers()

    def frame(self, name: str) -> FloatArray:
        """Return world_T_frame (4, 4) of a frame of the robot, as it is now.

        Raises:
            UnknownFrameError: The robot has no such frame.
        """
        body, body_T_frame = self._robot_frame(name)
        pose: FloatArray = self._body_pose(body) @ body_T_frame
        return pose

    def grasp_center(self) -> FloatArray:
        """Return world_T_grasp_center (4, 4)."""
        return self.frame(GRASP_CENTER)

    def contact_force(self) -> float:
        """Return the sum of contact forces between the robot and the objects [N]."""
        return sum(self._things.forces().values())

    def tactile(self) -> dict[str, float]:
        """Return the sum of contact forces [N] on the last link of each finger, by its tip."""
        forces = dict.fromkeys(self._tip_body, 0.0)
        by_body = {body: link for link, body in self._tip_body.items()}
        scene = self._things.bodies | {0, self._table}
        for bodies, force in contacts(self.model, self.data, scene):
            for body in bodies:
                rigid = int(self.model.body_weldid[body])
                if rigid in by_body:
                    forces[by_body[rigid]] += force
        return forces

    # --- the task ------------------------------------------------------------------------------

    def target(self) -> FloatArray:
        """Return world_T_target (4, 4): where the centre of the task's first object should go.

        It is the mark named 'target'; without one, the object's start.
        """
        return self._things.target()

    def success(self) -> bool:
        """Tell whether the task is done now."""
        return self._things.success(self._things.forces())

    @property
    def ever_success(self) -> bool:
        """The task has been done since the reset."""
        return self._ever_success

    # --- pictures ------------------------------------------------------------------------------

    def camera_pose(self, camera: str) -> FloatArray:
        """Return world_T_optical (4, 4) of a camera, z forward, x right, y down.

        Raises:
            UnknownNameError: There is no such camera.
        """
        index = _id(self.model, mujoco.mjtObj.mjOBJ_CAMERA, camera, 'camera')
        rotation = self.data.cam_xmat[index].reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
        return transform(rotation, self.data.cam_xpos[index])

    def intrinsics(self, camera: str) -> Intrinsics:
        """Return the pinhole model of a camera.

        Raises:
            UnknownNameError: There is no such camera.
        """
        return self._view.intrinsics(camera)

    def cameras(self) -> tuple[str, ...]:
        """Return the names of the cameras; a robot without a hand has no wrist camera."""
        return tuple(self.model.camera(i).name for i in range(self.model.ncam))

    def render(self, camera: str = AGENT_CAMERA) -> Frame:
        """Return what a camera ('agent' or 'wrist') sees now, stamped with the simulated time.

        Call it and `close` in one thread. Depth is exact: no noise, 0 beyond 10 m.

        Raises:
            UnknownNameError: There is no such camera.
        """
        return self._view.render(self.data, camera, self.time)

    def snapshot(self, stamp: float) -> Snapshot:
        """Return what a picture of this moment needs, for a `ViewThread`."""
        return Snapshot(self.data.qpos.copy(), self.data.mocap_pos.copy(), stamp)

    def new_view(self) -> View:
        """Return the cameras once more, for use in another thread."""
        return View(self.model, self.task.objects, self.params, self.robot.prefix)

    def close(self) -> None:
        """Free the graphics memory; pictures after it take it again."""
        self._view.close()

    # --- showing a recorded motion -------------------------------------------------------------

    def set_state(self, q: FloatArray, objects: Mapping[str, FloatArray] | None = None) -> None:
        """Put the robot and objects where a recording says; for pictures, not for physics.

        Args:
            q: (J,) joint positions [rad] or [m].
            objects: name -> world_T_object (4, 4); objects and marks that are not named stay.

        Raises:
            ShapeError: `q` is not (J,), or a pose not (4, 4).
            NotFiniteError: A number is NaN.
            UnknownNameError: There is no such object or mark.
        """
        self._joints.place(self.robot, self.data, q)
        poses = objects or {}
        self._things.show({n: checked(p, (4, 4), f'pose of {n}') for n, p in poses.items()})
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    # --- inside --------------------------------------------------------------------------------

    def _index(self) -> None:
        model, robot = self.model, self.robot
        self._joints = robot_indices(robot, model)
        # The body that each pinocchio joint moves; joint 0 is the world
        moved = [
            int(model.jnt_bodyid[_id(model, mujoco.mjtObj.mjOBJ_JOINT, str(name), 'joint')])
            for name in robot.pin_model.names[1:]
        ]
        self._joint_body = [0, *moved]
        self._things = Things(model, self.data, self.task)
        self._tip_body = {link: self._robot_frame(link)[0] for link in robot.tip_frames().values()}
        self._table = _id(model, mujoco.mjtObj.mjOBJ_BODY, 'table', 'body')

    def _robot_frame(self, name: str) -> tuple[int, FloatArray]:
        """Return the MuJoCo body that carries a frame, and body_T_frame (4, 4)."""
        frame = self.robot.pin_model.frames[self.robot.frame(name)]
        return self._joint_body[frame.parentJoint], np.asarray(frame.placement.homogeneous)

    def _body_pose(self, body: int) -> FloatArray:
        return transform(self.data.xmat[body].reshape(3, 3), self.data.xpos[body])


def work_area(robot: RobotModel) -> WorkArea:
    """Return where on the table an arm works, from its registry entry."""
    if robot.arm is None or robot.arm.workspace is None:
        return _HAND_ALONE_AREA
    space = robot.arm.workspace
    centre = np.array(space.centre)
    low, high = np.array(space.box_min), np.array(space.box_max)
    side = float(np.minimum(centre - low, high - centre)[:2].min())
    world_T_base = robot.fk(robot.home, 'base_link')
    x, y, _ = world_T_base[:3, :3] @ centre + world_T_base[:3, 3]
    return WorkArea((float(x), float(y)), min(_AREA_MAX, _AREA_SHARE * side))


def _response_filter(robot: RobotModel, params: TwinParams) -> ResponseFilter | None:
    if not params.response:
        return None
    responses = load_responses(Path(params.response).expanduser())
    chosen = select_responses(responses, robot.joint_names)
    return ResponseFilter(chosen, TIMESTEP, NATURAL_FREQUENCY)


def _compile(robot: RobotModel, twin: Twin, params: TwinParams) -> mujoco.MjModel:
    spec = robot_spec(robot)
    add_scene(spec, twin.task, params)
    wrist = spec.camera(f'{robot.prefix}wrist_camera')
    if wrist is not None:  # a robot without a hand has none
        wrist.name = WRIST_CAMERA
        wrist.fovy = float(np.degrees(params.wrist_fovy))
    return spec.compile()


def _id(model: mujoco.MjModel, kind: mujoco.mjtObj, name: str, what: str) -> int:
    index = mujoco.mj_name2id(model, kind, name)
    if index < 0:
        raise UnknownNameError(what, name, ())
    return int(index)
