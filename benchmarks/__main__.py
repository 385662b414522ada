"""`./mimic bench NAME… [--seed N] [--quick] [--minutes M]`."""

import argparse
import importlib
import sys
import time
from pathlib import Path

from benchmarks.harness import Options, publish, save
from mimic_core.arguments import at_least
from mimic_core.errors import MimicError

NOT_BENCHES = {'__init__', '__main__', 'harness'}


def main() -> int:
    """Run the named benchmarks; exit code 0 says that they ran, not that targets are met.

    One that ends early writes no result: the last whole one stays.
    """
    folder = Path(__file__).parent
    known = {
        p.stem: p
        for p in sorted(folder.glob('*.py'))
        if p.stem not in NOT_BENCHES and 'def run(options: Options)' in p.read_text()
    }
    parser = argparse.ArgumentParser(prog='./mimic bench', description='Measure and compare.')
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(known))
    parser.add_argument('--seed', type=at_least(0), default=0, help='of every random choice')
    parser.add_argument('--quick', action='store_true', help='fewer repetitions')
    parser.add_argument(
        '--minutes', type=at_least(0, float), default=0.0, help='of benches that run for long'
    )
    parser.add_argument(
        '--only', nargs='+', default=[], metavar='NAME',
        help='tasks, policy_launch, practise, prepare: some tasks, hands, methods',
    )  # fmt: skip
    parser.add_argument('--publish', action='store_true', help='write docs/results/NAME.md too')
    arguments = parser.parse_args()
    if not arguments.names:
        for name in known:
            module = importlib.import_module(f'benchmarks.{name}')
            print(f'{name:14} {(module.__doc__ or "").strip().splitlines()[0]}')
        return 0
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        print(f'no bench named {", ".join(unknown)}; known: {", ".join(known)}', file=sys.stderr)
        return 2
    options = Options(arguments.seed, arguments.quick, arguments.minutes, tuple(arguments.only))
    for name in arguments.names:
        started = time.perf_counter()
        try:
            rows = importlib.import_module(f'benchmarks.{name}').run(options)
        except MimicError as error:
            print(f'{name}: {error}', file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(f'{name}: stopped', file=sys.stderr)
            return 130
        path = save(name, options, rows, started)
        if arguments.publish:
            print(f'published in {publish(path)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
