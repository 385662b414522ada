"""Make the ROS wheels of this virtual environment usable by CMake.

Their CMake files name the include folders of the machine that built them; CMake refuses folders
that do not exist. This rewrites them to those of this interpreter. Run once after an install;
running it again changes nothing.
"""

import pathlib
import re
import sys
import sysconfig

import numpy

BUILDER_PREFIX = r'/opt/python/cp3\d+-cp3\d+'
RULES = (
    (
        re.compile(BUILDER_PREFIX + r'/lib/python3\.\d+/site-packages/numpy/_?core/include'),
        numpy.get_include(),
    ),
    (re.compile(BUILDER_PREFIX + r'/include/python3\.\d+'), sysconfig.get_path('include')),
)


def main() -> None:
    """Rewrite the CMake files in place."""
    for file in pathlib.Path(sys.prefix).glob('share/*/cmake/*.cmake'):
        text = fixed = file.read_text()
        for pattern, folder in RULES:
            fixed = pattern.sub(lambda _, folder=folder: folder, fixed)
        if fixed != text:
            file.write_text(fixed)


if __name__ == '__main__':
    main()
