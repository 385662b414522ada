"""The page itself, on viser: a scene, a column of state, and buttons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import viser

from mimic_core import frames, keypoints
from mimic_core.arrays import FloatArray, Image
from mimic_description import RobotModel
from mimic_viewer.shapes import link_meshes, link_poses

_FINGER_COLOURS = ((200, 40, 10), (210, 120, 0), (30, 130, 40), (20, 80, 190), (110, 40, 170))
_GRID = 2.0  # [m]
_BONE_THICKNESS = 0.012  # [m]
_BACKGROUND = (196, 206, 216)  # white and black robots stand out
_FIELD_OF_VIEW = 0.7  # [rad]
_VIEW_DIRECTION = np.array([0.75, 0.55, 0.4])  # from the robot to the camera, in world


@dataclass(frozen=True)
class Actions:
    """What the buttons do."""

    shadow: Callable[[], None]
    idle: Callable[[], None]
    stop: Callable[[], None]
    clear: Callable[[], None]
    start_episode: Callable[..., None]  # task: kept with it
    stop_episode: Callable[[], None]
    discard_episode: Callable[[], None]
    reset_twin: Callable[[], None]
    reset_arm: Callable[[], None]
    reset_hand: Callable[[], None]
    home: Callable[[], None]
    start_policy: Callable[[], None]
    stop_policy: Callable[[], None]


class Page:
    """One web page for one robot."""

    def __init__(
        self, robot: RobotModel, actions: Actions, host: str, port: int, task: str = ''
    ) -> None:
        """Open the page; it is served until `close`. Its field for the task begins with `task`."""
        self._robot = robot
        self._server = viser.ViserServer(host=host, port=port, verbose=False)
        self.port = self._server.get_port()
        scene = self._server.scene
        scene.set_up_direction('+z')
        scene.set_background_image(np.full((1, 1, 3), _BACKGROUND, np.uint8), format='png')
        scene.add_grid('/table', width=_GRID, height=_GRID, cell_size=0.1, section_size=0.5)
        # The share button would open the buttons below to the internet.
        self._server.gui.configure_theme(show_logo=False, show_share_button=False)
        self._look_at_robot()
        self._links = {}
        for name, mesh in link_meshes(robot).items():
            self._links[name] = scene.add_mesh_trimesh(f'/robot/{name}', mesh)
        self._objects: dict[str, viser.FrameHandle] = {}
        self._hands: dict[str, viser.LineSegmentsHandle] = {}
        self._add_buttons(actions, task)
        self._status = self._server.gui.add_markdown('waiting for the robot')
        self._picture = self._server.gui.add_image(
            np.zeros((240, 320, 3), np.uint8), label='camera', format='jpeg'
        )
        self.show_joints(robot.home)

    def _look_at_robot(self) -> None:
        places = np.array([p[:3, 3] for p in link_poses(self._robot, self._robot.home).values()])
        low, high = places.min(axis=0), places.max(axis=0)
        camera = self._server.initial_camera
        camera.fov = _FIELD_OF_VIEW
        camera.look_at = 0.5 * (low + high)
        camera.position = camera.look_at + 2.2 * np.linalg.norm(high - low) * _VIEW_DIRECTION

    def _add_buttons(self, actions: Actions, task: str) -> None:
        gui = self._server.gui
        stop = gui.add_button('STOP', color='red', hint='Latched until cleared')
        stop.on_click(lambda _: actions.stop())
        gui.add_button('clear stop').on_click(lambda _: actions.clear())
        self._add_group('mode', {'shadow': actions.shadow, 'idle': actions.idle})
        home = gui.add_button('home', hint='In mode idle; which also ends it on the way')
        home.on_click(lambda _: actions.home())
        self._add_group('policy', {'start': actions.start_policy, 'stop': actions.stop_policy})
        name = gui.add_text('task', task, hint='Kept with the episodes that are started here')
        calls = {
            'start': lambda: actions.start_episode(task=name.value.strip()),
            'stop': actions.stop_episode,
            'discard': actions.discard_episode,
        }
        self._add_group('episode', calls)
        resets = {'twin': actions.reset_twin, 'arm': actions.reset_arm, 'hand': actions.reset_hand}
        self._add_group('reset', resets)

    def _add_group(self, label: str, calls: Mapping[str, Callable[[], None]]) -> None:
        group = self._server.gui.add_button_group(label, tuple(calls))
        group.on_click(lambda _: calls[group.value]())

    def show_joints(self, q: FloatArray) -> None:
        """Draw the robot at (J,) joint positions."""
        with self._server.atomic():
            for name, pose in link_poses(self._robot, q).items():
                _place(self._links[name], pose)

    def show_hands(self, hands: Mapping[str, FloatArray]) -> None:
        """Draw hands: side → keypoints (21, 3) [m] in world, NaN where unknown."""
        for side in set(self._hands) - set(hands):
            self._hands.pop(side).remove()
        for side, points in hands.items():
            bones = [(a, b) for a, b in keypoints.BONES if np.isfinite(points[[a, b]]).all()]
            if not bones:
                continue
            colours = np.array([[_FINGER_COLOURS[(b - 1) // 4]] * 2 for _, b in bones])
            self._hands[side] = self._server.scene.add_line_segments(
                f'/hands/{side}',
                points=points[np.array(bones)],
                colors=colours,
                thickness=_BONE_THICKNESS,
            )

    def show_objects(self, poses: Mapping[str, FloatArray]) -> None:
        """Draw a frame with a name for each object; poses are world_T_object (4, 4)."""
        for name, pose in poses.items():
            if name not in self._objects:
                self._objects[name] = self._server.scene.add_frame(
                    f'/objects/{name}', axes_length=0.05, axes_radius=0.003
                )
                self._server.scene.add_label(f'/objects/{name}/label', name)
            _place(self._objects[name], pose)

    def show_picture(self, color: Image) -> None:
        """Show a camera picture (H, W, 3) rgb."""
        self._picture.image = color

    def show_status(self, rows: Mapping[str, str]) -> None:
        """Show what the nodes say, a line each."""
        self._status.content = '\n\n'.join(f'**{key}**: {value}' for key, value in rows.items())

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()


def _place(handle: viser.SceneNodeHandle, pose: FloatArray) -> None:
    x, y, z, w = frames.to_quat_xyzw(pose)
    handle.position = pose[:3, 3]
    handle.wxyz = np.array([w, x, y, z])
