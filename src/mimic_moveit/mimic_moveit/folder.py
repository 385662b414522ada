"""All files of a robot's configuration in one folder, kept until URDF or registry change."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from mimic_core.errors import ConfigError
from mimic_description import RobotModel, load_robot, render_urdf
from mimic_moveit import moveit
from mimic_moveit.collisions import SAMPLES, collision_matrix
from mimic_moveit.controller_config import Control, Gripper, controller_parameters, spawned
from mimic_moveit.srdf import make_srdf, model_key

_DONE: Final = '.complete'


def default_root() -> Path:
    """Return the folder under which configurations are kept: that of ROS."""
    home = os.environ.get('ROS_HOME') or Path.home() / '.ros'
    return Path(home) / 'mimic_moveit'


def source_key() -> str:
    """Return a text that changes with the code that makes the files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob('*.py')):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def configuration(
    arm: str,
    hand: str,
    prefix: str = '',
    *,
    control: Control = 'mock',
    hand_control: Control | None = None,
    gripper: Gripper = 'trajectory',
    execute: bool = False,
    with_move_group: bool = True,
    samples: int = SAMPLES,
    root: Path | None = None,
) -> Path:
    """Return the folder of a robot's files, made where it is missing.

    Args:
        arm: Name in the registry, or 'none'.
        hand: Name in the registry, or 'none'.
        prefix: Of joints and links.
        control: Hardware plugin of ros2_control, of the arm.
        hand_control: That of the hand; the same where None.
        gripper: Which controller of a gripper is active.
        execute: MoveIt may execute by itself, past the gate.
        with_move_group: Servo runs beside move_group.
        samples: Of the matrix of collisions.
        root: Folder of folders.

    Raises:
        MimicError: No such robot, or the folder cannot be written.
    """
    robot = load_robot(arm, hand, prefix)
    options = (
        prefix, control, hand_control or control, gripper, execute, with_move_group, samples,
    )  # fmt: skip
    text = '\n'.join([model_key(robot), source_key(), *map(str, options)])
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = (root or default_root()) / f'{arm}_{hand}_{key}'
    if (folder / _DONE).is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix='.making_', dir=folder.parent))
        try:
            write_files(
                draft, robot, arm, hand, control, hand_control or control, gripper,
                execute=execute, with_move_group=with_move_group, samples=samples,
            )  # fmt: skip
            (draft / _DONE).touch()
            draft.chmod(0o755)
            if folder.exists():  # a draft that was not finished, or another process was quicker
                shutil.rmtree(folder)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise ConfigError(f'cannot write {folder}: {error.strerror}') from error
    return folder


def write_files(
    folder: Path,
    robot: RobotModel,
    arm: str,
    hand: str,
    control: Control,
    hand_control: Control,
    gripper: Gripper,
    *,
    execute: bool,
    with_move_group: bool,
    samples: int,
) -> None:
    """Write every file: those of nodes (`*.params.yaml`), and `config/` as MoveIt lays it out."""
    srdf = make_srdf(robot, collision_matrix(robot, samples))
    urdf = render_urdf(arm, hand, prefix=robot.prefix)
    controlled = render_urdf(
        arm, hand, prefix=robot.prefix, control=control, hand_control=hand_control
    )
    descriptions = {
        'robot_description': urdf,
        'robot_description_semantic': srdf,
        'robot_description_kinematics': moveit.kinematics(robot),
        'robot_description_planning': moveit.joint_limits(robot) | moveit.cartesian_limits(robot),
    }
    controllers = controller_parameters(robot, control, hand_control)
    servo = moveit.servo(robot, with_move_group=with_move_group)
    group = moveit.move_group(robot, execute=execute)
    for name, content in (
        ('controllers', controllers),
        ('move_group', _everywhere(descriptions | group)),
        ('servo', _everywhere(descriptions | servo)),
        ('rviz', _everywhere(descriptions)),
    ):
        _write(folder / f'{name}.params.yaml', content)
    active, inactive = spawned(robot, gripper)
    # For the launch file: the broadcaster and the arm's are always the same.
    (folder / 'hand.txt').write_text(active[-1] if robot.hand is not None else '')
    (folder / 'inactive.txt').write_text(''.join(inactive))
    config = folder / 'config'
    config.mkdir()
    (config / 'mimic.urdf').write_text(urdf)
    (config / 'mimic.ros2_control.urdf').write_text(controlled)
    (config / 'mimic.srdf').write_text(srdf)
    for name, content in (
        ('kinematics', moveit.kinematics(robot)),
        ('joint_limits', moveit.joint_limits(robot)),
        ('pilz_cartesian_limits', moveit.cartesian_limits(robot)),
        ('ompl_planning', moveit.ompl_planning(robot)),
        ('pilz_industrial_motion_planner_planning', moveit.pilz_planning()),
        ('moveit_controllers', moveit.moveit_controllers(robot)),
        ('ros2_controllers', controllers),
        ('servo', servo),
    ):
        _write(config / f'{name}.yaml', content)


def _everywhere(content: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter file for a node of any name in any namespace."""
    return {'/**': {'ros__parameters': content}}


class _Dumper(yaml.SafeDumper):
    """Writes texts of many lines as such, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        'tag:yaml.org,2002:str', text, style='|' if '\n' in text else None
    )


_Dumper.add_representer(str, _text)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=99))
