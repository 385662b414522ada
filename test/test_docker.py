"""The images, their compose files and install.sh: what can be checked without an engine."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from workspace import ROOT

DOCKER = ROOT / 'docker'
SCRIPTS = sorted(DOCKER.glob('*.sh'))
IMAGES = sorted(DOCKER.glob('*Dockerfile'))
COMPOSE = sorted(DOCKER.glob('compose.*.yaml'))
MODES = [path for path in COMPOSE if path.name != 'compose.common.yaml']
INSTALL = (DOCKER / 'install.sh').read_text()
PHASES = {'base', 'ros', 'devices', 'display', 'user', 'workspace', 'learning', 'lab'}
# Of Linux: admin-guide/devices.txt
MAJORS = {13: 'input', 81: 'video4linux', 166: 'ttyACM', 188: 'ttyUSB', 189: 'usb', 226: 'drm'}

by_name = {'ids': lambda path: path.name}


def array(name: str) -> list[str]:
    """Return the words of an array of install.sh."""
    found = re.search(rf'^{name}=\(([^)]*)\)', INSTALL, re.MULTILINE)
    return found.group(1).split()


def instructions(path: Path) -> list[str]:
    """Return the lines of a Dockerfile, continued ones joined."""
    text = re.sub(r'\\\n\s*', ' ', path.read_text())
    return [line for line in text.splitlines() if line and not line.startswith('#')]


def services(path: Path) -> dict[str, dict]:
    return yaml.safe_load(path.read_text())['services']


def resolved(path: Path, name: str) -> dict:
    """Return a service with what it extends, as compose merges it."""
    service = dict(services(path)[name])
    above = service.pop('extends', None)
    if above is None:
        return service
    merged = dict(resolved(DOCKER / above.get('file', path.name), above['service']))
    for key, value in service.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merged[key] | value
        elif isinstance(value, list) and key not in ('command', 'entrypoint'):
            merged[key] = merged.get(key, []) + value
        else:
            merged[key] = value
    return merged


# Scripts ------------------------------------------------------------------------------------


@pytest.mark.parametrize('path', SCRIPTS, **by_name)
def test_scripts_parse_and_stop_at_errors(path):
    subprocess.run(['bash', '-n', str(path)], check=True)
    assert os.access(path, os.X_OK)
    assert re.search(r'^set -euo? ?pipefail$|^set -eo pipefail$', path.read_text(), re.MULTILINE)


@pytest.mark.parametrize('path', SCRIPTS, **by_name)
def test_shellcheck(path):
    if shutil.which('shellcheck') is None:
        pytest.skip('shellcheck is not installed')
    done = subprocess.run(['shellcheck', str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_phase_is_a_function_and_in_the_help():
    for phase in PHASES:
        assert re.search(rf'^{phase}\(\) \{{', INSTALL, re.MULTILINE), phase
    text = subprocess.run(
        [str(DOCKER / 'install.sh'), 'help'], capture_output=True, text=True, check=True
    ).stdout
    for phase in PHASES:
        assert re.search(rf'^  {phase}\b', text, re.MULTILINE), phase


def test_an_unknown_phase_is_refused():
    done = subprocess.run([str(DOCKER / 'install.sh'), 'bse'], capture_output=True, text=True)
    assert done.returncode == 1 and "no phase 'bse'" in done.stderr


def test_a_phase_that_changes_the_system_needs_root():
    if os.geteuid() != 0:
        command = [str(DOCKER / 'install.sh'), 'devices']
    elif shutil.which('setpriv'):
        command = ['setpriv', '--reuid=65534', '--clear-groups', 'bash', '-s', 'devices']
    else:
        pytest.skip('runs as root, and cannot become another user')
    done = subprocess.run(command, input=INSTALL, capture_output=True, text=True, cwd='/')
    assert done.returncode == 1 and 'run it as root' in done.stderr


def test_the_base_is_what_mimic_asks_for():
    mimic = (ROOT / 'mimic').read_text()
    body = re.search(r'missing_system_packages\(\) \{.*?\n\}', mimic, re.DOTALL).group()
    asked = set(re.findall(r'echo ([\w.+-]+)', body)) - {'python3-colcon-common-extensions'}
    assert asked <= set(array('BASE_PACKAGES'))


@pytest.mark.parametrize('name', ['BASE_PACKAGES', 'DEVICE_PACKAGES', 'DISPLAY_PACKAGES'])
def test_packages_exist(name):
    if shutil.which('apt-cache') is None:
        pytest.skip('no apt here')
    if not list(Path('/var/lib/apt/lists').glob('*Packages*')):
        pytest.skip('the lists of apt are not fetched: apt-get update')
    command = ['apt-cache', 'show', '--no-all-versions', *array(name)]
    text = subprocess.run(command, capture_output=True, text=True).stdout
    found = set(re.findall(r'^Package: (.+)$', text, re.MULTILINE))
    assert set(array(name)) - found == set()


def test_the_ros_packages_are_those_that_launch_files_and_configurations_name():
    names = array('ROS_PACKAGES')
    assert len(names) == len(set(names))
    used = set()
    for path in [*ROOT.glob('launch/**/*.xml'), *ROOT.glob('src/*/launch/*.xml')]:
        used |= set(re.findall(r'<node pkg="([a-z_0-9]+)"', path.read_text()))
    own = {path.parent.name for path in ROOT.glob('src/**/package.xml')}
    installed = {name.removeprefix('ros-jazzy-').replace('-', '_') for name in names}
    providers = {'moveit_ros_move_group': 'moveit'}
    wanted = {providers.get(name, name) for name in used - own}
    assert wanted - installed == set()


def test_udev_rules():
    rules = re.search(r'udev_rules\(\) \{\n  cat <<.TEXT.\n(.*?)\nTEXT', INSTALL, re.DOTALL)
    lines = [line for line in rules.group(1).splitlines() if not line.startswith('#')]
    pair = re.compile(
        r'(ACTION|SUBSYSTEM|KERNEL|DRIVER|ATTRS?\{\w+\})=="[^"]+"'
        r'|(GROUP|MODE|ENV\{\w+\}|ATTR\{\w+\})="[^"]+"|RUN\+="[^"]+"'
    )
    groups = array('GROUPS_OF_DEVICES')
    for line in lines:
        for item in re.split(r', (?=[A-Z])', line):
            assert pair.fullmatch(item), item
        for group in re.findall(r'GROUP="(\w+)"', line):
            assert group in groups
    # Adapters of: Dynamixel and Robotiq, Feetech, Ability, RealSense
    assert set(re.findall(r'idVendor\}=="(\w+)"', '\n'.join(lines))) >= {
        '0403', '1a86', '10c4', '8086',
    }  # fmt: skip


def test_the_pages_and_the_script_agree():
    page = (ROOT / 'docs' / 'docker.md').read_text()
    for phase in PHASES:
        assert f'`{phase}' in page, phase
    for path in (*IMAGES, *COMPOSE):
        assert path.name in page, path.name


# Images -------------------------------------------------------------------------------------


@pytest.mark.parametrize('path', IMAGES, **by_name)
def test_images(path):
    lines = instructions(path)
    assert lines[0].startswith('FROM ') and ':' in lines[0], 'a base with a tag comes first'
    known = {'FROM', 'ENV', 'COPY', 'RUN', 'WORKDIR', 'ENTRYPOINT', 'CMD'}
    assert {line.split()[0] for line in lines} <= known
    ignored = (ROOT / '.dockerignore').read_text().split()
    for line in lines:
        if line.startswith('COPY '):
            *sources, _ = line.split()[1:]
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source.split('/')[0] not in ignored, f'{source} is not sent to the engine'
        for call in re.findall(r'install\.sh ([\w ]+)', line):
            words = call.split(' rm')[0].split()
            assert set(words) <= PHASES, line
        for entry in re.findall(r'ENTRYPOINT \["([^"]+)"\]', line):
            assert os.access(ROOT / entry, os.X_OK)
    assert lines[-1].startswith('CMD ')


def test_what_an_image_does_not_need_stays_out():
    ignored = set((ROOT / '.dockerignore').read_text().split())
    assert {'.git', '.venv', 'build', 'install', 'log', 'out', 'episodes', 'runs'} <= ignored


# Compose ------------------------------------------------------------------------------------


def test_there_is_one_file_for_each_mode():
    names = {path.name.split('.')[1] for path in MODES}
    assert names == {'shadow', 'collect', 'replay', 'view', 'train'}


@pytest.mark.parametrize('path', MODES, **by_name)
def test_services(path):
    for name in services(path):
        service = resolved(path, name)
        image = (DOCKER / service['build']['context'] / service['build']['dockerfile']).resolve()
        assert image in IMAGES
        assert service['network_mode'] == 'host' and service['ipc'] == 'host'
        for volume in service['volumes']:
            source, target = re.sub(r'\$\{[^}]*\}', '/var', volume).split(':')[:2]
            assert source.startswith(('/', '../')) and target.startswith('/'), volume
        command = service['command']
        mimic = (ROOT / 'mimic').read_text()
        assert re.search(rf'^  {command[0]}\)', mimic, re.MULTILINE), command[0]
        if command[0] == 'launch':
            check_launch(command[1], command[2:])


def check_launch(mode: str, arguments: list[str]) -> None:
    path = ROOT / 'launch' / f'{mode}.launch.xml'
    text = path.read_text()
    if 'shadow.launch.xml' in text:  # collect has its arguments too
        text += (ROOT / 'launch' / 'shadow.launch.xml').read_text()
    known = dict(re.findall(r'<arg name="(\w+)" default="([^"]*)"', text))
    for argument in arguments:
        name, value = argument.split(':=')
        assert name in known, argument
        default = re.fullmatch(r'\$\{[A-Z_]+:-([\w]*)\}', value)
        assert default, f'{argument} cannot be changed'
        if name != 'rviz':  # the image has RViz, a laptop may not
            assert default.group(1) == known[name], f'{argument}: the launch file says otherwise'


@pytest.mark.parametrize('mode', ['shadow', 'collect', 'replay', 'view'])
def test_lab_services_reach_their_devices(mode):
    service = resolved(DOCKER / f'compose.{mode}.yaml', mode)
    rules = [rule.split('#')[0].split() for rule in service['device_cgroup_rules']]
    assert {int(rule[1].split(':')[0]) for rule in rules} == set(MAJORS)
    assert all(rule[0] == 'c' and rule[2] == 'rwm' for rule in rules)
    assert set(service['group_add']) == set(array('GROUPS_OF_DEVICES'))
    limits = re.findall(r'^@realtime - (\w+)', INSTALL, re.MULTILINE)
    assert set(limits) >= set(service['ulimits']) == {'rtprio', 'memlock'}
    assert 'SYS_NICE' in service['cap_add'] and 'DISPLAY' in service['environment']


def test_training_sees_what_commands_write_and_keeps_it():
    volumes = resolved(DOCKER / 'compose.train.yaml', 'train')['volumes']
    kept = {volume.split(':')[0].removeprefix('../') for volume in volumes}
    written = {'episodes', 'out', 'runs'}  # robots and people; datasets and policies; practice
    assert kept == written | {'config'}


def test_files_that_the_page_names_are_there():
    page = (ROOT / 'docs' / 'docker.md').read_text()
    named = re.findall(r'docker/[\w.]+\w|(?:compose|lab|train)\.[\w.]+\w|test/\w+\.py', page)
    assert len(named) > 10
    for name in named:
        assert (ROOT / name).exists() or (DOCKER / name).exists(), name


def test_training_reserves_the_card():
    service = resolved(DOCKER / 'compose.train.yaml', 'train')
    (device,) = service['deploy']['resources']['reservations']['devices']
    assert device['driver'] == 'nvidia' and 'gpu' in device['capabilities']


def test_compose_itself_accepts_the_files():
    if shutil.which('docker') is None:
        pytest.skip('no docker client here')
    probe = subprocess.run(['docker', 'compose', 'version'], capture_output=True)
    if probe.returncode != 0:
        pytest.skip('the docker client has no compose')
    for path in MODES:
        command = ['docker', 'compose', '-f', str(path), 'config', '--quiet']
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_bare_root():
    """Minutes: off unless MIMIC_TRY_ROOT names a suite, such as bookworm."""
    suite = os.environ.get('MIMIC_TRY_ROOT')
    if not suite:
        pytest.skip('takes minutes: set MIMIC_TRY_ROOT=bookworm')
    if os.geteuid() != 0 or shutil.which('debootstrap') is None:
        pytest.skip('needs root and debootstrap')
    command = [str(DOCKER / 'try_root.sh'), '--suite', suite]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'joint_states flow' in done.stdout
