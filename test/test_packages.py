"""Each package is laid out as the others, and its package.xml says what its code needs."""

import re

import pytest
from workspace import ROOT, Package, packages, python_packages, source_files

# Python module -> what package.xml calls it, where that is not the name itself.
ROSDEP = {
    'PIL': 'python3-pil',
    'can': 'python3-can',
    'cv2': 'python3-opencv',
    'evdev': 'python3-evdev',
    'h5py': 'python3-h5py',
    'lz4': 'python3-lz4',
    'matplotlib': 'python3-matplotlib',
    'numba': 'python3-numba',
    'numpy': 'python3-numpy',
    'scipy': 'python3-scipy',
    'serial': 'python3-serial',
    'yaml': 'python3-yaml',
    'zstandard': 'python3-zstandard',
}
# No rosdep key: they come from requirements.txt.
WHEELS = {
    'apsw': 'apsw',
    'av': 'av',
    'backports': 'backports-zstd',
    'diffusers': 'diffusers',
    'dynamixel_sdk': 'dynamixel-sdk',
    'mcap': 'mcap',
    'mediapipe': 'mediapipe',
    'mujoco': 'mujoco',
    'mujoco_warp': 'mujoco-warp',
    'ompl': 'ompl',
    'pyarrow': 'pyarrow',
    'pymodbus': 'pymodbus',
    'rich': 'rich',
    'rosbags': 'rosbags',
    'ruckig': 'ruckig',
    'safetensors': 'safetensors',
    'torch': 'torch',
    'trimesh': 'trimesh',
    'viser': 'viser',
    'pyrealsense2': 'pyrealsense2',
    'warp': 'warp-lang',
}
PINNED = {  # module -> requirement, where the names differ
    'PIL': 'pillow',
    'can': 'python-can',
    'coal': 'coal',
    'cv2': 'opencv-python-headless',
    'pinocchio': 'pin',
    'serial': 'pyserial',
    'yaml': 'pyyaml',
}
MAX_LINES = 600
NODE_LINES = 150

each_python = pytest.mark.parametrize('package', python_packages(), ids=lambda p: p.name)
each = pytest.mark.parametrize('package', packages(), ids=lambda p: p.name)


@each
def test_files(package: Package):
    wanted = ['package.xml', 'CHANGELOG.rst', 'README.md']
    if package.is_python:
        wanted += ['setup.py', 'setup.cfg', f'resource/{package.name}', f'{package.name}/py.typed']
    assert [name for name in wanted if not (package.folder / name).exists()] == []
    if package.is_python:
        assert package.tests, 'no tests'


@each_python
def test_package_xml_and_setup_agree(package: Package):
    for key in ('name', 'version', 'license'):
        assert package.setup[key] == package.xml.findtext(key)
    maintainer = package.xml.find('maintainer')
    assert package.setup['maintainer_email'] == maintainer.get('email')
    assert 'pytest' in package.setup['extras_require']['test']
    assert package.setup['package_data'] == {package.name: ['py.typed']}


@each_python
def test_package_xml_names_what_is_imported(package: Package):
    depends = {e.text for e in package.xml if e.tag in ('depend', 'exec_depend')}
    own = {package.name, *(p.name for p in packages())} - {package.name}
    wanted = {
        ROSDEP.get(name, name): files
        for name, files in package.imports().items()
        if name not in WHEELS and name != package.name
    }
    missing = {name: sorted(files) for name, files in wanted.items() if name not in depends}
    assert missing == {}, 'imported, but not in package.xml'
    if package.name != 'mimic_bringup':  # it starts what it does not import
        imported = set(wanted)
        unused = {d for d in depends if d in own | set(ROSDEP.values())} - imported
        assert unused == set(), 'in package.xml, but not imported'


@each_python
def test_wheels_are_pinned(package: Package):
    text = '\n'.join(path.read_text() for path in ROOT.glob('requirements*.txt'))
    text += re.search('^TORCH=(torch==.*)', (ROOT / 'mimic').read_text(), re.MULTILINE)[1]
    pins = {line.split('==')[0].lower() for line in text.splitlines() if '==' in line}
    names = set(package.imports()) & (set(WHEELS) | set(ROSDEP) | set(PINNED))
    wanted = {WHEELS.get(name, PINNED.get(name, name)) for name in names}
    assert wanted - pins == set()


def test_every_direct_dependency_has_a_reason():
    reasons = (ROOT / 'docs/dependencies.md').read_text()
    names = {name for package in python_packages() for name in package.imports()}
    known = names & (set(WHEELS) | set(ROSDEP) | set(PINNED))
    wanted = {WHEELS.get(name) or PINNED.get(name, name) for name in known}
    assert {name for name in wanted if f'| {name} ' not in reasons} == set()


@each_python
def test_executables_exist(package: Package):
    for script in package.setup.get('entry_points', {}).get('console_scripts', []):
        module, function = script.split('=')[1].strip().split(':')
        path = package.folder / (module.replace('.', '/') + '.py')
        assert path.exists(), script
        assert f'def {function}(' in path.read_text(), script


def test_no_file_is_too_long():
    long = {
        str(path.relative_to(ROOT)): count
        for path in source_files()
        if path.suffix == '.py' and (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert long == {}


def test_node_shells_are_thin():
    long = {
        f'{package.name}/{path.name}': count
        for package in python_packages()
        for path in package.modules
        if path.name == 'node.py' and (count := len(path.read_text().splitlines())) > NODE_LINES
    }
    assert long == {}


def test_nothing_is_left_to_do_and_no_path_of_a_machine_is_named():
    pattern = re.compile(r'\b(TO[D]O|FIX[M]E|X[X]X)\b|/(work|home|root)/')
    found = [
        f'{path.relative_to(ROOT)}:{number}: {line.strip()}'
        for path in source_files()
        if path.name != 'test_packages.py'
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
