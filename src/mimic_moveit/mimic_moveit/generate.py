"""Makes the files of ros2_control and MoveIt for a robot and prints their folder."""

import argparse
import sys
from pathlib import Path

from mimic_core.errors import MimicError
from mimic_moveit.collisions import SAMPLES
from mimic_moveit.folder import configuration

HARDWARE = ('mock', 'topic', 'vendor')


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in ('true', 'false', '1', '0'):
        raise argparse.ArgumentTypeError(f"'{text}' is not true or false")
    return word in ('true', '1')


def main(arguments: list[str] | None = None) -> None:
    """Print the folder, without an end of line, as $(command) of a launch file takes it."""
    parser = argparse.ArgumentParser(prog='moveit_config', description=__doc__)
    parser.add_argument('--arm', default='iiwa14', help="name in config/robots, or 'none'")
    parser.add_argument('--hand', default='allegro', help="name in config/robots, or 'none'")
    parser.add_argument('--prefix', default='', help='of joints and links')
    parser.add_argument('--control', default='mock', choices=HARDWARE, help='hardware of the arm')
    parser.add_argument(
        '--hand-control', default='', choices=('', *HARDWARE), help='of the hand; empty: the same'
    )
    parser.add_argument(
        '--gripper',
        default='trajectory',
        choices=('trajectory', 'action'),
        help='which of its controllers is active',
    )
    parser.add_argument('--execute', type=_truth, default=False, help='MoveIt may move the robot')
    parser.add_argument('--move-group', type=_truth, default=True, help='Servo runs beside it')
    parser.add_argument('--samples', type=int, default=SAMPLES, help='of the collision matrix')
    parser.add_argument('--output', type=Path, help='folder for it; default: under ROS_HOME')
    given = parser.parse_args(arguments)
    try:
        folder = configuration(
            given.arm,
            given.hand,
            given.prefix,
            control=given.control,
            hand_control=given.hand_control or None,
            gripper=given.gripper,
            execute=given.execute,
            with_move_group=given.move_group,
            samples=given.samples,
            root=given.output,
        )
    except MimicError as error:
        sys.stderr.write(f'{error}\n')
        raise SystemExit(1) from error
    sys.stdout.write(str(folder))


if __name__ == '__main__':
    main()
