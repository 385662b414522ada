"""What is written twice is the same: README, parameters, topics, modes, launch file."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mimic_control import ControlParams, Mode
from mimic_control.intake import SOURCES
from mimic_core.params import info_of
from mimic_core.topics import ACTIONS, SERVICES, TOPICS

PACKAGE = Path(__file__).parents[1]
README = (PACKAGE / 'README.md').read_text()


def rows(heading: str) -> list[list[str]]:
    section = README.split(f'## {heading}\n', 1)[1].split('\n## ')[0]
    lines = [line for line in section.splitlines() if line.startswith('| ')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_the_readme_lists_every_parameter() -> None:
    table = {row[0]: row for row in rows('Parameters')}
    fields = dataclasses.fields(ControlParams)
    assert {field.name for field in fields} == set(table) - {'name', '---'}
    for field in fields:
        default, meaning = table[field.name][2], table[field.name][4]
        assert default.strip("'") == str(field.default).replace('True', 'true').replace(
            'False', 'false'
        )
        assert meaning == info_of(field).description


def test_the_readme_lists_topics_as_the_table_has_them() -> None:
    for heading in ('Topics in', 'Topics out'):
        for name, kind, *rest in rows(heading):
            if name in TOPICS:
                assert kind == TOPICS[name].type
                assert rest[1] == TOPICS[name].qos
            elif name in SERVICES or name in ACTIONS:
                assert kind == (SERVICES | ACTIONS)[name]
            else:
                assert name in ('name', '---', 'service or action')
    for source in SOURCES:
        assert f'{source}/command' in TOPICS


def test_the_launch_file_names_parameters_of_the_node() -> None:
    launch = ElementTree.parse(PACKAGE / 'launch' / 'control.launch.xml').getroot()
    names = {field.name for field in dataclasses.fields(ControlParams)}
    for param in launch.iter('param'):
        assert param.get('name') in names
    for arg in launch.findall('arg'):
        assert arg.get('description')


def test_the_node_is_thin() -> None:
    assert len((PACKAGE / 'mimic_control' / 'node.py').read_text().splitlines()) <= 150


def test_cores_know_no_ros() -> None:
    for file in (PACKAGE / 'mimic_control').glob('*.py'):
        if not file.name.endswith(('node.py', 'conversions.py')):
            assert not re.search(
                r'^(from|import) (rclpy|\w+_msgs|mimic_interfaces)', file.read_text(), re.M
            )


@pytest.mark.ros
def test_modes_are_those_of_the_message() -> None:
    from mimic_interfaces.msg import ControlStatus

    for mode in Mode:
        assert getattr(ControlStatus, mode.name) == mode


@pytest.mark.ros
def test_kinds_are_those_of_the_message() -> None:
    from mimic_control.audit import AuditEvent, Kind
    from mimic_interfaces.msg import ControlAudit

    for kind in Kind:
        assert getattr(ControlAudit, kind.name) == kind
    fields = set(ControlAudit.get_fields_and_field_types())
    assert fields - {'header'} == {f.name for f in dataclasses.fields(AuditEvent)} - {'stamp'}
