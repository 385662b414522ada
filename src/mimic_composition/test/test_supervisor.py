"""Real processes: output, deaths, stops."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mimic_composition.launcher.console import Console, log_folder
from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.plan import Delay, Load, Log, Plan, Process, Shutdown, Step
from mimic_composition.launcher.supervisor import Supervisor

PYTHON = sys.executable
DEAF = 'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); {}; time.sleep(60)'
DEAFER = 'signal.signal(signal.SIGTERM, signal.SIG_IGN)'


def python(code: str, label: str = 'child', **options: object) -> Process:
    environment = {'PATH': os.environ['PATH'], 'PYTHONUNBUFFERED': '1'}
    options = {'output': 'screen', **options}
    return Process(label, (PYTHON, '-S', '-E', '-c', code), environment, **options)


def run(tmp_path: Path, *steps: Step) -> tuple[int, str]:
    screen = io.StringIO()
    console = Console(tmp_path, screen)
    code = Supervisor(console, lambda load: pytest.fail(str(load))).run(Plan(steps, ()))
    console.close()
    return code, screen.getvalue()


def test_output_has_the_name_in_front(tmp_path: Path):
    code, text = run(
        tmp_path,
        Log('hello'),
        python('print("one"); print("two", end="")', 'first'),
        python('import sys; sys.stderr.write("oops\\n")', 'second', output='log'),
        python('print("quiet")', 'third', output='log'),
    )
    assert code == 0
    assert '[INFO] [launch.user]: hello\n' in text
    assert '[first-1] one\n[first-1] two\n' in text
    assert '[second-2] oops\n' in text
    assert 'quiet' not in text
    assert re.search(r'\[first-1\]: process has finished cleanly \[pid \d+\]', text)
    (log,) = tmp_path.glob('*/launch.log')
    assert '[third-3] quiet' in log.read_text()


def test_a_child_that_dies_is_named_with_its_code_and_the_others_go_on(tmp_path: Path):
    code, text = run(
        tmp_path,
        python('raise SystemExit(3)', 'bad'),
        python('import time; time.sleep(0.3); print("still here")', 'good'),
    )
    assert code == 1
    assert re.search(
        r"\[ERROR\] \[bad-1\]: process has died \[pid \d+, exit code 3, cmd '.+'\]", text
    )
    assert '[good-2] still here' in text


def test_a_program_that_is_not_there(tmp_path: Path):
    code, text = run(tmp_path, Process('none', ('/none/x',), {}))
    assert code == 1
    assert "[ERROR] [none-1]: cannot start '/none/x': No such file or directory" in text


def test_respawn_stops_after_its_retries(tmp_path: Path):
    code, text = run(tmp_path, python('raise SystemExit(1)', respawn=True, respawn_max_retries=2))
    assert code == 1
    assert text.count('process has died') == 3


def test_what_is_required_ends_all(tmp_path: Path):
    start = time.monotonic()
    code, text = run(
        tmp_path,
        python('import time; time.sleep(60)', 'long'),
        python('import time; time.sleep(0.5)', 'needed', required=True),
    )
    assert time.monotonic() - start < 10
    assert code == 0
    assert 'process[needed-2] was required' in text


def test_a_timer_can_end_all(tmp_path: Path):
    code, text = run(
        tmp_path, python('import time; time.sleep(60)'), Delay(0.5, (Shutdown('enough'),))
    )
    assert code == 0
    assert '[launch]: enough' in text


def test_a_deaf_child_gets_louder_signals(tmp_path: Path):
    options = {'sigterm_timeout': 0.4, 'sigkill_timeout': 0.4}
    code, text = run(
        tmp_path,
        python(DEAF.format('print("up")'), 'deaf', **options),
        python(DEAF.format(DEAFER), 'deafer', **options),
        Delay(1.0, (Shutdown('enough'),)),
    )
    assert code == 1  # one had to be killed
    assert '[INFO] [deaf-1]: sending SIGTERM' in text
    assert re.search(r'\[deaf-1\]: process has died \[pid \d+, exit code -15', text)
    assert re.search(r'\[deafer-2\]: process has died \[pid \d+, exit code -9', text)


def test_a_child_whose_own_child_keeps_the_pipe_does_not_hold_us_up(tmp_path: Path):
    start = time.monotonic()
    code, _ = run(tmp_path, Process('sh', ('/bin/sh', '-c', 'sleep 60 & exit 0'), {}))
    assert code == 0
    assert time.monotonic() - start < 5


def test_components_that_cannot_be_loaded_end_all(tmp_path: Path):
    def loader(load: Load) -> Process:
        raise LaunchFileError('no loader')

    screen = io.StringIO()
    console = Console(tmp_path, screen)
    steps = (python('import time; time.sleep(60)'), Load('/box', (), {}))
    start = time.monotonic()
    assert Supervisor(console, loader).run(Plan(steps, ())) == 1
    assert time.monotonic() - start < 20
    assert '[ERROR] [launch]: no loader' in screen.getvalue()
    (log,) = tmp_path.glob('*/launch.log')
    assert 'no loader' in log.read_text()  # written at once
    console.close()


def test_long_lines_and_bytes_that_are_no_text(tmp_path: Path):
    code, text = run(
        tmp_path,
        python(
            'import sys; sys.stdout.buffer.write(b"\\xff\\n" + b"x" * 3_000_000 + b"\\nend\\n")'
        ),
    )
    assert code == 0
    assert '[child-1] \ufffd\n' in text
    assert text.count('x') > 2_900_000
    assert '[child-1] end\n' in text


LAUNCH = """<launch>
  <let name="code" value="import time; print(1, flush=True); time.sleep(60)"/>
  <executable cmd="{python} -c '$(var code)'" name="a" output="screen"/>
  <executable cmd="{python} -c '$(var code)'" name="b" output="screen"/>
</launch>"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_to_the_launcher_end_its_children(tmp_path: Path, number: signal.Signals):
    path = tmp_path / 'a.launch.xml'
    path.write_text(LAUNCH.format(python=PYTHON))
    environment = {**os.environ, 'ROS_LOG_DIR': str(tmp_path)}
    environment['PYTHONPATH'] = os.pathsep.join(sys.path)
    launcher = subprocess.Popen(
        [PYTHON, '-m', 'mimic_composition.launcher.cli', str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    pids, ready = set(), set()
    assert launcher.stdout is not None
    while len(ready) < 2:
        line = launcher.stdout.readline()
        assert line, 'the launcher ended'
        pids |= {int(pid) for pid in re.findall(r'started with pid \[(\d+)\]', line)}
        ready |= set(re.findall(r'^\[([ab]-\d)\] \d', line))
    launcher.send_signal(number)
    launcher.wait(20)
    assert launcher.returncode == (-9 if number == signal.SIGKILL else 0)
    deadline = time.monotonic() + 5
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if _runs(pid)] == []


def _runs(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')')[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_where_logs_go():
    assert log_folder({'ROS_LOG_DIR': '/a'}) == Path('/a')
    assert log_folder({'ROS_HOME': '/b'}) == Path('/b/log')
    assert log_folder({}) == Path('~/.ros/log').expanduser()
