"""Which package drives a device: what launch files ask the registry."""

import argparse
import sys

from mimic_core.errors import MimicError
from mimic_description.registry import NONE, load_device


def driver_package(device: str, beside: str = NONE) -> str:
    """Return the package whose driver a launch file starts for a device, or 'none'.

    Args:
        device: Name of an arm or a hand, or 'none'.
        beside: Name of another device; where one package drives both, one node does.

    Raises:
        MimicError: A device is unknown, or its file is wrong.
    """
    if device == NONE:
        return NONE
    package = load_device(device).driver.package
    if beside != NONE and load_device(beside).driver.package == package:
        return NONE
    return package


def main() -> int:
    """Print the package, without a newline, since a launch file takes every character."""
    parser = argparse.ArgumentParser(description='The package that drives a device.')
    parser.add_argument('device', help='stem of a file in config/robots, or none')
    parser.add_argument(
        '--beside', default=NONE, help="another device: 'none' is printed where it drives both"
    )
    arguments = parser.parse_args()
    try:
        sys.stdout.write(driver_package(arguments.device, arguments.beside))
    except MimicError as error:
        sys.stderr.write(f'{error}\n')
        return 1
    return 0
