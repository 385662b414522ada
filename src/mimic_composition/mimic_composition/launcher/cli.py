"""`launch PACKAGE FILE name:=value…` and `launch PATH name:=value…`."""

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mimic_composition.launcher.console import Console, log_folder
from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.packages import Packages
from mimic_composition.launcher.plan import Load, Plan, Process
from mimic_composition.launcher.reader import Reader
from mimic_composition.launcher.supervisor import Supervisor
from mimic_core.errors import UnknownNameError


def main() -> None:
    """Be the command."""
    raise SystemExit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Read a launch file and run it; return the exit code."""
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix='launch_') as folder:
        try:
            path, given = _find(options.words)
            if options.show_args:
                return _show_arguments(path, given, Path(folder))
            plan = Reader(os.environ, Path(folder)).read(path, given)
        except LaunchFileError as error:
            sys.stderr.write(f'launch: {error}\n')
            return 1
        except KeyboardInterrupt:  # nothing runs yet
            return 130
        if options.print:
            return _print(plan)
        console = Console(log_folder(os.environ))
        console.note('INFO', 'launch', f'the log is in {console.folder}')
        loader = _Loader(Path(folder))
        try:
            return Supervisor(console, loader).run(plan)
        finally:
            console.close()


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='launch',
        usage='launch [-s] [-p] PACKAGE FILE [name:=value …] | launch PATH [name:=value …]',
        description='Start an XML launch file as `ros2 launch` does.',
    )
    parser.add_argument(
        '-s', '--show-args', action='store_true', help='list the arguments, start nothing'
    )
    parser.add_argument(
        '-p', '--print', action='store_true', help='list the command lines, start nothing'
    )
    parser.add_argument('words', nargs='+', help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _find(words: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """Return the launch file and the arguments that were given."""
    names = [word for word in words if ':=' not in word]
    given = dict(word.split(':=', 1) for word in words if ':=' in word)
    if len(names) == 1 and Path(names[0]).is_file():
        return Path(names[0]), given
    if len(names) != 2:
        raise LaunchFileError(f"give a package and a file, or a path; got '{' '.join(names)}'")
    share = Packages(os.environ).share(names[0])
    found = {path.name: path for path in sorted(share.rglob('*.launch.xml'))}
    if names[1] not in found:
        error = UnknownNameError(f'launch file of {names[0]}', names[1], found)
        raise LaunchFileError(str(error))
    return found[names[1]], given


def _show_arguments(path: Path, given: dict[str, str], folder: Path) -> int:
    plan = Reader(os.environ, folder).read(path, given)
    write = sys.stdout.write
    write("Arguments (pass arguments as '<name>:=<value>'):\n")
    for argument in plan.arguments:
        choices = f' One of: {", ".join(argument.choices)}.' if argument.choices else ''
        write(f"\n    '{argument.name}':\n        {argument.description}{choices}\n")
        if argument.default is not None:
            write(f"        (default: '{argument.default}')\n")
    if not plan.arguments:
        write('\n  No arguments.\n')
    return 0


def _print(plan: Plan) -> int:
    for process in plan.processes():
        sys.stdout.write(shlex.join(process.argv) + '\n')
    for step in plan.steps:
        if isinstance(step, Load):
            for component in step.components:
                text = f'{component.package} {component.plugin} as {component.name}'
                sys.stdout.write(f'load into {step.container}: {text}\n')
    for warning in plan.warnings:
        sys.stderr.write(f'launch: {warning}\n')
    return 0


class _Loader:
    """Makes the process that loads components: the launcher itself knows no ROS."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def __call__(self, load: Load) -> Process:
        self._count += 1
        path = self._folder / f'components_{self._count}.json'
        path.write_text(json.dumps([asdict(component) for component in load.components]))
        executable = Packages(load.environment).executable('mimic_composition', 'load')
        return Process(
            label='load',
            argv=(str(executable), load.container, str(path)),
            environment=load.environment,
            output='screen',
        )


if __name__ == '__main__':
    main()
