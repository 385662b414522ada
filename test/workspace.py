"""What the contract tests know of the workspace: packages, their files, imports and nodes."""

import ast
import contextlib
import importlib
import runpy
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# Executables of an installed ROS that launch files name; not started unless asked for or there.
INSTALLED = {
    ('robot_state_publisher', 'robot_state_publisher'),
    ('rviz2', 'rviz2'),
    ('controller_manager', 'ros2_control_node'),
    ('controller_manager', 'spawner'),
    ('moveit_ros_move_group', 'move_group'),
    ('moveit_servo', 'servo_node'),
}
SHELL = ('node.py', 'conversions.py')  # names of files that may know ROS, also after a `_`


def is_shell(path: Path) -> bool:
    """Whether a file may import rclpy and messages."""
    return path.name == 'ros.py' or path.name.endswith(('_node.py', '_conversions.py', *SHELL))


@dataclass(frozen=True)
class Package:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def xml(self) -> ET.Element:
        return ET.parse(self.folder / 'package.xml').getroot()

    @property
    def is_python(self) -> bool:
        return (self.folder / 'setup.py').exists()

    @property
    def modules(self) -> list[Path]:
        return sorted((self.folder / self.name).rglob('*.py'))

    @property
    def tests(self) -> list[Path]:
        return sorted((self.folder / 'test').glob('test_*.py'))

    @cached_property
    def setup(self) -> dict[str, Any]:
        """The arguments that setup.py passes to setuptools."""
        import setuptools

        found: dict[str, Any] = {}
        original, setuptools.setup = setuptools.setup, lambda **kwargs: found.update(kwargs)
        try:
            with contextlib.chdir(self.folder):
                runpy.run_path(str(self.folder / 'setup.py'))
        finally:
            setuptools.setup = original
        return found

    @property
    def executables(self) -> dict[str, str]:
        """Module of each executable."""
        scripts = self.setup.get('entry_points', {}).get('console_scripts', [])
        pairs = (script.split('=') for script in scripts)
        return {name.strip(): target.split(':')[0].strip() for name, target in pairs}

    def imports(self, paths: list[Path] | None = None) -> dict[str, set[str]]:
        """Top-level names that are imported, with the files that do."""
        found: dict[str, set[str]] = {}
        for path in self.modules if paths is None else paths:
            for module in imported(path):
                found.setdefault(module.split('.')[0], set()).add(path.name)
        return {k: v for k, v in found.items() if k not in sys.stdlib_module_names}


def packages() -> list[Package]:
    return [Package(path.parent) for path in sorted(ROOT.glob('src/**/package.xml'))]


def python_packages() -> list[Package]:
    return [package for package in packages() if package.is_python]


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, wherever in it; not those for type checks only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def params_class(package: Package, executable: str) -> Any:
    """The params dataclass that the node of an executable declares."""
    module = package.executables[executable]
    path = package.folder / (module.replace('.', '/') + '.py')
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (
            _called(node) == 'declare_params' or _is_driver_node(node)
        ):
            name = node.args[1].id
            break
    else:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return getattr(importlib.import_module(node.module), name)
    raise AssertionError(f'{path}: where does {name} come from?')


def _is_driver_node(node: ast.Call) -> bool:
    """Whether it is `super().__init__(name, params, make_device)` of a DriverNode."""
    return (
        _called(node) == '__init__' and len(node.args) == 3 and isinstance(node.args[1], ast.Name)
    )


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, 'id', '')


def source_files() -> list[Path]:
    """Every file that people edit, tests included."""
    kinds = {'.py', '.xml', '.xacro', '.yaml', '.md', '.msg', '.srv', '.action', '.txt', '.toml'}
    skip = {'build', 'install', 'log', 'out', '.venv', '.git', 'results', '__pycache__'}
    found = []
    for path in sorted(ROOT.rglob('*')):
        parts = path.relative_to(ROOT).parts
        hidden = any(p.startswith('.') or p.endswith('.egg-info') for p in parts)
        if path.suffix in kinds and path.is_file() and not hidden and not skip & set(parts):
            found.append(path)
    return found
