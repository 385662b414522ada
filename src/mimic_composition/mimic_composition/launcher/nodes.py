"""The tags that start something: node, executable, node_container, load_composable_node.

The command line of a node is, as in ros2 launch: its own arguments; `--ros-args` and ros_args;
`--ros-args`, `-r __node:=`, `-r __ns:=`; parameters of the scope (`-p`); a parameter file for each
`<param>`; remaps of the scope; remaps of the node.
"""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Final

from mimic_composition.launcher import namespaces, parameters
from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.parameters import ParameterFiles, Value
from mimic_composition.launcher.plan import Component, Load, Process
from mimic_composition.launcher.schema import require_exclusive
from mimic_composition.launcher.scope import Scope
from mimic_composition.launcher.substitution import Context, split_command, substitute, to_bool
from mimic_composition.launcher.xml_reader import Element

_WHEELS: Final = '_ROS_WHEELS_BOOTSTRAP_COMPLETE'
_LIBRARIES: Final = 'LD_LIBRARY_PATH'
_OUTPUTS: Final = ('log', 'screen', 'both')


def executable(element: Element, scope: Scope, context: Context) -> Process:
    """Return the process of an `<executable>`."""
    argv = split_command(element.attributes['cmd'], context)
    if not argv:
        raise LaunchFileError('the command is empty')
    process = _process(element, argv, scope, context, element.attributes.get('name'))
    if _WHEELS in process.environment:
        # Set for the ROS wheels; a foreign program would load their libraries.
        own = {k: v for k, v in process.environment.items() if k not in (_WHEELS, _LIBRARIES)}
        return replace(process, environment=own)
    return process


def node(element: Element, scope: Scope, context: Context, files: ParameterFiles) -> Process:
    """Return the process of a `<node>` or `<node_container>`."""
    given = {key: substitute(text, context) for key, text in _of_node(element).items()}
    name = given.get('name')
    if name is not None:
        namespaces.check_node_name(name)
    namespace = namespaces.join(scope.namespace, given.get('namespace'))
    argv = [_path(given, context)]
    argv += split_command(element.attributes.get('args', ''), context)
    ros_args = split_command(element.attributes.get('ros_args', ''), context)
    argv += ['--ros-args', *ros_args] if 'ros_args' in element.attributes else []
    argv += ['--ros-args']
    argv += ['-r', f'__node:={name}'] if name is not None else []
    argv += ['-r', f'__ns:={namespace}'] if namespace is not None else []
    for key, value in scope.parameters:
        argv += ['-p', f'{key}:={value}']
    is_full = name is not None and namespace is not None
    key = namespaces.full_name(namespace, name or '') if is_full else '/**'
    for param in element.named('param'):
        argv += ['--params-file', _parameter_file(param, key, context, files)]
    for source, target in scope.remaps + _remaps(element, context):
        argv += ['-r', f'{source}:={target}']
    return _process(element, argv, scope, context, element.attributes.get('exec_name'))


def container(
    element: Element, scope: Scope, context: Context, files: ParameterFiles
) -> tuple[Process, Load | None]:
    """Return the process of a `<node_container>`, and what is loaded into it."""
    process = node(element, scope, context, files)
    given = {key: substitute(text, context) for key, text in _of_node(element).items()}
    namespace = namespaces.join(scope.namespace, given['namespace'])
    components = _components(element, scope, context)
    target = namespaces.full_name(namespace, given['name'])
    return process, Load(target, components, dict(scope.environment)) if components else None


def load(element: Element, scope: Scope, context: Context) -> Load:
    """Return what a `<load_composable_node>` loads.

    As in ros2 launch a relative target stands at the root: pushed namespaces do not count.
    """
    target = '/' + substitute(element.attributes['target'], context).lstrip('/')
    return Load(target, _components(element, scope, context), dict(scope.environment))


def _of_node(element: Element) -> dict[str, str]:
    keys = ('pkg', 'exec', 'name', 'namespace')
    return {key: element.attributes[key] for key in keys if key in element.attributes}


def _path(given: dict[str, str], context: Context) -> str:
    if 'pkg' not in given:
        return given['exec']
    return str(context.packages.executable(given['pkg'], given['exec']))


def _remaps(element: Element, context: Context) -> list[tuple[str, str]]:
    return [
        (
            substitute(remap.attributes['from'], context),
            substitute(remap.attributes['to'], context),
        )
        for remap in element.named('remap')
    ]


def _parameter_file(param: Element, node_key: str, context: Context, files: ParameterFiles) -> str:
    require_exclusive(param, 'name', 'from')
    if 'name' in param.attributes:
        return files.write(node_key, parameters.nested(param, context))
    path = Path(substitute(param.attributes['from'], context))
    parameters.load_file(path)  # a wrong one is told here, once, and nothing starts
    if to_bool(substitute(param.attributes.get('allow_substs', 'false'), context)):
        return files.write_text(substitute(path.read_text(encoding='utf-8'), context))
    return str(path)


def _components(element: Element, scope: Scope, context: Context) -> tuple[Component, ...]:
    found = []
    for child in element.named('composable_node'):
        if not applies(child, context):
            continue
        given = {
            key: substitute(child.attributes[key], context)
            for key in ('pkg', 'plugin', 'name', 'namespace')
            if key in child.attributes
        }
        namespace = namespaces.join(scope.namespace, given.get('namespace'))
        name = namespaces.check_node_name(given['name'])
        values: dict[str, Value] = dict(scope.parameters)
        for param in child.named('param'):
            values.update(_values(param, namespaces.full_name(namespace, name), context))
        extra = {
            substitute(pair.attributes['name'], context): parameters.typed(
                substitute(pair.attributes['value'], context)
            )
            for pair in child.named('extra_arg')
        }
        remaps = tuple(scope.remaps + _remaps(child, context))
        found.append(
            Component(given['pkg'], given['plugin'], name, namespace or '', remaps, values, extra)
        )
    return tuple(found)


def _values(param: Element, node_name: str, context: Context) -> dict[str, Value]:
    require_exclusive(param, 'name', 'from')
    if 'name' in param.attributes:
        return parameters.nested(param, context)
    if 'allow_substs' in param.attributes:
        raise LaunchFileError('allow_substs is not supported in <composable_node>')
    return parameters.read_file(Path(substitute(param.attributes['from'], context)), node_name)


def applies(element: Element, context: Context) -> bool:
    """Return whether the `if` or `unless` of a tag lets it through."""
    if 'if' in element.attributes:
        return to_bool(substitute(element.attributes['if'], context))
    unless = element.attributes.get('unless')
    return unless is None or not to_bool(substitute(unless, context))


def _process(
    element: Element, argv: list[str], scope: Scope, context: Context, label: str | None
) -> Process:
    """Add what `<node>` and `<executable>` have in common."""
    given = {
        key: substitute(text, context)
        for key, text in element.attributes.items()
        if key not in ('args', 'ros_args', 'cmd')
    }
    prefix = shlex.split(given.get('launch-prefix', ''))
    argv = [*prefix, *argv]
    environment = dict(scope.environment)
    for pair in element.named('env'):
        name = substitute(pair.attributes['name'], context)
        environment[name] = substitute(pair.attributes['value'], context)
    output = scope.environment.get('OVERRIDE_LAUNCH_PROCESS_OUTPUT', given.get('output', 'log'))
    if output not in _OUTPUTS:
        raise LaunchFileError(f"output is '{output}', not one of {', '.join(_OUTPUTS)}")
    if given.get('on_exit', 'shutdown') != 'shutdown':
        raise LaunchFileError(f"on_exit is '{given['on_exit']}'; only 'shutdown' is known")
    return Process(
        label=substitute(label, context) if label else Path(argv[0]).name,
        argv=tuple(argv),
        environment=environment,
        cwd=given.get('cwd'),
        output=output,
        shell=to_bool(given.get('shell', 'false')),
        respawn=to_bool(given.get('respawn', 'false')),
        respawn_delay=_number(given, 'respawn_delay', 0.0),
        respawn_max_retries=int(_number(given, 'respawn_max_retries', -1.0)),
        required='on_exit' in given,
        sigterm_timeout=_number(given, 'sigterm_timeout', 5.0),
        sigkill_timeout=_number(given, 'sigkill_timeout', 5.0),
    )


def _number(given: dict[str, str], name: str, default: float) -> float:
    if name not in given:
        return default
    value = parameters.typed(given[name], 'float')
    if not isinstance(value, float) or value < (-1.0 if name == 'respawn_max_retries' else 0.0):
        raise LaunchFileError(f'{name} = {given[name]} is not a time or a count')
    return value
