"""Messages say what their fields mean, and the underlay's are those of an installed ROS."""

import json
import re
from pathlib import Path

import pytest
from workspace import ROOT

from mimic_core.topics import ACTIONS, SERVICES, TOPICS

INTERFACES = sorted((ROOT / 'src/mimic_interfaces').glob('*/*.*'))
# RIHS01 type hashes of Jazzy; a different field order or type changes them.
UPSTREAM = {
    'tf2_msgs/msg/TFMessage': 'e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087',
    'composition_interfaces/srv/LoadNode': (
        '2e521ef6066fba6d7fc3a3b175d486709f01b4d738d9a59188858546fc8e5acd'
    ),
    'moveit_msgs/msg/ServoStatus': (
        '882a75f7648d6f8a9bf528e4787f51c58f2d5d88b702e450443d99f270e6936b'
    ),
    'moveit_msgs/srv/ServoCommandType': (
        '2065f4daf271249330596d344ecd48f5c2d2a52e3b21b1fc56d99c52b8eeae22'
    ),
    'moveit_msgs/srv/GetMotionPlan': (
        '0e118e1d8d53d5fea8eea309fc06a58239fa0e617864127e7de8399ab7335b27'
    ),
}
UNIT = re.compile(r'^(u?int\d+|float\d+|bool|string|byte|char|[\w/]+)(\[[\d<=]*\])?\s+\w+')


@pytest.mark.parametrize('path', INTERFACES, ids=lambda p: p.name)
def test_every_field_is_explained(path: Path):
    """By a comment behind it; a name that says all may do without only for headers and arrays
    of documented messages.
    """
    wrong = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith('#') or text == '---' or '=' in text.split('#')[0]:
            continue
        plain = text.split()[0].split('[')[0]
        needs = plain in {'string', 'bool', 'byte', 'char'} or plain.startswith(
            ('float', 'int', 'uint', 'geometry_msgs', 'builtin_interfaces')
        )
        obvious = text.split()[1:] in (['success'], ['state'])
        if needs and '#' not in text and not obvious:
            wrong.append(f'{number}: {text}')
    assert wrong == []


@pytest.mark.parametrize('path', INTERFACES, ids=lambda p: p.name)
def test_floating_point_fields_have_units(path: Path):
    wrong = [
        line.strip()
        for line in path.read_text().splitlines()
        if re.match(r'\s*float\d+', line) and not re.search(r'#.*\[[\w/^²·%, ]+\]', line)
    ]
    assert wrong == []


def _defined() -> set[str]:
    own = {f'mimic_interfaces/{p.parent.name}/{p.stem}' for p in INTERFACES}
    under = {
        f'{p.parent.parent.name}/{p.parent.name}/{p.stem}' for p in ROOT.glob('underlay/*/*/*.*')
    }
    return own | under


def test_types_of_the_table_exist():
    wanted = {row.type for row in TOPICS.values()} | set(SERVICES.values()) | set(ACTIONS.values())
    ours = {t for t in wanted if t.startswith(('mimic_interfaces/', 'tf2_msgs/'))}
    assert ours - _defined() == set()


def test_every_message_of_ours_is_built():
    cmake = (ROOT / 'src/mimic_interfaces/CMakeLists.txt').read_text()
    if 'GLOB' not in cmake:
        assert [p.name for p in INTERFACES if p.name not in cmake] == []


@pytest.mark.parametrize('name', sorted(UPSTREAM))
def test_the_underlay_has_the_types_of_an_installed_ros(name: str):
    package, kind, stem = name.split('/')
    file = ROOT / f'install/{package}/share/{package}/{kind}/{stem}.json'
    if not file.exists():
        pytest.skip('the underlay is not built here (an installed ROS has its own)')
    hashes = {
        entry['type_name']: entry['hash_string']
        for entry in json.loads(file.read_text())['type_hashes']
    }
    assert hashes[name] == f'RIHS01_{UPSTREAM[name]}'
