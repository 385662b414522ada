"""The tables of the READMEs agree with the table of topics and with the parameters."""

import dataclasses
import re

import pytest
from workspace import Package, params_class, python_packages

from mimic_core.topics import ACTIONS, SERVICES, TOPICS

KINDS = {**{name: row.type for name, row in TOPICS.items()}, **SERVICES, **ACTIONS}
each = pytest.mark.parametrize('package', python_packages(), ids=lambda p: p.name)


def _tables(text: str) -> dict[str, list[list[str]]]:
    """Rows of the tables under each heading, without their heads."""
    found: dict[str, list[list[str]]] = {}
    heading, rows = '', 0
    for line in text.splitlines():
        if line.startswith('#'):
            heading, rows = line.lstrip('# ').strip(), 0
        elif line.startswith('|'):
            rows += 1
            cells = [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
            if rows > 2:
                found.setdefault(heading, []).append(cells)
        else:
            rows = 0
    return found


def _names(cell: str) -> list[str]:
    if cell.startswith('every topic'):
        return []
    return [name.strip(' `') for name in re.split(r',|<br>', cell)]


def _qos(cell: str) -> str:
    return re.split(r'[,(]', cell)[0].strip().replace(' ', '_')


@each
def test_topics(package: Package):
    text = (package.folder / 'README.md').read_text()
    wrong = []
    for heading, rows in _tables(text).items():
        if not heading.lower().startswith('topics'):
            continue
        for row in rows:
            for name in _names(row[0]):
                wanted = KINDS.get(name)
                given = re.split(r'[ ,;]', row[1].strip('`'))[0]
                if wanted is None:
                    wrong.append(f'{heading}: {name} is not in topics.py')
                elif given.replace('/msg/', '/') != wanted.replace('/msg/', '/'):
                    wrong.append(f'{name}: {given}, not {wanted}')
                elif name in TOPICS and _qos(row[3]) != TOPICS[name].qos:
                    wrong.append(f'{name}: {row[3]}, not {TOPICS[name].qos}')
    assert wrong == []


@each
def test_headings(package: Package):
    text = (package.folder / 'README.md').read_text()
    if package.name == 'mimic_core':
        return
    headings = re.findall(r'^## (.+)$', text, re.MULTILINE)
    assert [h for h in ('Topics in', 'Topics out', 'Parameters') if h not in headings] == []


@pytest.mark.parametrize(
    'package',
    [package for package in python_packages() if package.name.endswith('_driver')],
    ids=lambda package: package.name,
)
def test_what_is_unconfirmed_names_parameters_with_their_defaults(package: Package):
    rows = _tables((package.folder / 'README.md').read_text())['UNCONFIRMED']
    cls = params_class(package, 'driver')
    assert cls is not None
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    given = [pair for row in rows for pair in re.findall(r'`(\w+): ([^`]+)`', row[2])]
    shown = {'True': 'true', 'False': 'false', '': "''"}
    defaults = {name: shown.get(str(value), str(value)) for name, value in defaults.items()}
    wanted = [(name, defaults.get(name)) for name, _ in given]
    assert given and given == wanted


@each
def test_parameters(package: Package):
    fields: set[str] = set()
    for executable, module in package.executables.items():
        path = package.folder / (module.replace('.', '/') + '.py')
        if path.name.endswith('node.py'):
            cls = params_class(package, executable)
            fields |= {f.name for f in dataclasses.fields(cls)} if cls else set()
    text = (package.folder / 'README.md').read_text()
    documented: set[str] = set()
    for heading, rows in _tables(text).items():
        if heading.lower().startswith('parameters') and package.name != 'mimic_bringup':
            documented |= {name for row in rows for name in _names(row[0])}
    assert {'not documented': fields - documented, 'not there': documented - fields} == {
        'not documented': set(),
        'not there': set(),
    }
