"""./mimic on machines that lack something: one sentence and a non-zero exit code."""

import fcntl
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def clone(tmp_path):
    """The set-up files of a fresh clone; programs in bin/ beside it come first in PATH."""
    folder = tmp_path / 'clone'
    folder.mkdir()
    for name in ('mimic', 'requirements.txt', 'requirements-ros.txt'):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / 'tools', folder / 'tools')
    (tmp_path / 'bin').mkdir()
    return folder


def program(clone, name, text):
    path = clone.parent / 'bin' / name
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def mimic(clone, *arguments, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith(('ROS_', 'AMENT_', 'COLCON_'))}
    for name in ('VIRTUAL_ENV', 'PYTHONPATH', 'LD_LIBRARY_PATH', '_ROS_WHEELS_BOOTSTRAP_COMPLETE'):
        env.pop(name, None)
    venv = str(ROOT / '.venv' / 'bin')
    paths = [p for p in env['PATH'].split(':') if p != venv]
    env['PATH'] = ':'.join([str(clone.parent / 'bin'), *paths])
    return subprocess.run(
        [str(clone / 'mimic'), *arguments], env={**env, **environment}, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


def last_line(done):
    return done.stderr.strip().splitlines()[-1]


def test_help_names_every_command():
    text = mimic(ROOT, 'help').stdout
    for command in ('demo', 'test', 'build', 'launch', 'run', 'bench', 'shell'):
        assert f'  {command}' in text


def test_an_unknown_command_is_refused():
    done = mimic(ROOT, 'dmeo')
    assert done.returncode == 1 and "no command 'dmeo'" in done.stderr


def test_shared_memory_of_killed_processes_is_removed_and_no_other():
    memory = Path('/dev/shm')
    names = [f'fastrtps_{os.getpid():015d}{digit}' for digit in '01']
    left, used = ([memory / name, memory / f'{name}_el'] for name in names)
    try:
        for file in left + used:
            file.write_bytes(b'')
        with used[1].open('ab') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = mimic(ROOT, 'shell', '-c', 'true')
            assert done.returncode == 0, done.stderr
            assert not any(file.exists() for file in left) and all(file.exists() for file in used)
    finally:
        for file in left + used:
            file.unlink(missing_ok=True)


def test_a_python_that_does_not_fit(clone):
    program(clone, 'python-old', 'exit 1')
    done = mimic(clone, 'build', MIMIC_PYTHON='python-old')
    assert done.returncode == 1
    assert 'needs Python 3.11 or 3.12' in last_line(done) and 'apt-get install' in last_line(done)


def test_a_missing_compiler_says_which_command_installs_it(clone):
    program(clone, 'id', 'echo 1000')  # not root
    hidden = clone.parent / 'path'
    hidden.mkdir()
    for folder in os.environ['PATH'].split(':'):
        for file in Path(folder).glob('*') if Path(folder).is_dir() else ():
            if file.name not in ('g++', 'cmake') and not (hidden / file.name).exists():
                (hidden / file.name).symlink_to(file)
    shutil.copy(clone.parent / 'bin' / 'id', hidden / 'id.stand-in')
    (hidden / 'id').unlink(missing_ok=True)
    (hidden / 'id').symlink_to(hidden / 'id.stand-in')
    python = os.path.realpath(shutil.which('python3'))
    done = subprocess.run(
        [shutil.which('bash'), str(clone / 'mimic'), 'build'],
        env={'PATH': str(hidden), 'HOME': str(clone), 'MIMIC_PYTHON': python},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'sudo apt-get install' in last_line(done)
    assert 'g++' in last_line(done) and 'cmake' in last_line(done)


def test_a_full_disk(clone):
    program(clone, 'df', 'echo "Filesystem 1M-blocks Used Available"; echo "disk 100 90 10 90% /"')
    done = mimic(clone, 'build')
    assert done.returncode == 1
    assert 'only 10 MB are free' in last_line(done) and 'free some room' in last_line(done)


def test_a_registry_that_cannot_be_reached(clone):
    done = mimic(
        clone, 'build', PIP_INDEX_URL='http://127.0.0.1:9/simple', PIP_RETRIES='0',
        PIP_CONFIG_FILE=os.devnull, PIP_NO_CACHE_DIR='1', PIP_FIND_LINKS='',
        PIP_EXTRA_INDEX_URL='',
    )  # fmt: skip
    assert done.returncode == 1
    assert 'a package registry cannot be reached' in last_line(done)
    assert 'setup.log' in last_line(done)


def with_ros(clone, modules):
    """What a shell has in which an installed ROS 2 is sourced: ros2, and its Python modules."""
    program(clone, 'ros2', 'exit 0')
    program(clone, 'colcon', 'exit 0')
    folder = clone.parent / 'ros_modules'
    folder.mkdir()
    for module in modules:
        (folder / f'{module}.py').touch()
    return {
        'ROS_DISTRO': 'jazzy', 'PYTHONPATH': str(folder), 'AMENT_PREFIX_PATH': str(folder),
        'MIMIC_PYTHON': os.path.realpath(shutil.which('python3')), 'PIP_RETRIES': '0',
        'PIP_INDEX_URL': 'http://127.0.0.1:9/simple', 'PIP_CONFIG_FILE': os.devnull,
        'PIP_NO_CACHE_DIR': '1', 'PIP_FIND_LINKS': '', 'PIP_EXTRA_INDEX_URL': '',
    }  # fmt: skip


def test_another_ros_is_refused(clone):
    done = mimic(clone, 'build', ROS_DISTRO='humble')
    assert done.returncode == 1
    assert 'ROS 2 humble is sourced, this needs Jazzy' in last_line(done)


def test_an_installed_ros_needs_its_own_python(clone):
    done = mimic(clone, 'build', **with_ros(clone, ['numpy']))
    assert done.returncode == 1 and 'MIMIC_PYTHON' in last_line(done)


def test_an_installed_ros_is_used(clone):
    (clone / '.venv').mkdir()
    (clone / '.venv' / '.created').write_text('wheels\n')  # from a time without ROS
    (clone / '.venv' / 'bin').mkdir()
    (clone / '.venv' / 'bin' / 'python').symlink_to(os.path.realpath(shutil.which('python3')))
    done = mimic(clone, 'build', **with_ros(clone, ['numpy', 'rclpy']))
    assert 'a package registry cannot be reached' in last_line(done)  # so far it comes here
    assert 'include-system-site-packages = true' in (clone / '.venv/pyvenv.cfg').read_text()
    pins = (clone / '.venv/pins-base.txt').read_text()
    assert 'mujoco==' in pins
    assert not any(line.startswith(('numpy==', 'ros-', 'colcon-')) for line in pins.splitlines())
