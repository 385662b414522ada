"""`./mimic demo`: shadow a hand with the robot's twin, then show what happened."""

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mimic_bringup.demo_report import write_report
from mimic_bringup.demo_video import write_video
from mimic_bringup.graph import isolate
from mimic_bringup.streams import read_streams
from mimic_core.errors import ConfigError, MimicError
from mimic_description import known_devices, load_device, load_robot
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.tracker import warm_up
from mimic_retargeting.params import RetargetingParams
from mimic_retargeting.shadow import Shadow
from mimic_sim.tasks import load_task
from mimic_sim.twin import work_area

_console = Console(stderr=True, highlight=False, markup=False)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the checked options.

    Raises:
        ConfigError: A file is missing or options do not fit together.
        UnknownNameError: No such arm, hand or task; lists the known ones.
    """
    parser = argparse.ArgumentParser(prog='./mimic demo', description=__doc__)
    parser.add_argument('--arm', default='iiwa14', help=', '.join(known_devices('arm')))
    parser.add_argument('--hand', help=', '.join(known_devices('hand')))
    parser.add_argument('--video', type=Path, help='a video of a real hand instead of the twin')
    parser.add_argument('--camera', choices=('twin', 'webcam', 'realsense'), default='twin')
    parser.add_argument('--task', default='pick_place', help='of the virtual demonstrator')
    parser.add_argument('--seed', type=int, default=0, help='of the start and the demonstrator')
    parser.add_argument('--seconds', type=float, default=0.0, help='stop after this time')
    parser.add_argument('--out', type=Path, default=Path('out/demo'), help='folder of the result')
    parser.add_argument('--window', action='store_true', help='show the web page while it runs')
    options = parser.parse_args(arguments)
    arm = load_device(options.arm, 'arm')
    options.hand = options.hand or arm.default_hand
    load_device(options.hand, 'hand')
    load_task(options.task, work_area(load_robot(options.arm, options.hand)))
    if options.video is not None:
        options.video = options.video.resolve()
        if not options.video.is_file():
            raise ConfigError(f'there is no video file {options.video}')
    options.out = options.out.resolve()
    return options


def launch_arguments(options: argparse.Namespace) -> dict[str, object]:
    """Return the arguments of the shadow mode for the options."""
    source = 'video' if options.video else options.camera
    arguments: dict[str, object] = {
        'arm': options.arm,
        'hand': options.hand,
        'camera': source,
        'task': options.task,
        'seed': options.seed,
        'record': 'true',
        'episodes': options.out,
        'viewer': 'true' if options.window else 'false',
    }
    if options.video:
        arguments['video'] = options.video
    return arguments


def present(options: argparse.Namespace) -> dict[str, Path]:
    """Make video and report from the episode; return what lies where."""
    robot = load_robot(options.arm, options.hand)
    episode = options.out / 'episode'
    with _console.status('reading the episode'):
        streams = read_streams(episode, robot)
    video = options.out / 'demo.mp4'
    columns = (TextColumn('{task.description}', markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console) as bar:
        job = bar.add_task('drawing the video', total=1.0)
        write_video(
            episode, streams, robot, options.seed, video,
            lambda share: bar.update(job, completed=share),
        )  # fmt: skip
    about = {
        'arm': options.arm,
        'hand': options.hand,
        'source': str(options.video) if options.video else options.camera,
        'seed': str(options.seed),
        'command': './mimic demo ' + ' '.join(sys.argv[1:]),
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
    }
    report = write_report(streams, options.out, about)
    return {
        'video': video, 'report': report, 'numbers': options.out / 'report.json',
        'episode': episode,
    }  # fmt: skip


def compile_solvers(options: argparse.Namespace) -> None:
    """Let numba compile what the nodes need, once for a machine; later runs find it cached.

    Else the first demonstration would begin while its nodes still compile.
    """
    robot = load_robot(options.arm, options.hand)
    Shadow(robot, RetargetingParams(), np.eye(4))
    warm_up(TrackingParams())


def prepare(out: Path) -> None:
    """Make the output folder and remove what an earlier demo left in it."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ('demo.mp4', 'report.html', 'report.json'):
        (out / name).unlink(missing_ok=True)
    if (out / 'episode' / 'metadata.yaml').exists():
        shutil.rmtree(out / 'episode')


def main() -> int:
    """Run the demo; exit code 1 and one sentence when something is missing."""
    from mimic_bringup.demo_node import record  # the part that knows ROS

    isolate()
    try:
        options = parse()
        prepare(options.out)
        with _console.status('compiling the solvers, once for a machine'):
            compile_solvers(options)
        record(
            launch_arguments(options),
            options.out / 'launch.log',
            video=options.video is not None,
            seconds=options.seconds,
            status=_console.status,
        )
        places = present(options)
    except MimicError as error:
        _console.print(str(error), style='bold red', soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        _console.print('stopped')
        return 130
    for what, path in places.items():
        print(f'{what:8} {path}')  # noqa: T201  the result of a command-line tool
    return 0


if __name__ == '__main__':
    sys.exit(main())
