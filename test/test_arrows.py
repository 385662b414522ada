"""Packages import only packages to their left (docs/architecture.md), never a sibling's node."""

from workspace import imported, is_shell, python_packages

DEVICES = ('ability', 'allegro', 'fin_ray', 'iiwa', 'leap', 'panda', 'robotiq', 'so101')
LAYERS = (
    {'mimic_interfaces'},
    {'mimic_core'},
    {'mimic_description', 'mimic_composition'},
    {'mimic_planning'},  # the gate plans with it
    {
        'mimic_camera',
        'mimic_hand_tracking',
        'mimic_retargeting',
        'mimic_control',
        'mimic_sim',
        'mimic_moveit',
    }
    | {f'mimic_{device}_driver' for device in DEVICES},
    {'mimic_recording', 'mimic_viewer', 'mimic_object_tracking'},
    {'mimic_identification', 'mimic_calibration', 'mimic_dataset'},
    {'mimic_alignment'},
    {'mimic_policy', 'mimic_rl'},
    {'mimic_bringup'},
)
CORE_SHELLS = {'mimic_core.ros'} | {
    f'mimic_core.{part}.ros' for part in ('driver', 'gate', 'policy_run')
}
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def test_every_package_has_a_layer():
    assert {package.name for package in python_packages()} <= set(RANK)


def test_arrows_point_left():
    wrong = []
    for package in python_packages():
        for name, files in package.imports().items():
            if not name.startswith('mimic_') or name == package.name:
                continue
            alone = package.name == 'mimic_composition' and RANK[name] > RANK['mimic_core']
            if alone or RANK[name] >= RANK[package.name]:
                wrong.append(f'{package.name} imports {name} in {sorted(files)}')
    assert wrong == []


def test_nobody_imports_a_node():
    wrong = []
    for package in python_packages():
        for path in package.modules:
            for module in imported(path):
                is_node = module.split('.')[-1] == 'node' or module.endswith('_node')
                foreign = not module.startswith(f'{package.name}.')
                if is_node and module.startswith('mimic_') and foreign:
                    wrong.append(f'{path.name} of {package.name} imports {module}')
    assert wrong == []


def test_only_shells_know_ros():
    ros = ('rclpy', 'mimic_interfaces', 'rosidl', 'ament_index')
    wrong = []
    for package in python_packages():
        for path in package.modules:
            if is_shell(path):
                continue
            for module in imported(path):
                top = module.split('.')[0]
                message = top.endswith(('_msgs', '_srvs')) or top == 'builtin_interfaces'
                known = module in CORE_SHELLS or top == 'composition_interfaces'
                if message or known or top.startswith(ros):
                    wrong.append(f'{path.relative_to(package.folder)} imports {module}')
    assert wrong == []
