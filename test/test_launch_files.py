"""What a launch file names exists: files, packages, executables, parameters, arguments, topics."""

import dataclasses
import importlib
import re
import typing
from pathlib import Path

import pytest
import yaml
from workspace import INSTALLED, ROOT, params_class, python_packages

from mimic_camera.calibration import load_calibration
from mimic_composition.launcher.substitution import Call, parse
from mimic_composition.launcher.xml_reader import Element, read_xml
from mimic_core.params import check_value
from mimic_core.topics import TOPICS
from mimic_object_tracking import SightParams

MODES = sorted((ROOT / 'launch').glob('*.launch.xml'))
PARTS = sorted((ROOT / 'launch/parts').glob('*.launch.xml'))
FILES = MODES + PARTS + sorted(ROOT.glob('src/**/launch/*.launch.xml'))
DRIVERS = sorted(ROOT.glob('src/hardware/*/launch/driver.launch.xml'))
PACKAGES = {package.name: package for package in python_packages()}
COMMON = {'use_sim_time'}

each_file = pytest.mark.parametrize(
    'path', FILES, ids=lambda p: str(p.relative_to(ROOT)).replace('.launch.xml', '')
)


def _walk(element: Element, *tags: str):
    for child in element.children:
        if child.tag in tags:
            yield child
        yield from _walk(child, *tags)


def _texts(element: Element):
    for child in [element, *element.children]:
        yield from child.attributes.values()
        if child is not element:
            yield from _texts(child)


def _calls(text: str, name: str):
    for part in parse(text):
        if isinstance(part, Call):
            if part.name == name:
                yield part
            for argument in part.arguments:
                for inner in argument:
                    if isinstance(inner, Call) and inner.name == name:
                        yield inner


@each_file
def test_every_argument_says_what_it_is_and_has_a_default(path: Path):
    wrong = []
    for arg in (child for child in read_xml(path).children if child.tag == 'arg'):
        if not arg.attributes.get('description') or 'default' not in arg.attributes:
            wrong.append(arg.attributes['name'])
    assert wrong == []


@each_file
def test_every_argument_is_used(path: Path):
    root = read_xml(path)
    text = '\n'.join(_texts(root))
    names = [c.attributes['name'] for c in root.children if c.tag == 'arg']
    # What is included sees them too.
    for include in _walk(root, 'include'):
        target = ROOT / 'launch' / re.sub(r'.*(?=parts/|launch/)', '', _file_of(include))
        for file in [target, *PARTS] if 'shadow' in target.name else [target]:
            text += '\n'.join(_texts(read_xml(file))) if file.is_file() else ''
    assert [name for name in names if f'$(var {name}' not in text] == []


def _file_of(include: Element) -> str:
    text = include.attributes['file'].replace('$(var parts)', 'parts')
    return text.replace('$(find-pkg-share mimic_bringup)/launch/', '')


@each_file
def test_nodes_exist_and_take_their_parameters(path: Path):
    wrong = []
    for node in _walk(read_xml(path), 'node', 'node_container', 'composable_node'):
        package = PACKAGES.get(node.attributes['pkg'])
        executable = node.attributes.get('exec', '')
        if (node.attributes['pkg'], executable) in INSTALLED:
            continue
        if package is None:
            wrong.append(f'{node.line}: no package {node.attributes["pkg"]}')
            continue
        if node.tag == 'composable_node':
            executable = _executable_of(node.attributes['plugin'], package)
        if executable not in package.executables:
            wrong.append(f'{node.line}: no executable {executable} in {package.name}')
            continue
        cls = params_class(package, executable)
        fields = {f.name for f in dataclasses.fields(cls)} | COMMON if cls else COMMON
        for param in node.named('param'):
            name = param.attributes.get('name')
            if name is not None and name not in fields:
                wrong.append(f'{param.line}: {package.name} {executable} takes no {name}')
    assert wrong == []


def test_bringup_depends_on_what_it_starts():
    depends = {e.text for e in PACKAGES['mimic_bringup'].xml if e.tag == 'exec_depend'}
    started = {
        node.attributes['pkg']
        for path in MODES + PARTS
        for node in _walk(read_xml(path), 'node', 'node_container', 'composable_node')
    }
    assert started - depends - {package for package, _ in INSTALLED} == set()


def _executable_of(plugin: str, package) -> str:
    module, cls = plugin.split('::')
    source = (package.folder / (module.replace('.', '/') + '.py')).read_text()
    assert f'class {cls}(' in source, plugin
    return next(name for name, target in package.executables.items() if target == module)


@each_file
def test_included_files_and_parameter_files_exist(path: Path):
    for include in _walk(read_xml(path), 'include'):
        # Those of drivers are found by the registry; a test below reads them.
        if 'driver)' not in include.attributes['file']:
            assert (ROOT / 'launch' / _file_of(include)).is_file()


@each_file
def test_remaps_name_topics_of_the_table(path: Path):
    wrong = []
    for remap in _walk(read_xml(path), 'remap', 'set_remap'):
        for name in (remap.attributes['from'], remap.attributes['to']):
            if name.lstrip('/') not in TOPICS and name not in TOPICS:
                wrong.append(f'{remap.line}: {name}')
    assert wrong == []


# The files of config/ ---------------------------------------------------------------------------


@pytest.mark.parametrize('path', sorted((ROOT / 'config').glob('control_*.yaml')), ids=str)
def test_keys_of_parameter_files_are_fields(path: Path):
    cls = params_class(PACKAGES['mimic_control'], 'control')
    content = yaml.safe_load(path.read_text())
    assert list(content) == ['/**']
    for name, value in content['/**']['ros__parameters'].items():
        check_value(cls, name, value)


@pytest.mark.parametrize('path', sorted((ROOT / 'config/cameras').glob('*.yaml')), ids=str)
def test_cameras_are_calibrations(path: Path):
    calibration = load_calibration(path)
    assert (calibration.parent_T_optical is None) == (path.stem == 'none')


def test_joints_of_the_registry_are_joints_of_the_urdf():
    from mimic_description import known_devices, load_device
    from mimic_description.tree import parse_urdf
    from mimic_description.urdf import render_urdf

    wrong = []
    for kind in ('arm', 'hand'):
        for name in known_devices(kind):
            pair = {'arm': 'none', 'hand': 'none', kind: name}
            tree = parse_urdf(render_urdf(pair['arm'], pair['hand']))
            joints = {joint.name for joint in tree.joints}
            wrong += [f'{name}: {j}' for j in load_device(name, kind).joints if j not in joints]
    assert wrong == []


def test_the_site_file_stands_at_the_defaults():
    content = yaml.safe_load((ROOT / 'config/site.yaml').read_text())
    drivers = [p for name, p in PACKAGES.items() if name.endswith('_driver')]
    of_drivers = [_driver_params(package) for package in drivers]
    nodes = {'control': 'mimic_control', 'policy': 'mimic_rl',
             'object_tracking': 'mimic_object_tracking'}  # fmt: skip
    classes = {name: [params_class(PACKAGES[p], name)] for name, p in nodes.items()}
    wrong = []
    for section, values in content.items():
        for name, value in values['ros__parameters'].items():
            known = classes.get(section.removeprefix('/**/'), of_drivers)
            fields = [f for cls in known for f in dataclasses.fields(cls) if f.name == name]
            if value not in [field.default for field in fields]:
                wrong.append(f'{section}: {name}: {value!r}, not {[f.default for f in fields]}')
    assert wrong == []


def _driver_params(package):
    module = importlib.import_module(f'{package.name}.driver')
    return typing.get_type_hints(module.make_device)['params']


@pytest.mark.parametrize('path', DRIVERS, ids=lambda p: p.parents[1].name)
def test_what_a_launch_file_says_wins_over_the_site_file(path: Path):
    """Else emulator:=true would drive the real device."""
    for node in _walk(read_xml(path), 'node'):
        sources = ['from' in param.attributes for param in node.named('param')]
        if node.attributes['exec'] == 'driver':
            assert sources[0] and not any(sources[1:]), f'line {node.line}'


@pytest.mark.parametrize(
    'path',
    [path for path in FILES if 'segmenter' in path.read_text()],
    ids=lambda p: str(p.parent),
)
def test_how_objects_are_found_has_the_defaults_of_the_tracker(path: Path):
    args = [child.attributes for child in read_xml(path).children if child.tag == 'arg']
    given = {arg['name']: arg['default'] for arg in args}
    for field in dataclasses.fields(SightParams):
        assert type(field.default)(given[field.name]) == field.default
