"""Command line: a picture of a robot."""

import argparse
import os
import sys
from pathlib import Path

from PIL import Image

from mimic_core.errors import MimicError
from mimic_description.model import load_robot


def main() -> None:
    """Write a picture of a robot to a PNG file."""
    parser = argparse.ArgumentParser(description='Draw a robot.')
    parser.add_argument('--arm', default='iiwa14', help="an arm, or 'none'")
    parser.add_argument('--hand', default='allegro', help="a hand, or 'none'")
    parser.add_argument('--out', type=Path, default=Path('robot.png'), help='PNG file to write')
    parser.add_argument('--posture', default='home', help='posture of the hand')
    parser.add_argument('--azimuth', type=float, default=140.0, help='direction of view [deg]')
    parser.add_argument('--elevation', type=float, default=-18.0, help='height of view [deg]')
    parser.add_argument('--size', type=int, nargs=2, default=(960, 720), metavar=('W', 'H'))
    parser.add_argument('--frames', nargs='*', default=(), help='frames to draw as axes')
    arguments = parser.parse_args()
    # MuJoCo chooses its way to draw when it is imported, and a window is not needed.
    os.environ.setdefault('MUJOCO_GL', 'egl')
    from mimic_description.picture import render_robot

    try:
        picture = render_robot(
            load_robot(arguments.arm, arguments.hand),
            hand=arguments.posture,
            size=(arguments.size[0], arguments.size[1]),
            azimuth=arguments.azimuth,
            elevation=arguments.elevation,
            frames=arguments.frames,
        )
    except MimicError as error:
        sys.exit(str(error))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(arguments.out)
    sys.stdout.write(f'{arguments.out}\n')
