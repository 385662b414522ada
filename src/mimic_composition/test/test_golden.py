"""The command lines are those of the real ros2 launch (launch 3.4.3, launch_ros 0.26.6).

`golden/ros2_launch.json` was recorded with it: it started `everything.launch.xml` with an
executable that writes down its arguments, the parameter files among them, and the variable X.
"""

import json
from pathlib import Path

import pytest

from mimic_composition.launcher.plan import Process
from mimic_composition.launcher.reader import Reader

GOLDEN = Path(__file__).parent / 'golden'
CASES = json.loads((GOLDEN / 'ros2_launch.json').read_text())


def _recorded(process: Process, prefix: Path) -> dict:
    argv = list(process.argv)
    if argv[0] == 'env':  # the launch-prefix is another program
        argv = argv[2:]
    shown = []
    for i, word in enumerate(argv):
        path = Path(word)
        if i and argv[i - 1] == '--params-file' and path.name.startswith('launch_params_'):
            shown.append({'file': path.read_text()})
        else:
            text = word.replace(str(GOLDEN), '{golden}').replace(str(prefix), '{prefix}')
            shown.append(text)
    return {'argv': shown, 'X': process.environment.get('X')}


@pytest.mark.parametrize('case', sorted(CASES))
def test_command_lines(case: str, prefix: Path, tmp_path: Path):
    environment = {'AMENT_PREFIX_PATH': str(prefix), 'GREETING': 'hello', 'PATH': '/usr/bin:/bin'}
    arguments = {**CASES[case]['arguments'], 'golden': str(GOLDEN)}
    plan = Reader(environment, tmp_path).read(GOLDEN / 'everything.launch.xml', arguments)
    ours = sorted((_recorded(p, prefix) for p in plan.processes()), key=json.dumps)
    assert len(ours) == len(CASES[case]['processes'])
    for mine, theirs in zip(ours, CASES[case]['processes'], strict=True):
        assert mine == theirs
