"""Finds the class of a component by its name; no ROS in here."""

import importlib
import re

from mimic_core.errors import ConfigError, MimicError, UnknownNameError

_PLUGIN = re.compile(r'(?P<module>[A-Za-z_][\w.]*)(?:::|:)(?P<name>[A-Za-z_]\w*)')

# What importing and constructing somebody's node may raise; a container reports it and lives on.
LOAD_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MimicError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def find_class(package: str, plugin: str) -> type:
    """Return the class that a plugin name stands for.

    Args:
        package: Name of the ROS package; the module must be inside it.
        plugin: `module::Class` or `module:Class`, such as `mimic_camera.node::CameraNode`.

    Raises:
        ConfigError: The name has another form, or the module is in another package.
        ImportError: The module cannot be imported.
        UnknownNameError: The module has no such class.
    """
    match = _PLUGIN.fullmatch(plugin)
    if match is None:
        raise ConfigError(f"plugin '{plugin}' is not written as module::Class")
    module_name, name = match['module'], match['name']
    if module_name.split('.')[0] != package:
        raise ConfigError(f"plugin '{plugin}' is not in package '{package}'")
    module = importlib.import_module(module_name)
    found = getattr(module, name, None)
    if not isinstance(found, type):
        here = vars(module).items()
        classes = [k for k, v in here if isinstance(v, type) and v.__module__ == module_name]
        raise UnknownNameError(f'class of {module_name}', name, classes)
    return found


def remap_arguments(rules: list[str]) -> list[str]:
    """Return the ROS arguments of `from:=to` rules.

    Raises:
        ConfigError: A rule has another form.
    """
    arguments = []
    for rule in rules:
        source, separator, target = rule.partition(':=')
        if not (source and separator and target):
            raise ConfigError(f"remap rule '{rule}' is not written as from:=to")
        arguments += ['-r', rule]
    return arguments
