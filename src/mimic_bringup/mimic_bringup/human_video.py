"""Videos of a person who does a task with the bare hand, as files: mp4, and a bag with depth.

write_human_video(Path('videos/3.mp4'), BareHandParams(task='push', seed=3), Path('bags'))
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
import yaml

from mimic_bringup.trial_bag import EPOCH, NANOSECONDS, Bag
from mimic_camera import CAMERA_FILE
from mimic_core.errors import MimicError
from mimic_core.frames import BASE, WORLD, inverse
from mimic_description import load_robot
from mimic_recording import EpisodeInfo
from mimic_sim.bare_hand import BareHand, BareHandParams
from mimic_sim.scene import AGENT_CAMERA_OPTICAL, agent_camera_place
from mimic_sim.tasks import load_task
from mimic_sim.twin import work_area

CAMERA: Final = 'agent_camera'
_QUALITY: Final = '18'  # constant rate factor of H.264: hardly a loss
_TICK: Final = Fraction(1, 90_000)  # [s]


@dataclass(frozen=True)
class HumanVideo:
    """What was written."""

    path: Path  # of the mp4
    bag: Path | None  # of the episode folder
    success: bool  # the task's test held at the end
    pictures: int
    duration: float  # [s]


def write_human_video(
    path: Path,
    params: BareHandParams,
    bags: Path | None = None,
    watch: Callable[[BareHand, float], None] | None = None,
) -> HumanVideo:
    """Let a person do a task once, and write what the agent camera saw.

    The file appears when it is whole. It holds pictures and nothing of the truth behind them.

    Args:
        path: The mp4 to write; its folder is made.
        params: Who does what. The bag has depth whether these ask for it or not.
        bags: Folder in which an episode of the same name is written too: colour, depth,
            intrinsics, and the pose of the camera in base_link; None: none.
        watch: Called with the person and the time [s] of each picture, for evaluation.

    Raises:
        UnknownNameError: No such arm or task.
        RecordingError: The bag cannot be written, or there is one of that name.
        MimicError: The mp4 cannot be written; names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.stem}.part.mp4')
    wanted = params if bags is None else replace(params, depth=True)
    bag, count = Bag(), 0
    try:
        with BareHand(wanted) as person, av.open(str(part), 'w') as container:
            stream = container.add_stream(
                'libx264', rate=Fraction(params.rate).limit_denominator()
            )
            stream.width, stream.height, stream.pix_fmt = params.width, params.height, 'yuv420p'
            stream.options = {'crf': _QUALITY, 'preset': 'veryfast'}
            if bags is not None:
                robot = load_robot(params.arm, 'none')
                base_T_world = inverse(robot.fk(robot.home, BASE))
                pose = base_T_world @ person.world_T_camera
                bag.add_static(AGENT_CAMERA_OPTICAL, pose, EPOCH * NANOSECONDS)
            for frame in person.frames():
                picture = av.VideoFrame.from_ndarray(frame.color, format='rgb24')
                picture.pts, picture.time_base = round(frame.stamp / _TICK), _TICK
                container.mux(stream.encode(picture))
                if bags is not None:
                    bag.add_frame(CAMERA, frame, round((EPOCH + frame.stamp) * NANOSECONDS))
                count += 1
                if watch is not None:
                    watch(person, frame.stamp)
            container.mux(stream.encode())
            success, duration = person.success, person.duration
        part.replace(path)
        written = None
        if bags is not None:
            info = EpisodeInfo(path.stem, params.task, (f'seed={params.seed}',))
            written = bag.write(bags, info).path
    except (OSError, av.FFmpegError) as error:
        raise MimicError(f'{path} cannot be written: {error}') from error
    finally:
        part.unlink(missing_ok=True)
    return HumanVideo(path, written, success, count, duration)


def write_camera(folder: Path, params: BareHandParams) -> None:
    """Write where the camera of a folder's videos is, beside them, for `./mimic ingest`.

    It depends on the arm: each has its own table. A folder with videos and without such a file is
    left as it is: whose table they show is not known.

    Raises:
        UnknownNameError: No such arm or task.
        MimicError: The folder is of another camera; it cannot be written. Names the file.
    """
    area = load_task(params.task, work_area(load_robot(params.arm, 'none'))).area
    eye, target = (np.round(point, 6).tolist() for point in agent_camera_place(area))
    content = {
        'description': f'agent camera as in the twin of {params.arm}', 'parent': WORLD,
        'xyz': eye, 'look_at': target, 'record': {'twin': params.arm},
    }  # fmt: skip
    path = folder / CAMERA_FILE
    try:
        if path.exists():
            if yaml.safe_load(path.read_text()) != content:
                raise MimicError(
                    f'{path}: not the camera of the twin of {params.arm}; film into another folder'
                )
        elif not any(folder.glob('*.mp4')):
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f'.{path.name}.part')
            part.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None))
            part.replace(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise MimicError(f'{path} cannot be read or written: {error}') from error
