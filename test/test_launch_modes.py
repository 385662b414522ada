"""Whole modes: which nodes a launch file starts with which arguments, and what they are given."""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from workspace import INSTALLED, ROOT, python_packages

from mimic_camera.calibration import load_calibration
from mimic_camera.params import CameraParams
from mimic_composition.launcher.plan import Load, Plan
from mimic_composition.launcher.reader import Reader

DRIVERS = sorted(ROOT.glob('src/hardware/*/launch/driver.launch.xml'))


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Reads a mode with an installation that has an empty executable for every name."""
    prefix = tmp_path / 'prefix'
    index = prefix / 'share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    names = {(p.name, e) for p in python_packages() for e in p.executables} | INSTALLED
    for package, executable in names:
        (index / package).touch()
        file = prefix / 'lib' / package / executable
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o755)
    asked = prefix / 'lib/mimic_description/driver_package'  # launch files run it
    asked.write_text(
        f'#!{sys.executable}\nimport sys\nsys.path[:0] = {sys.path!r}\n'
        'from mimic_description.drivers import main\nsys.exit(main())\n'
    )
    asked = prefix / 'lib/mimic_policy/checkpoint_fact'
    asked.write_text(
        f'#!{sys.executable}\nimport sys\nsys.path[:0] = {sys.path!r}\n'
        'from mimic_policy.facts import main\nsys.exit(main())\n'
    )
    asked = prefix / 'lib/mimic_moveit/moveit_config'
    asked.write_text(
        f'#!{sys.executable}\nimport os, sys\nsys.path[:0] = {sys.path!r}\n'
        f'os.environ["ROS_HOME"] = {str(tmp_path)!r}\n'
        'from mimic_moveit.generate import main\nmain([*sys.argv[1:], "--samples", "5"])\n'
    )
    for path in DRIVERS:
        folder = prefix / 'share' / path.parents[1].name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'launch').symlink_to(path.parent)
    (prefix / 'share/mimic_bringup').mkdir(parents=True)
    for name in ('launch', 'config'):
        (prefix / 'share/mimic_bringup' / name).symlink_to(ROOT / name)
    counter = iter(range(1000))

    def plan(mode: str, /, **arguments: str) -> Plan:
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        path = prefix / f'share/mimic_bringup/launch/{mode}.launch.xml'
        return Reader({'AMENT_PREFIX_PATH': str(prefix)}, folder).read(path, arguments)

    return plan


def _started(plan: Plan) -> list[str]:
    return sorted(Path(process.argv[0]).name for process in plan.processes())


SHADOW = ['control', 'retargeting', 'state_publisher', 'tracking', 'viewer']
POLICY = ['control', 'policy', 'state_publisher', 'viewer']
ROS2_CONTROL = ['ros2_control_node', 'spawner', 'spawner', 'spawner']


@pytest.mark.parametrize(
    ('mode', 'arguments', 'started'),
    [
        ('shadow', {}, [*SHADOW, 'demonstrator', 'twin']),
        ('shadow', {'viewer': '0', 'camera': 'webcam'}, [*SHADOW[:-1], 'camera', 'twin']),
        ('shadow', {'twin': 'false'}, [*SHADOW, 'demonstrator', 'driver', 'driver']),
        ('shadow', {'twin': 'false', 'driver': 'none'}, [*SHADOW, 'demonstrator']),
        (
            'shadow',
            {'twin': 'false', 'emulator': 'true', 'hand': 'leap'},
            [*SHADOW, 'demonstrator', 'driver', 'driver', 'emulator', 'emulator'],
        ),
        (
            'replay',
            {'twin': 'false', 'arm': 'panda', 'hand': 'panda_hand'},
            ['control', 'driver', 'replay', 'state_publisher', 'viewer'],
        ),
        (
            'shadow',
            {'ros2_control': 'topic', 'hand': 'robotiq_2f85'},
            [*SHADOW, *ROS2_CONTROL, 'demonstrator', 'twin', 'spawner', 'joint_command_relay'],
        ),
        ('shadow', {'ros2_control': 'mock'}, [*SHADOW, *ROS2_CONTROL, 'demonstrator']),
        (
            'shadow',
            {'ros2_control': 'vendor', 'hand_ros2_control': 'topic', 'twin': 'false'},
            [*SHADOW, *ROS2_CONTROL, 'demonstrator', 'driver', 'joint_command_relay'],
        ),
        (
            'shadow',
            {'arm_backend': 'servo', 'moveit': 'true'},
            [*SHADOW, 'demonstrator', 'twin', 'servo_node', 'servo_bridge', 'move_group'],
        ),
        ('shadow', {'record': 'true'}, [*SHADOW, 'demonstrator', 'twin', 'recorder']),
        (
            'shadow',
            {'composed': 'true'},
            ['container', 'control', 'state_publisher', 'twin', 'viewer'],
        ),
        ('collect', {}, [*SHADOW, 'demonstrator', 'twin', 'recorder', 'collector']),
        ('collect', {'demonstrations': '0'}, [*SHADOW, 'demonstrator', 'twin', 'recorder']),
        ('collect', {'camera': 'webcam'}, [*SHADOW, 'camera', 'twin', 'recorder']),
        ('collect', {'mode': 'demonstrate'}, ['demonstrator', 'recorder', 'collector']),
        (
            'collect',
            {'mode': 'demonstrate', 'camera': 'realsense'},
            ['camera', 'recorder'],
        ),
        ('replay', {}, ['control', 'replay', 'state_publisher', 'twin', 'viewer']),
        ('policy', {}, [*POLICY, 'twin', 'recorder']),
        (
            'policy',
            {'camera': 'webcam', 'operator': 'auto', 'record': 'false'},
            [*POLICY, 'twin', 'operator', 'camera', 'tracking', 'retargeting'],
        ),
        (
            'policy',
            {
                'twin': 'false',
                'agent_camera': 'realsense',
                'wrist_camera': 'webcam',
                'record': '0',
                'operator': 'pedal',
                'clutch_device': 'button',
            },
            [*POLICY, 'driver', 'driver', 'camera', 'camera', 'operator', 'operator'],
        ),
        ('view', {}, ['viewer']),
        ('view', {'rviz': 'true', 'viewer': 'false', 'episode': '/e'}, ['rviz2', 'show']),
    ],
)
def test_modes_start_their_nodes(plan, mode: str, arguments: dict, started: list[str]):
    found = plan(mode, **arguments)
    assert _started(found) == sorted(started)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ('arguments', 'started', 'truth'),
    [
        ({}, ['object_tracking', 'twin'], False),
        ({'track_object': 'false'}, ['twin'], True),
        ({'task': 'plate_push', 'twin': 'false'}, ['object_tracking', 'driver', 'driver'], None),
        (
            {'twin': 'false', 'agent_camera': 'realsense'},
            ['object_tracking', 'driver', 'driver', 'camera'],
            None,
        ),
    ],
)
def test_a_practised_policy_gets_the_object(plan, tmp_path, arguments, started, truth):
    folder = tmp_path / "anna's run"  # which the commands of the launch file do not split
    folder.mkdir()
    document = {'arm': 'panda', 'hand': 'leap', 'task': 'box_push', 'object': {'mesh': 'box.obj'}}
    (folder / 'run.json').write_text(json.dumps(document))
    found = plan('policy', checkpoint=str(folder), record='false', **arguments)
    assert _started(found) == sorted([*POLICY, *started])
    values = _parameters(found)
    for process in found.processes():
        name = Path(process.argv[0]).name
        if name == 'policy':
            assert '/mimic_rl/' in process.argv[0]
        if name == 'object_tracking':
            remap = 'camera/color/image_raw:=agent_camera/color/image_raw'
            assert remap in process.argv
            assert values[name]['objects'] == [str(folder / 'box.obj')]
            assert values[name]['symmetry'] == 'auto'  # of a run that does not say
    assert values['policy']['checkpoint'] == str(folder)
    assert (values['policy']['arm'], values['policy']['hand']) == ('panda', 'leap')
    assert values['policy']['task'] == arguments.get('task', 'box_push')  # another is refused
    if truth is not None:
        twin = values['twin']
        assert (twin['task'], twin['publish_objects']) == ('box_push', truth)
        assert (twin['agent_camera_rate'], twin['wrist_camera_rate']) == (30.0, 0.0)
        assert _pictures(twin) == (640, 480, True)  # the tracker looks at depth


def _parameters(found):
    """Return the parameters of each process that would be started."""
    return {Path(process.argv[0]).name: _given(process.argv) for process in found.processes()}


def _given(argv):
    """Return the parameters that a launch file gives a process."""
    values = {}
    for path in (a for a in argv if 'launch_params' in a):
        (content,) = yaml.safe_load(Path(path).read_text()).values()
        values |= content['ros__parameters']
    return values


def _cameras(found):
    """Return the parameters of each camera node that would be started, by its namespace."""
    argvs = [p.argv for p in found.processes() if p.argv[0].endswith('/camera')]
    places = [next(a for a in argv if a.startswith('__ns:=')) for argv in argvs]
    usual = {'frame_id': CameraParams().frame_id}
    return {
        place.removeprefix('__ns:='): usual | _given(argv)
        for place, argv in zip(places, argvs, strict=True)
    }


def test_each_camera_has_a_frame_of_its_own(plan):
    sources = {'agent_camera': 'realsense', 'wrist_camera': 'webcam', 'camera': 'webcam'}
    found = _cameras(plan('policy', twin='false', prefix='left_', **sources))
    assert {name: values['frame_id'] for name, values in found.items()} == {
        '/agent_camera': 'left_agent_camera_color_optical_frame',
        '/wrist_camera': 'left_wrist_camera_color_optical_frame',  # that of the URDF
        '/camera': 'camera_color_optical_frame',
    }
    named = _cameras(plan('policy', twin='false', wrist_calibration='agent', **sources))
    assert named['/wrist_camera']['frame_id'] == 'calibrated_wrist_optical_frame'


def test_no_pose_is_invented_where_one_matters(plan):
    def poses(mode, /, **arguments):
        return {
            name: load_calibration(Path(values['calibration'])).parent_T_optical
            for name, values in _cameras(plan(mode, **arguments)).items()
        }

    assert poses('collect', mode='demonstrate', camera='realsense') == {'/camera': None}
    sources = {'agent_camera': 'realsense', 'wrist_camera': 'realsense', 'twin': 'false'}
    assert poses('policy', **sources) == {'/agent_camera': None, '/wrist_camera': None}
    # Who is followed with the relative clutch may be about there.
    assert poses('shadow', camera='realsense')['/camera'] is not None
    given = poses('collect', mode='demonstrate', camera='realsense', calibration='agent')
    assert given['/camera'] is not None
    assert poses('policy', agent_calibration='agent', **sources)['/agent_camera'] is not None


def test_how_the_object_is_found_reaches_the_tracker(plan, tmp_path):
    thing = {'mesh': 'box.obj', 'symmetry': 'z'}  # as it was prepared
    document = {'arm': 'panda', 'hand': 'leap', 'task': 'box_push', 'object': thing}
    (tmp_path / 'run.json').write_text(json.dumps(document))
    given = {'markers': 'marks.yaml', 'estimator': 'foundation_pose', 'segmenter': 'sam2'}
    found = plan('policy', checkpoint=str(tmp_path), farthest='2.5', clearance='0.01', **given)
    values = _parameters(found)['object_tracking']
    assert values.items() >= {**given, 'farthest': 2.5, 'clearance': 0.01, 'symmetry': 'z'}.items()
    for process in found.processes():  # what a launch file says comes after the site file
        if Path(process.argv[0]).name in ('object_tracking', 'policy'):
            files = [v for o, v in pairwise(process.argv) if o == '--params-file']
            assert files[0].endswith('/config/site.yaml')
            assert len(files) > 1 and all('launch_params' in file for file in files[1:])


def _pictures(twin):
    return twin['width'], twin['height'], twin['depth']


def test_pictures_to_train_on_are_those_that_two_cores_keep_up_with(plan):
    assert _pictures(_parameters(plan('shadow'))['twin']) == (640, 480, True)
    assert _pictures(_parameters(plan('collect'))['twin']) == (320, 240, False)
    asked = {'picture_width': '640', 'picture_height': '480', 'depth': 'true'}
    assert _pictures(_parameters(plan('collect', **asked))['twin']) == (640, 480, True)


def test_behind_ros2_control_drivers_and_twin_listen_to_the_relay(plan):
    remap = '{0}_controller/joint_trajectory:={0}_driver/joint_trajectory'
    for arguments, wanted in (
        ({'ros2_control': 'topic'}, {'twin': ('arm', 'hand'), 'control': ()}),
        (
            {'ros2_control': 'vendor', 'hand_ros2_control': 'topic', 'twin': 'false'},
            {'driver': ('hand',), 'control': ()},
        ),
        ({}, {'twin': (), 'control': ()}),
    ):
        processes = {Path(p.argv[0]).name: p.argv for p in plan('shadow', **arguments).processes()}
        for name, parts in wanted.items():
            given = [a for a in processes[name] if '_driver/joint_trajectory' in a]
            assert given == [remap.format(part) for part in parts], (arguments, name)


def _file_text(argv: tuple[str, ...], index: int) -> str:
    return Path(argv[index]).read_text()


def test_the_gate_of_a_second_robot(plan):
    arguments = {'namespace': 'left', 'prefix': 'left_', 'hand': 'leap', 'twin': 'false'}
    processes = plan('shadow', **arguments).processes()
    (argv,) = [p.argv for p in processes if p.argv[0].endswith('/control')]
    assert argv[1:8] == (
        '--ros-args', '-r', '__node:=control', '-r', '__ns:=/left', '-p', 'use_sim_time:=False',
    )  # fmt: skip
    assert argv[8] == '--params-file'
    assert argv[9].endswith('/config/control_hardware.yaml')
    assert argv[11].endswith('/config/site.yaml')
    values = {}
    for i in range(13, len(argv), 2):
        assert argv[i - 1] == '--params-file'
        values.update(yaml.safe_load(_file_text(argv, i))['/left/control']['ros__parameters'])
    given = {'arm': 'iiwa14', 'hand': 'leap', 'prefix': 'left_', 'initial_mode': 'idle'}
    assert values.items() >= given.items()
    assert values['neighbour_arm'] == values['neighbour_hand'] == 'none'


def test_two_gates_know_each_other_and_share_one_tracker(plan):
    processes = plan('bimanual', left_xyz='[0.0, 0.5, 0.1]', right_arm='panda').processes()
    argvs = {}
    for process in processes:
        argvs.setdefault(process.argv[0].rsplit('/', 1)[-1], []).append(process.argv)
    assert len(argvs['tracking']) == len(argvs['demonstrator']) == 1
    assert '__ns:=/left' not in argvs['tracking'][0]
    for side, other, arm, place in (
        ('left', 'right', 'panda', [0.0, -0.4, 0.0]),
        ('right', 'left', 'iiwa14', [0.0, 0.5, 0.1]),
    ):
        found = {}
        for name in ('control', 'retargeting', 'state_publisher', 'twin'):
            (argv,) = [a for a in argvs[name] if f'__ns:=/{side}' in a]
            assert 'hand_tracking/hands:=/hand_tracking/hands' in argv
            found[name] = _given(argv)
            assert found[name]['prefix'] == f'{side}_'
        assert found['retargeting']['side'] == side
        gate = found['control']
        assert gate['neighbour_arm'] == arm
        assert gate['neighbour_prefix'] == f'{other}_'
        assert gate['neighbour_namespace'] == other
        assert gate['neighbour_xyz'] == place
        assert gate['base_xyz'] == found['state_publisher']['base_xyz'] != place


def test_hardware_starts_idle_and_the_twin_in_the_mode(plan):
    for mode, arguments, wanted in (
        ('shadow', {}, 'shadow'),
        ('shadow', {'twin': 'false'}, 'idle'),
        ('replay', {}, 'replay'),
        ('replay', {'twin': 'false'}, 'idle'),
    ):
        processes = plan(mode, **arguments).processes()
        (argv,) = [p.argv for p in processes if p.argv[0].endswith('/control')]
        assert f'initial_mode: {wanted}' in _file_text(argv, -1)


@pytest.mark.parametrize('camera', ['twin', 'webcam', 'video'])
def test_composed_nodes_get_what_single_ones_get(plan, camera: str):
    arguments = {'camera': camera, 'namespace': 'ns', 'hand': 'leap', 'seed': '7', 'side': 'left'}
    composed = plan('shadow', composed='true', **arguments)
    (load,) = [step for step in composed.steps if isinstance(step, Load)]
    single = {}
    for process in plan('shadow', **arguments).processes():
        argv = process.argv
        values, name, namespace = {}, '', ''
        for option, value in pairwise(argv):
            if option == '--params-file' and 'launch_params' in value:
                (content,) = yaml.safe_load(Path(value).read_text()).values()
                values.update(content['ros__parameters'])
            if value.startswith('__node:='):
                name = value.removeprefix('__node:=')
            if value.startswith('__ns:='):
                namespace = value.removeprefix('__ns:=')
        single[name] = (namespace, {**values, 'use_sim_time': False})
    assert load.container == '/ns/perception'
    assert len(load.components) == 3
    for component in load.components:
        assert (component.namespace, component.parameters) == single[component.name]


def test_the_table_of_arguments_says_which_mode_has_which(plan):
    modes = {path.name.partition('.')[0] for path in (ROOT / 'launch').glob('*.launch.xml')}
    told = []
    text = (ROOT / 'docs/launch.md').read_text().partition('## Arguments')[2].partition('## ')[0]
    for row in re.findall(r'^\| ([a-z0-9_, ]+) \| ([a-z, ]+) \|', text, re.M)[1:]:
        names, (whole, _, less) = row[0].split(', '), row[1].partition(' but ')
        given = modes - set(less.split(', ')) if whole == 'all' else whole.split(', ')
        told += [(name, mode) for name in names for mode in given]
    assert len(told) == len(set(told))
    asked = {'operator': 'auto', 'record': 'true', 'track_object': 'true', 'objects': 'box.obj',
             'symmetry': 'none'}  # fmt: skip
    found, declared = set(), set()
    for mode in modes:
        all_of_it, own = _arguments(mode, plan(mode, **asked))
        found |= {(name, mode) for name in all_of_it}
        declared |= {(name, mode) for name in own}
    assert sorted(declared - set(told)) == []
    assert sorted(set(told) - found) == []
    # A part may have more of them, which do not matter to each mode.
    assert {name for name, _ in found} - {name for name, _ in told} == set()


def _arguments(mode: str, plan: Plan) -> tuple[set[str], set[str]]:
    """Return what can be given to a mode, and what of it the mode's own file declares."""
    files = [ROOT / f'launch/{name}.launch.xml' for name in (mode, 'shadow')]
    text = '\n'.join(file.read_text() for file in files[: 2 if mode == 'collect' else 1])
    own = set(re.findall(r'^  <arg name="(\w+)"', text, re.M))  # of the file, not of an include
    sets = set(re.findall(r'<let name="(\w+)"', text))
    return {a.name for a in plan.arguments} - (sets - own), own


@pytest.mark.parametrize('mode', ['shadow', 'collect'])
def test_a_real_robot_has_cameras_as_the_twin_has(plan, mode: str):
    """Without pictures of the agent camera no episode can be converted."""
    given = {'agent_camera': 'realsense', 'agent_device': '0123', 'wrist_camera': 'webcam'}
    found = _cameras(plan(mode, twin='false', camera='webcam', prefix='left_', **given))
    assert {name: values['source'] for name, values in found.items()} == {
        '/camera': 'webcam',
        '/agent_camera': 'realsense',
        '/wrist_camera': 'webcam',
    }
    assert found['/agent_camera']['device'] == '0123'
    assert found['/agent_camera']['frame_id'] == 'left_agent_camera_color_optical_frame'
    assert list(_cameras(plan(mode, camera='webcam', **given))) == ['/camera']  # the twin has both


@pytest.mark.parametrize(
    ('mode', 'arguments', 'task'),
    [
        ('collect', {'camera': 'webcam'}, 'pick_place'),
        ('collect', {'camera': 'webcam', 'task': 'push'}, 'push'),
        ('collect', {'camera': 'webcam', 'twin': 'false'}, ''),
        ('collect', {'camera': 'webcam', 'twin': 'false', 'task': 'fold_towel'}, 'fold_towel'),
        ('collect', {'mode': 'demonstrate', 'demonstrations': '0'}, 'box_push'),
        ('collect', {'mode': 'demonstrate', 'camera': 'realsense'}, ''),
        ('collect', {'mode': 'demonstrate', 'camera': 'realsense', 'task': 'push'}, 'push'),
        ('policy', {'task': 'push', 'twin': 'false'}, 'push'),
    ],
)
def test_an_episode_is_told_a_task_only_where_it_is_known(plan, mode, arguments, task):
    """What the twin plays, or what was given; pick_place is not what everybody does."""
    found = _parameters(plan(mode, **arguments))
    assert found['recorder']['auto_task'] == task
    if arguments.get('mode') != 'demonstrate':
        assert found['viewer']['task'] == task


def test_the_site_file_reaches_a_diffusion_policy_too(plan, tmp_path):
    site = tmp_path / 'lab.yaml'
    site.write_text('/**/policy:\n  ros__parameters: {max_state_age: 0.3}\n')
    processes = plan('policy', kind='diffusion', site=str(site)).processes()
    (argv,) = [p.argv for p in processes if p.argv[0].endswith('/policy')]
    files = [value for option, value in pairwise(argv) if option == '--params-file']
    assert files[0] == str(site)  # what the launch file says comes after it, and wins
    assert len(files) > 1 and str(site) not in files[1:]
    assert _given(argv)['threads'] == 1
